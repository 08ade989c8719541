// The store actor: the only one that touches SQLite. Detached in the daemon, so that a slow disk
// stalls nobody; event-based in tests. Same behaviour either way.
#pragma once

#include "actors/store/database.hpp"
#include "actors/vm/record_ptr.hpp"
#include "messages/actor/help.hpp"

namespace banger::store {

using save_atom = caf::atom_constant<caf::atom("save")>;
using intend_atom = caf::atom_constant<caf::atom("intend")>;
using settle_atom = caf::atom_constant<caf::atom("settle")>;
using erase_atom = caf::atom_constant<caf::atom("erase")>;
using find_atom = caf::atom_constant<caf::atom("find")>;

using snapshot_ptr = std::shared_ptr<const snapshot>;

} // namespace banger::store

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::store::intent)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::store::snapshot_ptr)

namespace banger::store {

/// Every clause answers when it is committed, with what SQLite said if it is not.
using store_actor = caf::typed_actor<
    /// The VM as it is now.
    caf::replies_to<save_atom, vm::record_ptr>::with<void>,
    /// What an operation does next; said before it is done.
    caf::replies_to<intend_atom, intent>::with<void>,
    /// An operation ended; its VM as it is now.
    caf::replies_to<settle_atom, vm::record_ptr>::with<void>,
    /// An operation ended; its VM (id) is gone.
    caf::replies_to<erase_atom, std::string>::with<void>,
    /// What is known of one VM (id): its record, if there is one, and its operation that has not
    /// ended.
    caf::replies_to<find_atom, std::string>::with<snapshot_ptr>>;

store_actor spawn_store(caf::actor_system& system, database db);
store_actor spawn_store_for_test(caf::actor_system& system, database db);

} // namespace banger::store
