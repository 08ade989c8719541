// The state behind a VM actor (vm.hpp): the story is order → next → advance → settle, or roll_back
// → conclude.
#pragma once

#include "actors/vm/restarts.hpp"
#include "actors/vm/vm.hpp"

#include <chrono>
#include <deque>
#include <optional>

namespace banger::vm {

class vm_state : public actor::state_base {
public:
  static inline const char* name = "vm";

  struct surroundings {
    store::store_actor store;
    machine_actor machine;
    step_table steps;
    std::string folder;
    vm_listener directory;
    std::string why_user_mode = {}; ///< where a bridge was looked for and is not there
    bool bridged = false;           ///< it comes onto a bridge when it starts
  };

  void init(vm_actor::pointer self, record vm, surroundings around);
  void recover(recovery what);

  void take(order wanted);
  bool cancel(const std::string& op);
  void touch();
  void hear_use();
  caf::result<bool> in_use(in_use_atom what) { return self_->delegate(around_.machine, what); }
  messages::vm_detail detail() const;
  const machine_actor& machine() const { return around_.machine; }
  template <class Request>
  caf::result<messages::stream_ticket> open(const Request& request);
  /// By the committed record and past the queue: what the machine knows, whatever it does.
  template <class Answer, class Atom>
  caf::result<Answer> read(Atom what) {
    return self_->delegate(around_.machine, what, snapshot());
  }
  void hear(const image::note& news);
  void hear(const machine_ended& end);
  void hear(const machine_paused& news);

private:
  using clock = std::chrono::steady_clock;

  struct operation {
    order wanted;
    plan todo;
    std::size_t at = 0;   ///< step that runs
    unsigned retries = 0; ///< boots that hung and were begun again
    bool cancelled = false;
    bool interrupted = false; ///< by a forced kill: it ends here, also where it could not be undone
    bool intended = false;    ///< the journal has it
    remains left = remains::nothing; ///< of what it did, where it failed
    bool established = false;        ///< the VM is recorded as settled; what is left is waited for
    std::optional<record> target;    ///< of a set: the VM once it is done
    std::optional<failure> first_error;
    clock::time_point began, step_began;
    std::vector<stage> stages;
  };

  expected<void> admit(const order& wanted) const;
  order own_order(verb what) const;
  void make_way(const std::string& for_op);
  void go(verb what);
  void revert();
  void next();
  void record_first();
  void advance();
  void intend();
  store::intent intent() const;
  template <class Atom, class Word, class Then>
  void write(Atom what, const Word& word, Then then);
  void establish();
  void act();
  void stepped(const record_ptr& after);
  void stumbled(failure why);
  void roll_back(std::size_t down_to);
  void undo_failed(const failure& why);
  void retreated();
  void settle();
  void note_start(const operation& op);
  void exchange_with(record& target);
  void conclude();
  void commit(bool gone);
  void committed(bool gone);
  void note_end(machine_ended end);
  void adopt();
  void settle_rescued();

  record_ptr snapshot() const { return std::make_shared<const record>(*vm_); }
  std::string current_step() const;
  std::string network() const;
  clock::time_point now() const { return self_->clock().now(); }
  void say(const std::string& stage, const std::string& detail);
  void make_use();
  void keep();
  void show_change();
  messages::finished report(const operation& op) const;

  vm_actor::pointer self_ = nullptr;
  std::unique_ptr<record> vm_;
  surroundings around_;
  std::optional<machine_ended> ended_meanwhile_; ///< while an operation ran that did not notice
  std::string paused_;          ///< why its machine stands still; empty: it does not
  bool resumes_ = false;        ///< by itself
  restart_budget reboots_;      ///< that its guest asked for
  std::deque<operation> queue_; ///< the front one is running
};

} // namespace banger::vm
