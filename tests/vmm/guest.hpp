// The guest in a scripted machine: the agent's side of the guest protocol, without anything behind
// it.
#pragma once

#include "messages/guest/protocol.hpp"
#include "tests/vmm/script.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace banger::scripted {

class guest {
public:
  explicit guest(behaviour how) : how_(how) {}

  void host_came();
  void host_went();
  void hear(std::string_view bytes);
  /// Frames for the host.
  std::string take_words() { return std::exchange(words_, {}); }

  /// Milliseconds until it has to be looked at, -1: not before somebody speaks.
  int wait_ms() const;
  void end(int status) { status_ = status; }
  void on_time();
  /// Of the machine, once it has ended.
  std::optional<int> status() const { return status_; }

private:
  using clock = std::chrono::steady_clock;
  /// A command: `sleep` runs until it is closed or signalled, `echo` says its words, `cat` sends
  /// back what it hears, all others end with 0 at once.
  struct session {
    std::string name;
    std::uint64_t out = 0, in = 0;
  };

  void take(const banger::guest::frame& f);
  void take_channel(const banger::guest::frame& f);
  void take_session(const banger::guest::frame& f);
  void open(const banger::guest::frame& f);
  void exit(std::uint32_t id, banger::guest::exit_kind kind, std::uint32_t value);
  void say(banger::guest::frame_type type, std::string_view body, std::uint32_t id = 0,
           banger::guest::stream_id stream = banger::guest::stream_id::in,
           std::uint64_t offset = 0);
  void say_hello();
  void answer(const banger::guest::frame& f);
  void tell_time(const banger::guest::frame& f);
  void configure();
  void later(int ms, void (guest::*act)());
  void leave() { end(0); }
  void crash() { end(1); }
  void wake_up();

  behaviour how_;
  banger::guest::parser parser_{banger::guest::frame_type::sync};
  std::string words_;
  std::uint64_t epoch_ = 0;
  bool awake_ = true, configured_ = false, deserted_ = false;
  std::map<std::uint32_t, session> sessions_;
  std::optional<clock::time_point> due_;
  void (guest::*act_)() = nullptr;
  std::optional<int> status_;
};

} // namespace banger::scripted
