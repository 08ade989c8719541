// What a client can ask about what happens in the daemon. Events themselves travel as lines of JSON
// on a stream (docs/events.md).
#pragma once

#include "messages/models.hpp"

namespace banger::messages {

struct events_request {
  bool follow = false; ///< a few that are remembered, then what comes; else all that are remembered
};

/// An actor of the daemon that owns something.
struct actor_view {
  std::string kind;  ///< vm, machine, vms, images, operations, store, events, system, gateway
  std::string id;    ///< of the VM, for vm and machine
  std::string name;  ///< of the VM
  std::string state; ///< ok | silent | restarting | gone
  std::uint32_t queued = 0; ///< operations behind the one that runs; of `operations`: that run
  std::string op, step;     ///< that runs now
  std::uint64_t step_age_us = 0;
  std::uint32_t restarts = 0; ///< after bugs
  std::string last_error;
};

BANGER_INSPECT(events_request, x.follow)
BANGER_INSPECT(actor_view, x.kind, x.id, x.name, x.state, x.queued, x.op, x.step, x.step_age_us,
               x.restarts, x.last_error)

} // namespace banger::messages
