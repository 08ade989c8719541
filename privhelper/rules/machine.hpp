// The orders of the role `machine`, checked against the bounds of the installation. Pure. Errors
// are `bad_request`: "signal order: field pid", and the rule.
#pragma once

#include "messages/privileged.hpp"
#include "privhelper/rules/gates.hpp"

namespace banger::helper {

/// The folder is the VM's own.
struct launch_task {
  operation_id op;
  vm_id vm;
  hypervisor_kind hypervisor;
  managed_path folder;
  std::vector<managed_path> disks; ///< 1 to 8, each once, in their order
  managed_path kernel, initramfs;
  std::uint32_t vcpu, uid;
  std::uint64_t memory_mib;
};

struct signal_task {
  operation_id op;
  vm_id vm;
  std::uint32_t pid;
  std::uint64_t start_time; ///< as in /proc/PID/stat: clock ticks after the host's start
  int signal;
};

struct cleanup_task {
  operation_id op;
  vm_id vm;
};

/// The overlay is in the VM's own folder. All three are there if `present`.
struct root_disk_task {
  operation_id op;
  vm_id vm;
  std::optional<managed_path> image, overlay;
  std::optional<std::uint64_t> bytes;
  bool present;
};

/// The socket is in the VM's own folder.
struct socket_task {
  operation_id op;
  vm_id vm;
  managed_path path;
};

struct machine_sweep_task {
  operation_id op;
  std::vector<vm_id> vms; ///< that stay
};

expected<launch_task> check(const messages::launch_order& order, const bounds& b);
expected<signal_task> check(const messages::signal_order& order, const bounds& b);
expected<cleanup_task> check(const messages::cleanup_order& order, const bounds& b);
expected<root_disk_task> check(const messages::root_disk_order& order, const bounds& b);
expected<socket_task> check(const messages::socket_order& order, const bounds& b);
expected<machine_sweep_task> check(const messages::machine_sweep& order, const bounds& b);

} // namespace banger::helper
