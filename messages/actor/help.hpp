// The few words our actors use. They hide what is said differently in CAF 0.17 and CAF 1.x.
#pragma once

#include "messages/base/error.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <type_traits>
#include <utility>

namespace banger::actor {

/// Base of every actor state. CAF 0.17 constructs S(self) if it can, and in C++20 an aggregate can:
/// its first member would be made from a pointer. With this base in first place it cannot.
struct state_base {
  state_base() {}
  state_base(const state_base&) = delete;
  state_base& operator=(const state_base&) = delete;
};

template <class State>
inline constexpr bool sound_state =
    std::is_base_of_v<state_base, State> && !std::is_constructible_v<State, int*>;

/// Asks and hands the answer to `.then(answer, error)`.
template <class Self, class To, class... Ts>
auto ask(Self* self, const To& to, std::chrono::milliseconds deadline, Ts&&... words) {
  return self->request(to, deadline, std::forward<Ts>(words)...);
}

/// The same, for those who keep the deadlines of their work themselves, and stay as long as the
/// asker or the process. CAF would keep the timer of a question until it is due, however long it
/// has been answered by then: two hours for each step of each VM are a leak.
template <class Self, class To, class... Ts>
auto ask_kin(Self* self, const To& to, Ts&&... words) {
  return self->request(to, caf::infinite, std::forward<Ts>(words)...);
}

/// Says, and expects no answer.
template <class Self, class To, class... Ts>
void tell(Self* self, const To& to, Ts&&... words) {
  self->send(to, std::forward<Ts>(words)...);
}

/// From outside of any actor: adapter threads, main.
template <class To, class... Ts>
void tell_from_outside(const To& to, Ts&&... words) {
  caf::anon_send(to, std::forward<Ts>(words)...);
}

/// Says it to itself, later.
template <class Self, class... Ts>
void after(Self* self, std::chrono::milliseconds delay, Ts&&... words) {
  self->delayed_send(self, delay, std::forward<Ts>(words)...);
}

/// What to do when a monitored actor is gone: `f(const caf::down_msg&)`. One per actor.
template <class Self, class F>
void on_down(Self* self, F f) {
  self->set_down_handler([f = std::move(f)](caf::down_msg& gone) { f(gone); });
}

/// Errors cross between the two worlds here and nowhere else: what, why, remedy and operation
/// travel as the context of a caf::error.
caf::error to_error(const failure& f);
failure from_error(const caf::error& error);

/// For actors that others depend on: CAF ends an actor that gets an error as a message (a peer that
/// did not understand an answer sends one), and prints what it does not understand. This one goes
/// on, silently.
template <class Self>
void make_sturdy(Self* self) {
  self->set_error_handler([](caf::scheduled_actor*, caf::error&) {});
  self->set_default_handler(
      [](caf::scheduled_actor*, caf::message_view&) -> caf::result<caf::message> {
        return caf::sec::unexpected_message;
      });
}

/// Satisfies a promise of nothing.
inline void done(caf::typed_response_promise<void> promise) {
  static_cast<caf::response_promise&>(promise).deliver(caf::unit);
}

/// Satisfies a promise with an outcome.
template <class T>
void settle(caf::typed_response_promise<T> promise, expected<T> outcome) {
  if (!outcome)
    promise.deliver(to_error(outcome.error()));
  else if constexpr (std::is_void_v<T>)
    done(promise);
  else
    promise.deliver(std::move(*outcome));
}

/// `return answer(expected);` in a handler that answers caf::result<T>.
template <class T>
caf::result<T> answer(expected<T> outcome) {
  if (!outcome)
    return to_error(outcome.error());
  if constexpr (std::is_void_v<T>)
    return caf::unit;
  else
    return std::move(*outcome);
}

} // namespace banger::actor
