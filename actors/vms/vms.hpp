// The directory of VMs: who is there, under which name, and for whom it lives. Every client speaks
// to VMs through it; it answers lists from memory and hands everything else on.
#pragma once

#include "actors/operations/operations.hpp"
#include "actors/store/store.hpp"
#include "actors/vm/vm.hpp"
#include "actors/vms/orphans.hpp"
#include "actors/workers/thunk.hpp"
#include "messages/client.hpp"
#include "messages/vms.hpp"

#include <filesystem>
#include <functional>
#include <set>

namespace banger::vms {

struct census {
  std::uint32_t vms = 0, running = 0;
  std::vector<messages::orphan_view> orphans;
};

using census_atom = caf::atom_constant<caf::atom("census")>;
using drain_atom = caf::atom_constant<caf::atom("drain")>;
using recall_atom = caf::atom_constant<caf::atom("recall")>;
using roster_atom = caf::atom_constant<caf::atom("roster")>;
using orphan_atom = caf::atom_constant<caf::atom("orphan")>;
using stale_atom = caf::atom_constant<caf::atom("stale")>;

/// A VM as the directory knows it, for whoever looks for one that is stuck.
struct roster_entry {
  messages::vm_view view;
  vm::vm_actor actor;
  std::vector<std::string> operations; ///< ids of those that run or wait
  std::string state;                   ///< ok | restarting | gone
  std::uint32_t restarts = 0;
  std::string last_error;
};
struct roster {
  std::vector<roster_entry> vms;
  std::uint32_t operations = 0;
};

/// What a daemon start found in the database, with what is to be done about it.
struct found_vm {
  vm::record record;
  vm::recovery then = vm::recovery::keep;
};
using found_vm_ptr = std::shared_ptr<const found_vm>;

} // namespace banger::vms

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::vms::census)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::vms::roster)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::vms::found_vm_ptr)

namespace banger::vms {

using vms_actor = messages::vms_facet::extend_with<vm::vm_listener>::extend<
    /// How many there are of each. Never waits.
    caf::replies_to<census_atom>::with<census>,
    /// No new operations from here on (`busy`); answers when the last one has ended.
    caf::replies_to<drain_atom>::with<void>,
    /// Ends an operation early.
    caf::replies_to<messages::cancel_atom, std::string>::with<bool>,
    /// Internal: time to see whether anybody claimed this VM, whose client an earlier daemon had.
    caf::reacts_to<orphan_atom, std::string>,
    /// Internal: time to look for VMs that nobody makes use of.
    caf::reacts_to<stale_atom>,
    /// All VMs and where their actors are. Never waits.
    caf::replies_to<roster_atom>::with<roster>, caf::reacts_to<work::thunk>>;

/// Whoever knows what is to be made of a VM whose actor died.
using recall_actor = caf::typed_actor<
    /// As a daemon start would find it. `not_found`: it was not recorded yet; `corrupted`.
    caf::replies_to<recall_atom, std::string>::with<found_vm_ptr>>;

/// What is needed to take orphans back, or to remove them.
struct orphan_care {
  std::filesystem::path vms, images;
  work::run_fn workers;
  store::store_actor store;
  std::vector<messages::orphan_view> found; ///< when the daemon started
  std::set<std::string> set_aside;          ///< VMs (ids) whose rows cannot be read
};

/// What the directory needs of the house around it.
struct surroundings {
  std::function<vm::vm_actor(vm::record, vm::vm_listener, vm::recovery)> make_vm;
  std::function<std::string(const std::string& id, bool follow)> offer_log; ///< a stream token
  host_limits limits;
  /// May a VM with so many vCPUs run VMs itself? The errors of `hypervisor::driver::check`.
  std::function<expected<void>(std::uint32_t vcpu)> check_nested = [](auto) {
    return expected<void>{};
  };
  operations::operations_actor operations;
  image::catalogue_actor images;
  std::chrono::milliseconds orphan_life{20'000}; ///< how long a `--rm` VM waits for its client
  std::chrono::milliseconds stale_after{0}; ///< stops what nobody made use of for so long; 0: never
  events::events_actor events;              ///< may be null
  recall_actor recall;                      ///< null: a VM actor that dies is not made again
  orphan_care orphans;
  bool debug_verbs = false; ///< for tests: `crash`
};

vms_actor spawn_vms(caf::actor_system& system, std::vector<found_vm> found, surroundings around);

} // namespace banger::vms
