#include "actors/hypervisor/qemu.hpp"
#include "actors/hypervisor/probe.hpp"
#include "actors/hypervisor/process.hpp"
#include "actors/hypervisor/sockets.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

namespace banger::hypervisor {

namespace fs = std::filesystem;

namespace {

constexpr std::uint32_t most_vcpus = 255; // of microvm
constexpr std::size_t most_disks = 16;    // 24 virtio-mmio slots, less channel, net and rng
// The translated code of a guest that is a host itself: with less it is translated again and again.
constexpr std::uint32_t nested_cache_mib = 512;

/// Collects arguments and hands out descriptor numbers.
class builder {
public:
  template <class... Words>
  void add(Words&&... words) {
    (result_.argv.emplace_back(std::forward<Words>(words)), ...);
  }

  std::string inherit(const fs::path& path, bool writable) {
    const int number = first_file + static_cast<int>(result_.files.size());
    result_.files.push_back({number, path, writable});
    return std::to_string(number);
  }

  // Opened by path, but the path is our own descriptor.
  std::string reopened(const fs::path& path) { return "/proc/self/fd/" + inherit(path, false); }

  // Block devices take descriptors without opening anything again: the descriptor's rights are all
  // there is, whoever owns the file.
  std::string descriptor_set(const fs::path& path, bool writable) {
    const auto number = inherit(path, writable);
    add("-add-fd", "fd=" + number + ",set=" + number);
    return "/dev/fdset/" + number;
  }

  qemu_command take() { return std::move(result_); }

private:
  qemu_command result_;
};

std::string on_off(bool value) { return value ? "on" : "off"; }

void add_machine(builder& b, const host_facts& facts, const machine_config& config) {
  b.add(facts.binary.string(), "-name", "banger-" + config.folder.filename().string());
  // Without `rtc=on` microvm has no CMOS clock under KVM, and Linux waits for it for a second.
  b.add("-M", "microvm,dump-guest-core=off,rtc=on", "-global", "virtio-mmio.force-legacy=false");
  if (facts.accel == accelerator::kvm) {
    b.add("-accel", "kvm", "-cpu", config.nested ? "host" : "host,vmx=off,svm=off");
  } else {
    const auto cache = config.nested ? std::max(nested_cache_mib, config.translation_cache_mib)
                                     : config.translation_cache_mib;
    b.add("-accel", "tcg,tb-size=" + std::to_string(cache), "-cpu",
          config.nested ? "max" : "Nehalem-v1");
  }
  b.add("-smp", std::to_string(config.vcpu), "-m", std::to_string(config.memory_mib) + "M");
  b.add("-nodefaults", "-no-user-config", "-nographic", "-no-reboot");
  b.add("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
  b.add("-kernel", b.reopened(config.kernel));
  b.add("-initrd", b.reopened(config.initramfs));
  b.add("-append", kernel_command_line(facts, config.kernel_log));
}

void add_channels(builder& b) {
  const auto chardev = [&](channel which, const char* id, bool wait) {
    const auto fd = std::to_string(first_channel + static_cast<int>(which));
    b.add("-chardev",
          std::string("socket,id=") + id + ",fd=" + fd + ",server=on,wait=" + on_off(wait));
  };
  chardev(channel::qmp, "qmp", false);
  chardev(channel::agent, "agent", false);
  chardev(channel::console, "console", true); // taken up before the guest's first byte
  b.add("-mon", "chardev=qmp,mode=control", "-serial", "chardev:console");
  b.add("-device", "virtio-serial-device,max_ports=2");
  b.add("-device", "virtserialport,id=agent-port,chardev=agent,name=banger.agent.0,nr=1");
}

void add_file_node(builder& b, const std::string& node, const fs::path& path, bool writable) {
  auto options = "driver=file,node-name=" + node + ",filename=" + b.descriptor_set(path, writable);
  options += ",cache.direct=off,cache.no-flush=off";
  // A shared base is never written by anyone: no lock, any number of readers. A writable disk is
  // locked, so that a second machine on it is refused.
  options += writable ? ",read-only=off,discard=unmap" : ",read-only=on,locking=off";
  b.add("-blockdev", options);
}

// A write that the host refuses (no room, a quota) halts the machine until it is tried again: a
// guest that was told would lose the data.
std::string on_error(bool writable) { return writable ? ",werror=stop,rerror=report" : ""; }

void add_disk(builder& b, const disk& d, std::size_t index) {
  const auto number = std::to_string(index);
  const auto node = "disk" + number;
  const bool writable = !d.read_only;
  add_file_node(b, "file" + number, d.file, writable);
  auto options = "node-name=" + node + ",file=file" + number + ",read-only=" + on_off(!writable);
  if (writable)
    options += ",discard=unmap,detect-zeroes=off";
  if (d.format == disk_format::raw) {
    options = "driver=raw," + options;
  } else if (d.backing.empty()) {
    options = "driver=qcow2," + options;
  } else {
    add_file_node(b, "basefile" + number, d.backing, false);
    b.add("-blockdev",
          "driver=raw,node-name=base" + number + ",file=basefile" + number + ",read-only=on");
    options = "driver=qcow2," + options + ",backing=base" + number;
  }
  b.add("-blockdev", options, "-device",
        "virtio-blk-device,drive=" + node + ",id=vd" + number + on_error(writable));
}

void add_network(builder& b, const machine_config& config) {
  if (config.network == network_kind::none)
    return;
  if (config.network == network_kind::tap)
    b.add("-netdev", "tap,id=net0,vhost=off,fd=" + std::to_string(tap_number));
  else
    b.add("-netdev", "user,id=net0,ipv6=off,restrict=" + on_off(!config.nat));
  b.add("-device", "virtio-net-device,netdev=net0,mac=" + std::string(placeholder_mac));
}

expected<unique_fd> open_file(const fs::path& path, bool writable) {
  unique_fd fd(::open(path.c_str(), (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY));
  if (!fd)
    return fail_errno("cannot open " + path.string(), errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0)
    return fail_errno("cannot look at " + path.string(), errno);
  if (!S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode))
    return fail(errc::bad_request, "cannot use " + path.string(), "it is not a file");
  return fd;
}

// QEMU opens kernel and initramfs again, by then as a user without rights. Where the file is closed
// to others, it gets a copy in memory that is open to it.
expected<unique_fd> readable_by_all(unique_fd file, const fs::path& path) {
  struct stat info {};
  if (::fstat(file.get(), &info) != 0)
    return fail_errno("cannot look at " + path.string(), errno);
  if (::geteuid() != 0 || (info.st_mode & S_IROTH) != 0)
    return file;
  unique_fd copy(::memfd_create("banger", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  off_t left = info.st_size;
  while (copy && left > 0) {
    const auto done = ::sendfile(copy.get(), file.get(), nullptr, static_cast<std::size_t>(left));
    if (done <= 0)
      return fail_errno("cannot copy " + path.string(), done == 0 ? EIO : errno);
    left -= static_cast<off_t>(done);
  }
  if (!copy || ::fchmod(copy.get(), 0444) != 0 ||
      ::fcntl(copy.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))
    return fail_errno("cannot copy " + path.string(), errno);
  return copy;
}

class qemu_driver : public driver {
public:
  explicit qemu_driver(host_facts facts) : facts_(std::move(facts)) {}

  std::string describe() const override {
    if (facts_.accel == accelerator::kvm)
      return "QEMU " + facts_.version + " microvm (KVM)";
    const auto why = facts_.why_not_kvm.empty() ? "" : "; KVM: " + facts_.why_not_kvm;
    return "QEMU " + facts_.version + " microvm (TCG emulation)" + why;
  }

  std::string notice() const override {
    if (facts_.accel == accelerator::kvm || facts_.kvm_remedy.empty())
      return {};
    return "VMs are emulated here, which is slow: " + facts_.why_not_kvm + "; " + facts_.kvm_remedy;
  }

  expected<void> check(const machine_config& config) const override {
    return check_nested(facts_, config);
  }

  guest_network network() const override {
    return {std::string(placeholder_mac), "10.0.2.15/24", "10.0.2.2", {"10.0.2.3"}};
  }

  expected<planned> plan(const machine_config& config) const override {
    if (facts_.binary.empty())
      return tl::unexpected(no_qemu());
    if (auto ok = check_machine(config); !ok)
      return tl::unexpected(ok.error());
    if (auto ok = check_nested(facts_, config); !ok)
      return tl::unexpected(ok.error());
    planned result;
    auto command = qemu_arguments(facts_, config);
    result.plan.argv = std::move(command.argv);
    for (const auto& file : command.files)
      if (auto ok = open_into(result.plan, file, config); !ok)
        return tl::unexpected(ok.error());
    if (config.network == network_kind::tap)
      result.plan.inherited.emplace_back(tap_number, config.tap);
    for (auto which : {channel::qmp, channel::agent, channel::console})
      if (auto ok = listen_into(result, which, config.folder); !ok)
        return tl::unexpected(ok.error());
    result.plan.log = config.folder / log_file;
    result.plan.identity = config.folder / identity_file;
    result.plan.connects = config.network == network_kind::user && config.nat;
    if (facts_.accel == accelerator::kvm)
      result.plan.writable.emplace_back("/dev/kvm");
    return result;
  }

private:
  static expected<void> open_into(launch_plan& plan, const inherited_file& file,
                                  const machine_config& config) {
    auto fd = open_file(file.path, file.writable);
    if (!fd)
      return tl::unexpected(fd.error());
    if (file.path == config.kernel || file.path == config.initramfs) {
      fd = readable_by_all(std::move(*fd), file.path);
      if (!fd)
        return tl::unexpected(fd.error());
      // By descriptor, as the hypervisor will open it: a copy in memory has no other path.
      plan.readable.emplace_back("/proc/self/fd/" + std::to_string(fd->get()));
    }
    plan.inherited.emplace_back(file.number, std::make_shared<unique_fd>(std::move(*fd)));
    return {};
  }

  static expected<void> listen_into(planned& result, channel which, const fs::path& folder) {
    auto pair = make_channel(folder, which);
    if (!pair)
      return tl::unexpected(pair.error());
    result.plan.inherited.emplace_back(first_channel + static_cast<int>(which),
                                       std::make_shared<unique_fd>(std::move(pair->listening)));
    auto& place = which == channel::qmp     ? result.qmp
                  : which == channel::agent ? result.agent
                                            : result.console;
    place = std::move(pair->connected);
    return {};
  }

  host_facts facts_;
};

} // namespace

std::string kernel_command_line(const host_facts& facts, bool kernel_log) {
  std::string line = "console=ttyS0 panic=-1 ";
  line += kernel_log ? "" : "quiet loglevel=3 ";
  line += "net.ifnames=0 cryptomgr.notests";
  // Emulated, the guest reads the host's TSC but calibrates it against an emulated timer, which
  // loses under load: 8 boots of 20 hung. There is nothing to mitigate in an emulated CPU, and each
  // lock prefix that the kernel patches away throws translated code away. Its own check of the
  // counter has only the emulated timer to compare with, loses as well, and leaves a clock that
  // counts interrupts: late by each one that a busy or stopped hypervisor did not deliver.
  if (facts.accel == accelerator::tcg)
    line += " mitigations=off noreplace-smp tsc=reliable tsc_early_khz=" +
            std::to_string(facts.tsc_khz);
  return line;
}

qemu_command qemu_arguments(const host_facts& facts, const machine_config& config) {
  builder b;
  add_machine(b, facts, config);
  add_channels(b);
  for (std::size_t i = 0; i < config.disks.size(); ++i)
    add_disk(b, config.disks[i], i);
  add_network(b, config);
  b.add("-device", "virtio-rng-device");
  return b.take();
}

expected<void> check_machine(const machine_config& config) {
  const auto refuse = [](std::string why) {
    return fail(errc::bad_request, "cannot build this machine", std::move(why));
  };
  if (config.vcpu < 1 || config.vcpu > most_vcpus)
    return refuse("a microvm has 1 to " + std::to_string(most_vcpus) + " vCPUs");
  if (config.memory_mib < 1)
    return refuse("it has no memory");
  if (config.disks.size() > most_disks)
    return refuse("a microvm has at most " + std::to_string(most_disks) + " disks");
  if (config.network == network_kind::tap && (!config.tap || !*config.tap))
    return refuse("its tap is not open");
  if (config.translation_cache_mib < 1)
    return refuse("its translation cache is empty");
  for (const auto& d : config.disks)
    if (!d.backing.empty() && d.format != disk_format::qcow2)
      return refuse(d.file.string() + " is raw and cannot have a backing file");
  return {};
}

expected<void> check_nested(const host_facts& facts, const machine_config& config) {
  if (!config.nested)
    return {};
  if (facts.accel == accelerator::kvm && !facts.why_not_nested.empty())
    return fail(errc::unavailable, "this host does not allow VMs inside a VM", facts.why_not_nested,
                "load its KVM module with `nested=1`, or do without --nested (a VM that is there: "
                "`banger vm set VM --no-nested`)");
  // Two emulated vCPUs hang as soon as KVM runs on them.
  if (facts.accel == accelerator::tcg && !facts.kvm_unproven && config.vcpu > 1)
    return fail(
        errc::bad_request, "an emulated VM with --nested has one vCPU",
        "KVM hangs on several emulated vCPUs; KVM of this host: " + facts.why_not_kvm,
        "give it one vCPU (--vcpu 1; a VM that is there: `banger vm set VM --vcpu 1`), or no "
        "--nested");
  return {};
}

std::unique_ptr<driver> make_qemu_driver(host_facts facts) {
  return std::make_unique<qemu_driver>(std::move(facts));
}

} // namespace banger::hypervisor
