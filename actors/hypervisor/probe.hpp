// What this host offers. Looking and deciding are apart: the decisions are pure.
#pragma once

#include "actors/hypervisor/machine.hpp"

#include <chrono>
#include <functional>

namespace banger::hypervisor {

/// What was seen of KVM. That the device opens and makes a VM proves nothing: under a
/// para-virtualised KVM (kvm_pvm) an ordinary guest hangs without a word.
struct kvm_evidence {
  int open_error = 0;            ///< errno of opening /dev/kvm read-write; 0: it opens
  bool cpu_extensions = false;   ///< vmx or svm in /proc/cpuinfo
  bool paravirtual_only = false; ///< /sys/module/kvm_pvm
  enum class boot : std::uint8_t { not_tried, good, bad } boot_probe = boot::not_tried;
  std::string boot_why; ///< of a bad boot probe
};

struct decision {
  accelerator accel = accelerator::tcg;
  std::string why_not_kvm;       ///< for people; empty: KVM
  bool needs_boot_probe = false; ///< all else speaks for KVM
  std::string remedy = {};       ///< what the user can do about `why_not_kvm`; empty: nothing
};

decision decide_accelerator(const kvm_evidence& evidence);

/// Where to look; other places in tests.
struct probe_places {
  std::filesystem::path kvm_device = "/dev/kvm";
  std::filesystem::path cpuinfo = "/proc/cpuinfo";
  std::filesystem::path pvm_module = "/sys/module/kvm_pvm";
  std::vector<std::filesystem::path> nested = {"/sys/module/kvm_intel/parameters/nested",
                                               "/sys/module/kvm_amd/parameters/nested"};
};

kvm_evidence look_at_kvm(const probe_places& places = {});

/// Empty if the loaded KVM module allows VMs inside VMs; else the parameter that forbids it.
std::string why_not_nested(const probe_places& places = {});

/// "7.2.22" of what `qemu-system-x86_64 --version` prints; empty if it is something else.
std::string parse_qemu_version(std::string_view printed);

/// BANGER_QEMU, else PATH. Empty: not there.
std::filesystem::path find_qemu();

/// Why there is no QEMU to run: for one that was named, what is wrong with that file.
failure no_qemu();

/// Everything but the boot probe. What is slow is kept in `cache` (made if need be) for as long as
/// the host runs and the binary is the same. Blocks: 20–100 ms the first time, then about 1 ms.
host_facts probe_host(const std::filesystem::path& cache, const probe_places& places = {});

/// Boots a guest under KVM. Success: it spoke. `timed_out` and `disconnected` (QEMU ended) are
/// evidence against KVM; other errors say nothing about it.
using boot_probe = std::function<expected<void>(const host_facts&)>;

/// A boot that makes progress gets `total`; one that prints nothing is given up after `silence`.
struct boot_limits {
  std::chrono::milliseconds silence{10'000}, total{60'000};
};

/// The deadline of a boot that follows its console. Pure: the caller brings the time.
class boot_watch {
public:
  using time_point = std::chrono::steady_clock::time_point;

  boot_watch(boot_limits limits, time_point begin)
      : limits_(limits), begin_(begin), last_output_(begin) {}

  /// The console printed `bytes`.
  void printed(std::string_view bytes, time_point now);
  /// Until the boot is given up; 0: now.
  std::chrono::milliseconds left(time_point now) const;
  /// `timed_out`, with the console's last line.
  failure verdict(time_point now) const;
  std::string last_line() const;

private:
  boot_limits limits_;
  time_point begin_, last_output_;
  std::string tail_; ///< of the console
};

/// The real one: a guest of 128 MiB without disks, which prints its kernel log, until its first
/// byte on the agent channel. Leaves nothing behind in `scratch`.
boot_probe make_boot_probe(const std::filesystem::path& kernel,
                           const std::filesystem::path& initramfs,
                           const std::filesystem::path& scratch, boot_limits limits = {});

/// Runs the boot probe if `facts.kvm_unproven`, keeps its result in `cache` for as long as the host
/// runs, and answers the facts that count from now on. Blocks for as long as the probe does.
host_facts confirm_kvm(host_facts facts, const std::filesystem::path& cache,
                       const boot_probe& probe);

/// Removes the result of the boot probe from `cache`, so that `probe_host` finds KVM unproven.
void forget_boot_probe(const std::filesystem::path& cache);

} // namespace banger::hypervisor
