// The state behind the directory (vms.hpp).
#pragma once

#include "actors/vm/restarts.hpp"
#include "actors/vms/resolve.hpp"
#include "actors/vms/vms.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <set>

namespace banger::vms {

failure was_deleted();

class vms_state : public actor::state_base {
public:
  static inline const char* name = "vms";

  void init(vms_actor::pointer self, std::vector<found_vm> found, surroundings around);

  caf::result<messages::op_ticket> begin(const messages::create_request& request);
  caf::result<messages::op_ticket> begin(const messages::verb_request& request);
  caf::result<messages::op_ticket> begin(const messages::set_request& request);
  caf::result<void> touch(const std::string& ref);
  caf::result<bool> cancel(const std::string& op);
  std::vector<messages::vm_view> list() const;
  caf::result<messages::vm_detail> show(const std::string& ref);
  caf::result<messages::stream_ticket> exec(const messages::exec_request& request);
  caf::result<messages::stream_ticket> attach(const messages::attach_request& request);
  caf::result<messages::stream_ticket> logs(const messages::logs_request& request);
  template <class Answer, class Atom>
  caf::result<Answer> read(Atom what, const std::string& ref) {
    const auto id = find(ref);
    if (!id)
      return actor::to_error(id.error());
    return hand_on<Answer>(*id, what);
  }
  census count() const;
  caf::result<void> drain();

  caf::result<messages::vm_view> reclaim(const messages::reclaim_request& request);
  caf::result<void> discard(const std::string& ref);

  void changed(const messages::vm_view& view);
  void heard(const vm::own_operation& own);
  void heard(const messages::progress& news);
  void ended(const messages::finished& end);
  void look_after(const std::string& id);
  void stop_stale();
  void gone(const caf::down_msg& down);
  caf::result<void> crash(const std::string& ref);
  roster call_the_roll() const;

private:
  /// Of a VM's actor. While it is made again, what is said to it is held.
  enum class standing : std::uint8_t { there, returning, over };

  struct entry {
    vm::vm_actor actor;
    messages::vm_view view;
    caf::actor_addr owner; ///< of an ephemeral VM: who must live for it to stay
    /// When somebody last made use of it, or we came to know it. Not by the wall clock, which
    /// jumps.
    std::chrono::steady_clock::time_point used;
    standing stands = standing::there;
    std::string creating; ///< the operation that makes it, until it has ended
    vm::restart_budget deaths;
    failure trouble;                               ///< why it is over
    std::vector<std::function<void(entry&)>> held; ///< done once it is there again, or over
  };

  bool is_stale(const entry& e) const;
  void stop_unused(const std::string& id);
  expected<void> check_open() const;
  expected<vm::record> check(const messages::create_request& request) const;
  expected<void> check_name(const std::string& wished) const;
  expected<vm::change> check(const messages::set_request& request) const;
  expected<std::string> find(std::string_view ref) const;
  std::vector<known_vm> known() const;
  void adopt(vm::record record, vm::recovery then);
  expected<messages::op_ticket> make(const messages::create_request& request,
                                     const caf::strong_actor_ptr& asker);
  /// Gives it its id.
  expected<messages::op_ticket> order(const std::string& id, vm::order what,
                                      const caf::strong_actor_ptr& from);
  std::string announce(const std::string& id, const vm::order& what,
                       const messages::client_actor& asker);
  void open_operation(const entry& e, const std::string& op, vm::verb what,
                      const messages::client_actor& asker);
  void own(entry& e, const caf::strong_actor_ptr& who);
  void lost_client(const caf::actor_addr& who);
  void abandon(const std::string& id);

  // Orphans (reclaim.cpp).
  expected<std::string> find_orphan(const std::string& ref) const;
  expected<void> check(const std::string& id, orphan& found,
                       const std::optional<vm_name>& called) const;
  void bring_in(vm::record vm, caf::typed_response_promise<messages::vm_view> answer);
  void forget_orphan(const std::string& id);

  // Supervision (supervision.cpp).
  void died(const std::string& id, const caf::error& reason);
  void bring_back(const std::string& id, bool unborn);
  void end_operations(const std::string& id, const failure& why);
  void revive(const std::string& id, found_vm found, bool unborn);
  void not_revived(const std::string& id, const failure& why);
  void give_up(const std::string& id, const std::string& why);
  expected<void> hold(entry& e, std::function<void(entry&)> then);
  messages::vm_detail known_of(const entry& e) const;
  void spawn(entry& e, vm::record record, vm::recovery then);
  void tell_event(const events::change& what);
  template <class Answer, class... Words>
  void reach(const std::string& id, caf::typed_response_promise<Answer> answer,
             const Words&... words);
  template <class Answer, class Word, class... Words>
  caf::result<Answer> hand_on(const std::string& id, Word word, const Words&... words);

  vms_actor::pointer self_ = nullptr;
  surroundings around_;
  std::map<caf::actor_addr, std::string> actors_; ///< VM actors that live, with the id of their VM
  std::map<std::string, entry> vms_;              ///< by id
  std::map<std::string, std::string> operations_; ///< that run or wait, with the id of their VM
  /// Names, by the operations, or the orphans, that will have them.
  std::map<std::string, std::string> promised_;
  std::vector<messages::orphan_view> orphans_;
  std::set<std::string> handled_;    ///< orphans (ids) that are being worked on
  std::set<caf::actor_addr> owners_; ///< clients that ephemeral VMs live for
  std::vector<caf::typed_response_promise<void>>
      drained_; ///< who waits for the last operation to end
};

} // namespace banger::vms
