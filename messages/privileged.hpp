// What bangerd says to the root helper, role by role. Each order is checked field by field by the
// helper before anything happens (privhelper/rules); what the fields must be is written there,
// once. The helper takes bangerd for hostile: no handle, no path that is not checked, no bytes but
// strings.
#pragma once

#include "messages/models.hpp"

namespace banger::messages {

/// First word on a connection to a role. The same in all versions.
struct helper_about {
  std::uint32_t protocol = 0, pid = 0;
  std::string version, commit;
  std::string role;  ///< network | machine
  std::string owner; ///< who may speak to it, besides root: "uid 1000"
};

// --- network ------------------------------------------------------------------------------------

/// Our bridge as it is to be: with the first address of `network` and up, or not there.
struct bridge_order {
  std::string op; ///< of the operation; for the log
  std::string bridge;
  std::string network; ///< "10.88.0.0/24"
  bool present = true;
};

/// Taps as they are to be: each a port of the bridge, or not there. All of them or none.
struct taps_order {
  std::string op;
  std::string bridge;
  std::vector<std::string> names; ///< 1 to 64
  bool present = true;
};

/// With `token`, shown on the socket for descriptors within 5 s, come the taps' descriptors in
/// their order. A tap lives as long as its descriptors.
struct taps_reply {
  std::string token;
};

/// What one guest may do.
struct guest_order {
  std::string tap, mac, address;
  bool nat = false; ///< reach what is behind the host
};

/// The policy of all guests of a bridge, in place of whatever there was.
struct policy_order {
  std::string op;
  std::string bridge, network;
  std::vector<guest_order> guests;
};

/// One guest more, changed or gone, beside the others.
struct guest_change {
  std::string op;
  std::string bridge, network;
  guest_order guest;
  bool present = true;
};

struct policy_reply {
  /// Rules of others that stand in the way, for people: "the FORWARD chain of `ip filter` drops".
  std::vector<std::string> obstacles;
};

/// Names below `.vm` are asked of a responder on the loopback.
struct resolver_order {
  std::string op;
  std::string bridge;
  std::string server; ///< "127.0.0.1:42069"
  bool present = true;
};

/// Everything that carries our prefixes.
struct link_view {
  std::string name, kind, bridge; ///< `bridge` of a port
  std::uint32_t index = 0;
  bool up = false;
  std::vector<std::string> addresses;
};
struct network_inventory {
  std::vector<link_view> links;
  std::vector<guest_order> guests;
};

/// Takes away what is ours and not named here. An empty list of bridges: everything.
struct network_sweep {
  std::string op;
  std::vector<std::string> bridges, taps;
};
struct sweep_reply {
  std::vector<std::string> removed; ///< "tap tap-fc-a", "guest 10.88.0.2", "bridge br-fc"
};

// --- machine ------------------------------------------------------------------------------------

/// A hypervisor to be started for a VM, jailed. Paths are below the owner's state folder.
struct launch_order {
  std::string op;
  std::string vm;         ///< id
  std::string hypervisor; ///< qemu | firecracker
  std::string folder;     ///< of the VM
  std::vector<std::string> disks;
  std::string kernel, initramfs;
  std::uint32_t vcpu = 0, uid = 0;
  std::uint64_t memory_mib = 0;
};
struct launch_reply {
  std::uint32_t pid = 0;
  std::uint64_t start_time = 0;
};

/// To a hypervisor that this helper started: pid and start time must both fit.
struct signal_order {
  std::string op, vm;
  std::uint32_t pid = 0;
  std::uint64_t start_time = 0;
  std::string signal; ///< as of a `verb_request`: KILL, TERM, ...
};

struct cleanup_order {
  std::string op, vm;
};

/// A root disk as a snapshot of an image, by device-mapper.
struct root_disk_order {
  std::string op, vm;
  std::string image, overlay; ///< paths below the owner's state folder
  std::uint64_t bytes = 0;
  bool present = true;
};
struct root_disk_reply {
  std::string device;
};

/// A hypervisor's API socket, for the owner.
struct socket_order {
  std::string op, vm;
  std::string path;
};

struct machine_view {
  std::string vm;
  std::uint32_t pid = 0;
  std::uint64_t start_time = 0;
  std::vector<std::string> devices;
};
struct machine_inventory {
  std::vector<machine_view> machines;
};
struct machine_sweep {
  std::string op;
  std::vector<std::string> vms; ///< that stay
};

BANGER_INSPECT(helper_about, x.protocol, x.pid, x.version, x.commit, x.role, x.owner)
BANGER_INSPECT(bridge_order, x.op, x.bridge, x.network, x.present)
BANGER_INSPECT(taps_order, x.op, x.bridge, x.names, x.present)
BANGER_INSPECT(taps_reply, x.token)
BANGER_INSPECT(guest_order, x.tap, x.mac, x.address, x.nat)
BANGER_INSPECT(policy_order, x.op, x.bridge, x.network, x.guests)
BANGER_INSPECT(guest_change, x.op, x.bridge, x.network, x.guest, x.present)
BANGER_INSPECT(policy_reply, x.obstacles)
BANGER_INSPECT(resolver_order, x.op, x.bridge, x.server, x.present)
BANGER_INSPECT(link_view, x.name, x.kind, x.bridge, x.index, x.up, x.addresses)
BANGER_INSPECT(network_inventory, x.links, x.guests)
BANGER_INSPECT(network_sweep, x.op, x.bridges, x.taps)
BANGER_INSPECT(sweep_reply, x.removed)
BANGER_INSPECT(launch_order, x.op, x.vm, x.hypervisor, x.folder, x.disks, x.kernel, x.initramfs,
               x.vcpu, x.uid, x.memory_mib)
BANGER_INSPECT(launch_reply, x.pid, x.start_time)
BANGER_INSPECT(signal_order, x.op, x.vm, x.pid, x.start_time, x.signal)
BANGER_INSPECT(cleanup_order, x.op, x.vm)
BANGER_INSPECT(root_disk_order, x.op, x.vm, x.image, x.overlay, x.bytes, x.present)
BANGER_INSPECT(root_disk_reply, x.device)
BANGER_INSPECT(socket_order, x.op, x.vm, x.path)
BANGER_INSPECT(machine_view, x.vm, x.pid, x.start_time, x.devices)
BANGER_INSPECT(machine_inventory, x.machines)
BANGER_INSPECT(machine_sweep, x.op, x.vms)

} // namespace banger::messages
