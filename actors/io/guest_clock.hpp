// Keeps one guest's wall clock with the host's: at its boot, after a jump, and once a minute. In
// the reactor's thread, where the times of a round trip are true.
#pragma once

#include "actors/io/clock_rules.hpp"
#include "actors/io/clock_watch.hpp"
#include "actors/io/reactor.hpp"

#include <functional>
#include <string_view>

namespace banger::io {

class guest_clock {
public:
  /// Sends a frame of the channel itself.
  using sender = std::function<void(guest::frame_type, std::string_view payload)>;

  guest_clock(reactor& loop, std::uint32_t pid, sender send)
      : loop_(loop), pid_(pid), send_(std::move(send)), watch_(loop, [this] { jumped(); }) {}

  /// The agent speaks: from now on its clock is kept, if it is not too old for that.
  void greet(const guest::hello_body& hello);
  void answered(const guest::clock_body& body);
  /// The host's clock was set, or the guest stood still.
  void jumped();
  /// Calls `then` once the clock is right, at the latest after a moment; now, if it is not kept.
  void when_settled(std::function<void()> then);
  /// The agent is gone; who waits for the clock waits no more.
  void lost();
  /// The same, and who waits is forgotten.
  void stop();

private:
  struct moment {
    std::int64_t wall = 0, steady = 0;
  };
  static moment now();
  void begin(clock_cause cause);
  void ask();
  void apply(const clock_decision& decision) const;
  void settle();

  reactor& loop_;
  std::uint32_t pid_; ///< of the hypervisor, for the log
  sender send_;
  clock_watch watch_;
  bool kept_ = false;
  clock_cause cause_ = clock_cause::upkeep;
  int tries_ = 0;
  std::uint64_t last_number_ = 0;
  std::uint64_t asked_ = 0; ///< the question that is under way, 0: none
  moment sent_;
  std::int64_t wall_ahead_ = 0; ///< of the host's steady clock, at the last answer
  reactor::timer_id next_ = 0, patience_ = 0;
  std::function<void()> then_;
};

} // namespace banger::io
