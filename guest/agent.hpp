// Who answers the host: reads frames, keeps the sessions, says what happened.
#pragma once

#include "guest/boot.hpp"
#include "guest/channel.hpp"
#include "guest/order_parts.hpp"
#include "guest/power.hpp"
#include "guest/session.hpp"
#include "guest/setup.hpp"
#include "guest/succession.hpp"
#include "guest/wall_clock.hpp"

#include <map>
#include <memory>

namespace banger::guest {

class agent {
public:
  agent(loop& events, std::vector<std::string> modules, notes said);

  /// Takes the place of one that was killed, whose commands are ended.
  void succeed(inheritance left, unique_fd alone);
  /// Serves the port until the machine is switched off.
  [[noreturn]] void serve(unique_fd port);

private:
  bool turn();
  void hear(const frame_view& f);
  void hear_channel(const frame_view& f);
  void hear_session(const frame_view& f);
  void say_hello();
  void fail(const frame_view& f, const problem& p);
  void fail(frame_type request, std::uint32_t session, const problem& p);

  void configure(const configure_body& order);
  void configured(done ok);
  void reidentify(const frame_view& f, const configure_body& order);
  void grow(const disk_body& disk);
  done hand_over();
  void await_boot();
  void answer(frame_type asked, std::uint64_t number);
  void correct_clock(const frame_view& f);
  void open(const frame_view& f);
  bool next_frame(std::string& out, std::size_t room);

  done watch_signals();
  void reap();
  void go_down(finale how);
  void end();
  [[noreturn]] void end_now();

  loop& events_;
  channel channel_;
  setup setup_;
  wall_clock clock_;
  boot_watch boot_;
  std::map<std::uint32_t, std::unique_ptr<session>> sessions_;
  std::uint32_t last_served_ = 0;
  order_parts parts_;
  std::uint64_t epoch_ = 0;
  unique_fd signals_;
  unique_fd alone_; ///< where the image has an init: no other agent is there
  bool configured_ = false, ending_ = false;
  finale finale_ = finale::power_off; ///< of `ending_`
};

} // namespace banger::guest
