// How adapter threads (reactor, pool) speak to an actor: a closure that the actor runs between its
// messages, where it may touch the actor's state. Local only; it cannot travel.
#pragma once

#include "actors/work/pool.hpp"
#include "messages/actor/help.hpp"

#include <functional>
#include <memory>

namespace banger::work {

struct thunk {
  std::function<void()> run;
};

} // namespace banger::work

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::work::thunk)

namespace banger::work {

/// Runs `job` in the pool and `then(result)` in the actor `self`, which must understand `thunk`.
template <class Handle, class Job, class Then>
void submit(pool& workers, const Handle& self, Job job, Then then) {
  workers.submit([self, job = std::move(job), then = std::move(then)]() mutable {
    auto result = std::make_shared<decltype(job())>(job());
    actor::tell_from_outside(
        self, thunk{[result, then = std::move(then)]() mutable { then(std::move(*result)); }});
  });
}

} // namespace banger::work
