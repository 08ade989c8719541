// What a VM is made of, as a set of capabilities: each adds its part to the start, to the machine
// and to the guest. The step table is composed from the list; a new feature adds a capability and
// edits no table. No CAF.
#pragma once

#include "actors/boot/kernel.hpp"
#include "actors/image/image.hpp"
#include "actors/vm/rules.hpp"
#include "messages/guest/protocol.hpp"

#include <chrono>
#include <functional>
#include <stop_token>

namespace banger::vm {

/// Of the host, the same for all VMs; found once at daemon start.
struct host {
  std::filesystem::path vms; ///< folder that holds a folder for each VM
  std::shared_ptr<const hypervisor::driver> driver;
  std::shared_ptr<const hypervisor::launcher> launcher;
  storage::root_disk_kind root_disk = storage::root_disk_kind::overlay;
  /// Lines of authorized_keys for every guest. Blocks: it may make a key. Empty: none.
  std::function<expected<std::vector<std::string>>()> authorized_keys;
  double time_scale = 1;               ///< stretches the deadlines, for slow hosts
  std::chrono::seconds boot_wait{300}; ///< for an image's init, where a request waits for it
  std::vector<std::string> dns;        ///< name servers of guests with --nat; empty: the driver's
  /// Those of this host as it is now, for guests on the bridge without others. Reads small files.
  std::function<std::vector<std::string>()> name_servers;
  bool bridged = false;        ///< VMs that start become ports of a bridge of the host
  std::string why_not_bridged; ///< for people; empty if it was not wanted
};

/// The guest's place on the bridge, from its connect step to the end of the start.
struct bridge_port {
  std::string gateway, mac;
  std::shared_ptr<unique_fd> tap;
};

/// A VM under construction: what its capabilities read and write, one step after the other.
struct build {
  record vm;
  const host& site;
  boot::boot_set kernel;
  image::image_info image;
  hypervisor::machine_config machine;
  guest::configure_body guest;
  std::optional<bridge_port> port; ///< empty: the hypervisor's own network
  std::vector<std::string>
      made; ///< names of the steps that made something in this run, for their undo

  std::filesystem::path folder() const { return site.vms / vm.id.str(); }
};

/// A disk for the machine and its role for the guest, at the same index.
void add_disk(build& b, hypervisor::disk disk, guest::disk_role role);

/// Blocking work on the host before the machine starts. Undo is idempotent; "already gone" is
/// success.
struct host_step {
  step what;
  std::function<expected<void>(build&, const std::stop_token&)> act;
  std::function<void(build&)> undo;
};

struct capability {
  std::string name;
  std::vector<host_step> prepare;
  std::vector<host_step> change; ///< of a set, while the machine does not run; may be empty
  std::function<void(build&)> shape_machine; ///< disks and devices, before the launch; may be empty
  std::function<void(build&)> shape_guest;   ///< what the guest is told; may be empty
};

/// Root disk, work disk, kernel modules, network, identity: in the order of their disks.
std::vector<capability> standard_capabilities();

/// `bridged`: with the steps of VMs on a bridge; `connects`: also with the one that brings them
/// there.
step_table compose(const std::vector<capability>& all, bool bridged = false, bool connects = true);

/// Waits until the disks of a VM, their names in its folder and the folder's own have come to the
/// host's disk.
expected<void> flush_files(const std::filesystem::path& vm_folder);

/// Who may log in, into b.guest, after `shape`.
expected<void> admit_keys(build& b);

/// Machine and guest as all capabilities want them. Fills b.machine and b.guest anew.
void shape(build& b, const std::vector<capability>& all);

} // namespace banger::vm
