// What is known of a VM whose actor died: its record, its unfinished operation, what really lives.
// Answered when nothing works for the dead actor any more, so that never two reach for one machine.
#pragma once

#include "actors/store/store.hpp"
#include "actors/vms/vms.hpp"
#include "actors/workers/thunk.hpp"

namespace banger::vms {

using arrived_atom = caf::atom_constant<caf::atom("arrived")>;
using departed_atom = caf::atom_constant<caf::atom("departed")>;

using attended_recall_actor = recall_actor::extend<
    /// Somebody works for this VM (id): its machine, a job of it in the pool. Counted.
    caf::reacts_to<arrived_atom, std::string>, caf::reacts_to<departed_atom, std::string>,
    caf::reacts_to<work::thunk>>;

/// What a daemon start would make of what was read; may block.
using assess_fn = std::function<std::vector<found_vm>(const store::snapshot&)>;

attended_recall_actor spawn_recall(caf::actor_system& system, store::store_actor store,
                                   work::run_fn workers, assess_fn assess);

/// To be held by whoever works for this VM.
std::shared_ptr<void> attend(const attended_recall_actor& recall, const std::string& vm);

} // namespace banger::vms
