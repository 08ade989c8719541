// The network actor: which VM has which address, and what is to be in force for it. It plans, the
// privileged actor carries out, and whatever becomes of that one, this one says again what there is
// to be.
#pragma once

#include "actors/network/plan.hpp"
#include "actors/privileged/privileged.hpp"

#include <memory>

namespace banger::network {

/// A VM that comes onto the bridge.
struct arrival {
  std::string op, vm, name;
  std::string address; ///< that it had before; empty: none
  bool nat = false;
};

/// Its place there.
struct lease {
  std::string address;  ///< "10.213.0.2/20"
  std::string gateway;  ///< the host, on the bridge
  std::string mac, tap; ///< the guest must use this MAC; others are dropped
  std::string bridge;
  std::shared_ptr<unique_fd> device;  ///< the tap, open
  std::vector<std::string> obstacles; ///< what of the host's own rules is in the way of its NAT
};
using lease_ptr = std::shared_ptr<const lease>;

/// A VM that goes. `bridge` and `address` ("10.213.0.2/20"): where its record has it, if it ran;
/// they tell where one is that this daemon did not bring there.
struct departure {
  std::string op, vm;
  std::string bridge, address;
};

/// What a daemon start finds: VMs that have an address.
struct known_guest {
  std::string vm, name;
  std::string address; ///< "10.213.0.2"
  bool nat = false;
  std::string bridge; ///< that it runs on; empty: it does not run
};

/// What stands in the way of NAT; null: nothing was changed, and it is as it was.
using policy_ptr = std::shared_ptr<const messages::policy_reply>;

using attach_atom = caf::atom_constant<caf::atom("netattach")>;
using detach_atom = caf::atom_constant<caf::atom("netdetach")>;
using nat_atom = caf::atom_constant<caf::atom("netnat")>;
using rename_atom = caf::atom_constant<caf::atom("netname")>;
using forget_atom = caf::atom_constant<caf::atom("netforget")>;
using part_atom = caf::atom_constant<caf::atom("netpart")>;

} // namespace banger::network

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::network::arrival)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::network::departure)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::network::lease_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::network::policy_ptr)

namespace banger::network {

using network_actor = caf::typed_actor<
    /// Its name resolves and its policy is in force when this is answered. The errors of
    /// `privileged_actor`, of `choose_network`, and `busy`.
    caf::replies_to<attach_atom, arrival>::with<lease_ptr>,
    /// It runs no longer. Never fails: what cannot be taken away now is taken away when the policy
    /// is said the next time, and until then told in the log.
    caf::replies_to<detach_atom, departure>::with<void>,
    /// Operation, VM that runs, whether it may reach what is behind the host. `unavailable`: it is
    /// on a bridge that is not this one.
    caf::replies_to<nat_atom, std::string, std::string, bool>::with<policy_ptr>,
    /// VM, its new name.
    caf::replies_to<rename_atom, std::string, std::string>::with<void>,
    /// Its address is free again.
    caf::reacts_to<forget_atom, std::string>,
    /// The daemon ends: nobody answers for names any more, and if no VM is on the bridge, that and
    /// its rules go. Never fails.
    caf::replies_to<part_atom>::with<void>, caf::reacts_to<work::thunk>>;

/// Hears why names are not answered for; empty: they are.
using names_trouble = std::function<void(const std::string& why)>;

/// Answers for names. All calls come from the actor; `done` may come from any thread.
struct name_service {
  std::function<void(const vm_name&, ipv4, std::function<void()> done)> set;
  std::function<void(const vm_name&)> remove;
  std::string server;       ///< "127.0.0.1:42069"; empty: nobody answers
  std::string why_not = {}; ///< where nobody answers although somebody should
  names_trouble trouble = {};
};

struct surroundings {
  bridge_name bridge;
  expected<ipv4_net> net; ///< the reason why there is none comes with each attach
  privileged::line to;
  work::run_fn workers;
  name_service names;
  std::vector<known_guest> known;
};

network_actor spawn_network(caf::actor_system& system, surroundings around);

} // namespace banger::network
