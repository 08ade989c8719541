// QEMU's microvm machine, under KVM or emulated (TCG). What each flag is for: docs/hypervisors.md.
#pragma once

#include "actors/hypervisor/machine.hpp"

namespace banger::hypervisor {

/// A file that QEMU inherits open, so that it needs no right to any path.
struct inherited_file {
  int number = -1; ///< in the child
  std::filesystem::path path;
  bool writable = false;
};

struct qemu_command {
  std::vector<std::string> argv;
  std::vector<inherited_file> files;
};

/// Channels are inherited at first_channel + channel, a tap at its number, files from first_file
/// on.
inline constexpr int first_channel = 3;
inline constexpr int tap_number = 6;
inline constexpr int first_file = 7;

/// A placeholder: the guest sets its own address. Part of the machine's shape.
inline constexpr std::string_view placeholder_mac = "52:54:00:ba:00:01";

/// The command line as data: opens nothing, makes nothing. The machine that it describes depends on
/// its shape only: nothing of one VM but its disks' descriptors, and the name that `ps` shows.
qemu_command qemu_arguments(const host_facts& facts, const machine_config& config);

/// The kernel's command line: depends on accelerator and host, never on the VM.
std::string kernel_command_line(const host_facts& facts, bool kernel_log = false);

/// `bad_request`: a value that no machine can have.
expected<void> check_machine(const machine_config& config);

/// `bad_request`, `unavailable`: this host cannot run KVM inside such a machine.
expected<void> check_nested(const host_facts& facts, const machine_config& config);

std::unique_ptr<driver> make_qemu_driver(host_facts facts);

} // namespace banger::hypervisor
