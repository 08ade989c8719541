// What a hypervisor is given, and what comes back: two small interfaces. A `driver` knows how to
// speak to one hypervisor; a `launcher` starts what the driver planned. No CAF.
#pragma once

#include "messages/base/error.hpp"
#include "messages/base/unique_fd.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace banger::hypervisor {

enum class disk_format : std::uint8_t { raw, qcow2 };

struct disk {
  std::filesystem::path file;
  disk_format format = disk_format::raw;
  std::filesystem::path backing{}; ///< of a qcow2 overlay: raw, opened read-only; else empty
  bool read_only = false;
};

enum class network_kind : std::uint8_t { none, user, tap };

/// The machine to build. Nothing in it is particular to a guest but its disks: identity goes over
/// the channel.
struct machine_config {
  std::filesystem::path
      folder; ///< of this VM: sockets are made here, the hypervisor may write here
  std::uint32_t vcpu = 1;
  std::uint64_t memory_mib = 256;
  std::filesystem::path kernel; ///< vmlinux (ELF)
  std::filesystem::path initramfs;
  std::vector<disk> disks; ///< vda, vdb, ... in this order
  network_kind network = network_kind::user;
  bool nat = false;               ///< user network: false keeps the guest from everything outside
  std::shared_ptr<unique_fd> tap; ///< open, with virtio-net headers; the hypervisor inherits it
  std::uint32_t translation_cache_mib = 64; ///< TCG only
  bool nested = false;                      ///< the guest may run KVM itself
  bool kernel_log = false;                  ///< the kernel prints its whole log on the console
};

/// How the guest's user network is laid out, as the driver's hypervisor does it.
struct guest_network {
  std::string mac, address, gateway; ///< address with prefix length
  std::vector<std::string> dns;
};

enum class accelerator : std::uint8_t { kvm, tcg };

/// What the host offers, found once per daemon start (and per boot for the KVM boot probe).
struct host_facts {
  accelerator accel = accelerator::tcg;
  std::string why_not_kvm;      ///< empty when KVM is used
  std::uint64_t tsc_khz = 0;    ///< host TSC rate, for tsc_early_khz
  std::filesystem::path binary; ///< qemu-system-x86_64
  std::string version;          ///< "7.2.22"
  int landlock_abi = 0;         ///< 0: not offered by this kernel
  /// KVM looks usable, but no guest was seen to boot under it yet: see probe.hpp, `confirm_kvm`.
  bool kvm_unproven = false;
  std::string kvm_remedy;     ///< makes KVM usable; empty if nothing is known to
  std::string why_not_nested; ///< KVM of this host refuses nested VMs; empty: it allows them
};

/// A socket that the daemon makes, listens on and connects to before the hypervisor starts; the
/// listening side is inherited by the hypervisor, so there is nothing to wait or poll for.
enum class channel : std::uint8_t { qmp = 0, agent = 1, console = 2 };

/// A process to start: argv with inherited descriptors at fixed numbers.
struct launch_plan {
  std::vector<std::string> argv;
  std::vector<std::pair<int, std::shared_ptr<unique_fd>>>
      inherited;                               ///< number in the child, descriptor here
  std::vector<std::filesystem::path> readable; ///< besides system libraries: for the confinement
  std::vector<std::filesystem::path> writable;
  std::filesystem::path log; ///< stdout and stderr of the hypervisor go here
  /// The process' identity is written here before the hypervisor's first instruction, so that no
  /// crash of ours can lose it. `recorded_process` reads it.
  std::filesystem::path identity;
  bool connects = true; ///< it may open network connections; false: it gets no network at all
};

/// Identity of a process that survives pid reuse.
struct process_id {
  std::uint32_t pid = 0;
  std::uint64_t start_time = 0; ///< field 22 of /proc/PID/stat, clock ticks after boot
  std::string boot_id;          ///< of the host
};

/// A running machine, as its owner holds it.
struct running_machine {
  process_id process;
  unique_fd pidfd;
  unique_fd qmp, agent, console; ///< connected, non-blocking stream sockets
  std::string confinement;       ///< for people: "landlock ABI 7, seccomp, own network namespace"
  unique_fd ending;              ///< of a machine that we launched: for `read_ending`
};

class driver {
public:
  virtual ~driver() = default;
  virtual std::string describe() const = 0; ///< "QEMU microvm (TCG); KVM: why not"
  /// One line for the user of a VM that is slower than this host allows, with the remedy; else
  /// empty.
  virtual std::string notice() const { return {}; }
  /// Examines the host again and answers `describe()` of now. Blocks for as long as a test guest
  /// boots.
  virtual std::string reprobe() const { return describe(); }
  /// `bad_request`, `unavailable`: no machine of this shape can run here, as far as is known yet.
  virtual expected<void> check(const machine_config&) const { return {}; }
  /// The same for every machine. Without `nat` nothing answers at the gateway and the resolver.
  virtual guest_network network() const = 0;
  /// Opens the files, makes the sockets. `unavailable`, `bad_request`, `operation_failed`.
  struct planned {
    launch_plan plan;
    unique_fd qmp, agent, console;
  };
  virtual expected<planned> plan(const machine_config& config) const = 0;
};

class launcher {
public:
  virtual ~launcher() = default;
  /// Own session, nothing inherited but the plan's descriptors, confined. It is nobody's child
  /// here and does not die with us. Blocks for some milliseconds.
  virtual expected<running_machine> launch(driver::planned planned) const = 0;
};

/// Finds a machine that an earlier daemon started, and connects to its sockets in `folder` again.
/// `not_found`: the process is gone (or is another one).
expected<running_machine> adopt(const std::filesystem::path& folder, const process_id& process);

/// What `launch` wrote for the machine in `folder`. `not_found`: never started; `corrupted`.
expected<process_id> recorded_process(const std::filesystem::path& folder);

/// The end of what the hypervisor said on its own (its log in `folder`), at most `lines` lines.
std::string last_words(const std::filesystem::path& folder, std::size_t lines = 5);

/// How the process ended, from `running_machine::ending` once that is readable: "exit status 3",
/// "signal 9 (Killed)". Empty: not known.
std::string read_ending(int fd);

/// Evidence without touching anything: does this very process live? A zombie does not.
bool alive(const process_id& process);

/// Kills that very process (pidfd, start time checked) and waits for its end, at most
/// `deadline_ms`. "Already gone" is success. Blocks. `timed_out`, `unauthorized`.
expected<void> kill_and_wait(const process_id& process, int deadline_ms);

/// The same, but with `signal` first: SIGKILL follows if it lives on after `patience_ms`.
expected<void> signal_and_wait(const process_id& process, int signal, int patience_ms,
                               int deadline_ms);

} // namespace banger::hypervisor
