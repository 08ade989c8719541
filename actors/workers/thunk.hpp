// How adapter threads (reactor, pool) speak to an actor: a closure that the actor runs between its
// messages, where it may touch the actor's state. Local only; it cannot travel.
#pragma once

#include "actors/workers/pool.hpp"
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

/// Where blocking work goes: a pool's `submit`, or what a test has in its place.
using run_fn = std::function<void(pool::task)>;

/// Runs `job` there and `then(result)` in the actor `self`, which must understand `thunk`.
template <class Handle, class Job, class Then>
void submit(const run_fn& where, const Handle& self, Job job, Then then) {
  where([self, job = std::move(job), then = std::move(then)]() mutable {
    auto result = std::make_shared<decltype(job())>(job());
    actor::tell_from_outside(
        self, thunk{[result, then = std::move(then)]() mutable { then(std::move(*result)); }});
  });
}

template <class Handle, class Job, class Then>
void submit(pool& workers, const Handle& self, Job job, Then then) {
  submit(run_fn([&workers](pool::task t) { workers.submit(std::move(t)); }), self, std::move(job),
         std::move(then));
}

} // namespace banger::work
