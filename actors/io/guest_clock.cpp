#include "actors/io/guest_clock.hpp"

#include "actors/log/log.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <utility>

namespace banger::io {

using guest::frame_type;

namespace {

constexpr auto pace = std::chrono::seconds(60);
// A boot waits so long for its clock, and no longer.
constexpr auto settle_patience = std::chrono::milliseconds(500);
constexpr int most_tries = 8;
constexpr std::int64_t wall_was_set = 10'000'000;

template <class Clock>
std::int64_t read() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
      .count();
}

} // namespace

guest_clock::moment guest_clock::now() {
  return {read<std::chrono::system_clock>(), read<std::chrono::steady_clock>()};
}

void guest_clock::greet(const guest::hello_body& hello) {
  lost();
  if (hello.protocol < guest::clock_since)
    return;
  kept_ = true;
  if (!watch_.start())
    log::debug({}, "clock_not_watched", {{"pid", pid_}});
  begin(hello.configured ? clock_cause::jump : clock_cause::boot);
}

void guest_clock::jumped() {
  if (kept_)
    begin(clock_cause::jump);
}

void guest_clock::begin(clock_cause cause) {
  cause_ = std::max(cause_, cause);
  tries_ = 0;
  ask();
}

void guest_clock::ask() {
  loop_.cancel(next_);
  // An answer that never comes is asked for again then, and the late one is no answer any more.
  next_ = loop_.at(reactor::clock::now() + pace, [this] {
    tries_ = 0;
    ask();
  });
  asked_ = ++last_number_;
  sent_ = now();
  send_(frame_type::ask_clock, guest::encode(guest::question_body{asked_}));
}

void guest_clock::answered(const guest::clock_body& body) {
  if (asked_ == 0 || body.number != asked_)
    return;
  asked_ = 0;
  const auto heard = now();
  const auto ahead = sent_.wall - sent_.steady;
  if (std::abs(ahead - std::exchange(wall_ahead_, ahead)) > wall_was_set)
    cause_ = std::max(cause_, clock_cause::jump);
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const clock_sample sample{sent_.wall, heard.wall, heard.steady - sent_.steady,
                            static_cast<std::int64_t>(std::min(body.realtime_ns, most)),
                            body.keeper};
  const auto decision = decide(sample, cause_);
  apply(decision);
  if (decision.settled)
    cause_ = clock_cause::upkeep;
  else if (++tries_ < most_tries)
    return ask();
  else
    cause_ = clock_cause::jump;
  settle();
}

void guest_clock::apply(const clock_decision& decision) const {
  if (decision.action == clock_action::leave)
    return;
  const bool step = decision.action == clock_action::step;
  log::debug({}, step ? "guest_clock_stepped" : "guest_clock_slewed",
             {{"pid", pid_}, {"us", decision.delta / 1000}});
  send_(frame_type::correct_clock, guest::encode(guest::correction_body{
                                       step ? guest::correction::step : guest::correction::slew,
                                       static_cast<std::uint64_t>(decision.delta)}));
}

void guest_clock::when_settled(std::function<void()> then) {
  if (asked_ == 0)
    return then();
  then_ = std::move(then);
  loop_.cancel(patience_);
  patience_ = loop_.at(reactor::clock::now() + settle_patience, [this] { settle(); });
}

void guest_clock::settle() {
  loop_.cancel(std::exchange(patience_, 0));
  if (const auto then = std::exchange(then_, nullptr))
    then();
}

void guest_clock::lost() {
  settle();
  stop();
}

void guest_clock::stop() {
  kept_ = false;
  cause_ = clock_cause::upkeep;
  asked_ = 0;
  then_ = nullptr;
  watch_.stop();
  loop_.cancel(std::exchange(next_, 0));
  loop_.cancel(std::exchange(patience_, 0));
}

} // namespace banger::io
