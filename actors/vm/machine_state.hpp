// The state behind a machine actor (machine.hpp).
#pragma once

#include "actors/vm/endings.hpp"
#include "actors/vm/machine.hpp"
#include "actors/vm/stats.hpp"
#include "messages/base/failpoint.hpp"

#include <chrono>
#include <map>
#include <optional>

namespace banger::vm {

inline constexpr const char* kept_console =
    "`banger vm logs` shows the console of a VM that was kept";

class machine_state : public actor::state_base {
public:
  static inline const char* name = "machine";

  void init(machine_actor::pointer self, const machine_room& room, machine_listener owner,
            std::shared_ptr<void> presence);
  ~machine_state();

  caf::result<record_ptr> act(const step_request& request);
  caf::result<record_ptr> undo(const step_request& request);
  caf::result<void> adopt(const record_ptr& vm);
  template <class Request>
  caf::result<messages::stream_ticket> open(const Request& request);
  void abort();
  void pass_on(const image::note& news);
  bool in_use() const { return in_use_; }

  caf::result<messages::vm_stats> stats(const record_ptr& vm);
  caf::result<messages::vm_ports> ports(const record_ptr& vm);
  caf::result<messages::vm_health> health(const record_ptr& vm);
  caf::result<messages::stream_ticket> console(const record_ptr& vm);

private:
  using promise = caf::typed_response_promise<record_ptr>;
  using ticket_promise = caf::typed_response_promise<messages::stream_ticket>;
  using milliseconds = std::chrono::milliseconds;
  using clock = std::chrono::steady_clock;
  /// For a guest of an earlier daemon to be heard.
  static constexpr milliseconds adopt_patience{700};

  /// What the running step waits for the guest or the hypervisor to do.
  enum class waiting : std::uint8_t {
    nothing,
    image,
    takeover,
    hello,
    configured,
    flushed,
    booted,
    exit
  };

  /// Asked of the agent beside the step that runs. One of the two is called, once.
  struct question {
    guest::frame_type what{};
    clock::time_point asked{};
    std::function<void(const io::link_event&, std::uint64_t took_us)> heard;
    std::function<void(const failure&)> failed;
  };
  void ask_guest(const record& vm, milliseconds patience, question q);
  void put_question(std::uint64_t number, const std::string& called);
  void give_up(std::uint64_t number, const failure& why);
  void give_up_all(guest::frame_type what, const failure& why);
  void heard_number(std::uint64_t number, guest::frame_type asked, const io::link_event& event);
  bool heard_answer(const io::link_event& event);

  void take_up(const step_request& request);
  expected<void> pass(const step_request& request, work::moment here, work::moment afterwards);
  void dispatch(const std::string& step);
  void get_image();
  void run_host_step(const host_step& step);
  void flush();
  void await_flush();
  void launch();
  void launched(expected<hypervisor::running_machine> machine);
  void connect(hypervisor::running_machine machine);
  void greet();
  void configure();
  void await_boot();
  void shut_down();
  void press_on();
  void kill();
  void release();
  void remove_sockets();
  void drop_link();
  void let_go(std::function<void()> then);
  void connect_network();
  void disconnect_network(bool for_good = false);
  void change_network();
  void leave_network();
  network::departure departure() const;
  void network_failed(std::uint64_t turn, const caf::error& why);
  expected<void> take_over();
  void doubt();
  void connect_again();
  void taken_over();
  void answer_opens();
  void later(milliseconds delay, std::function<void()> act);
  template <class Request>
  void offer(ticket_promise answer, const Request& request);
  messages::stream_ticket ticket(const messages::exec_request& request);
  messages::stream_ticket ticket(const messages::attach_request& request);
  void remove_files();

  void await(waiting what, milliseconds quiet, milliseconds at_most);
  void check_deadline(std::uint64_t turn);
  void out_of_time();
  void finish(expected<void> outcome);

  void heard(io::link_event event);
  void heard_use(bool now);
  void heard_agent_left();
  /// The guest does not speak, but is expected to.
  bool expects_hello() const { return !hello_ && (adopting_ > 0 || returning_); }
  void heard_hello(guest::hello_body body);
  void heard_booted(const std::string& state);
  void heard_end(const io::event::exited& end);
  void heard_pause(const io::pause& why);
  void heard_resume();
  void unpause();
  void forget_pause();
  void look_for_room();
  void resume_if(bool room);
  void finish_with_evidence(errc code, const std::string& what,
                            const std::string& remedy = std::string(kept_console));
  void finish_ended(const std::string& what = std::string(ended_unasked));
  const host_step* find_host_step(const std::string& step) const;
  milliseconds scaled(milliseconds t) const;

  template <class Job, class Then>
  void in_pool(Job job, Then then) {
    work::submit(
        *room_->workers, machine_actor(self_),
        [job = std::move(job), keep = presence_]() mutable { return job(); }, std::move(then));
  }

  /// For what must not wait behind the steps of others.
  template <class Job, class Then>
  void in_reading_pool(Job job, Then then) {
    work::submit(*room_->readers, machine_actor(self_), std::move(job), std::move(then));
  }

  machine_actor::pointer self_ = nullptr;
  const machine_room* room_ = nullptr;
  std::shared_ptr<void> presence_; ///< held by what runs in the pool, too
  machine_listener owner_;
  std::string op_;
  std::shared_ptr<build> build_;  ///< shared with the pool while a step runs there, and only then
  std::optional<promise> answer_; ///< of the step that runs
  /// How it went to bring what was made in this operation to the host's disk, once that is known;
  /// null: it was not begun.
  std::shared_ptr<std::optional<expected<void>>> flushed_;
  struct {
    std::string verb, step;
    work::moment at = work::moment::after;
  } leaving_; ///< for failpoints: where the end of that step is
  std::stop_source stop_;
  bool aborted_ = false;

  std::shared_ptr<io::machine_link> link_;
  std::uint64_t link_number_ = 0; ///< events of earlier links are dropped
  std::optional<guest::hello_body> hello_;
  int signal_ = 0;                   ///< of a kill; 0: SIGKILL
  std::string how_ended_;            ///< the last hypervisor; for people, empty: not known
  std::chrono::seconds at_most_{60}; ///< for the step that runs, before it is scaled
  bool stopping_ = false;            ///< the guest said that it goes down
  bool in_use_ = false;              ///< clients have commands in the guest

  int adopting_ = 0;       ///< attempts left to be heard by a guest of an earlier daemon
  bool returning_ = false; ///< its agent ended a moment ago
  std::uint64_t departures_ = 0;
  std::vector<std::function<void()>> opens_; ///< until it is heard

  waiting waits_for_ = waiting::nothing;
  std::uint64_t turn_ = 0; ///< of the wait, so that its timer knows whether it is still meant
  milliseconds quiet_{};   ///< how long nothing may happen
  clock::time_point quiet_until_, at_the_latest_;
  std::map<std::uint64_t, question> questions_; ///< by their numbers
  std::uint64_t last_question_ = 0;
  cpu_meter meter_;

  std::optional<io::pause> paused_; ///< the hypervisor has halted the machine
  std::uint64_t pauses_ = 0;        ///< so that a timer knows whether its pause is still the last
  milliseconds look_pause_{};       ///< between looks whether it may go on

  int pressure_ = 0; ///< of a shutdown: agent, power button, QMP, SIGKILL
};

} // namespace banger::vm
