#include "actors/hypervisor/probe.hpp"
#include "actors/hypervisor/launcher.hpp"
#include "actors/hypervisor/process.hpp"
#include "actors/hypervisor/qemu.hpp"
#include "actors/hypervisor/tsc.hpp"
#include "actors/storage/process.hpp"
#include "messages/base/landlock.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <map>
#include <poll.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace banger::hypervisor {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

constexpr int kill_deadline_ms = 1000;
constexpr auto version_deadline = 10s;

/// The cache: lines "KEY VALUE". Of another boot, damaged or missing: empty.
class boot_cache {
public:
  explicit boot_cache(const fs::path& folder) : file_(folder / "host") {
    std::ifstream in(file_);
    std::string line;
    while (std::getline(in, line))
      if (const auto space = line.find(' '); space != std::string::npos)
        values_[line.substr(0, space)] = line.substr(space + 1);
    const auto boot_id = host_boot_id();
    if (boot_id.empty() || get("boot_id") != boot_id)
      values_ = {{"boot_id", boot_id}};
  }

  std::string get(const std::string& key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? std::string{} : found->second;
  }

  void set(const std::string& key, std::string value) {
    std::replace(value.begin(), value.end(), '\n', ' ');
    values_[key] = std::move(value);
    changed_ = true;
  }

  // A cache that cannot be written costs time, not truth.
  void save() {
    if (!changed_)
      return;
    std::error_code ignored;
    fs::create_directories(file_.parent_path(), ignored);
    const fs::path fresh = file_.string() + "." + std::to_string(::getpid());
    std::ofstream out(fresh);
    for (const auto& [key, value] : values_)
      out << key << ' ' << value << '\n';
    out.close();
    if (out)
      fs::rename(fresh, file_, ignored);
    else
      fs::remove(fresh, ignored);
  }

private:
  fs::path file_;
  std::map<std::string, std::string> values_;
  bool changed_ = false;
};

// Another binary under the same path has another size or time.
std::string fingerprint(const fs::path& binary) {
  struct stat info {};
  if (::stat(binary.c_str(), &info) != 0)
    return {};
  std::ostringstream text;
  text << binary.string() << ' ' << info.st_ino << ' ' << info.st_size << ' ' << info.st_mtim.tv_sec
       << '.' << info.st_mtim.tv_nsec;
  return text.str();
}

std::string ask_version(const fs::path& binary) {
  storage::command command;
  command.argv = {binary.string(), "--version"};
  command.deadline = version_deadline;
  const auto end = storage::run(command);
  return end ? parse_qemu_version(end->out) : std::string{};
}

std::string cached_version(boot_cache& cache, const fs::path& binary) {
  const auto print = fingerprint(binary);
  if (print.empty())
    return {};
  if (cache.get("binary") == print)
    return cache.get("version");
  auto version = ask_version(binary);
  cache.set("binary", print);
  cache.set("version", version);
  return version;
}

std::uint64_t cached_tsc(boot_cache& cache) {
  const auto text = cache.get("tsc_khz");
  std::uint64_t khz = 0;
  std::from_chars(text.data(), text.data() + text.size(), khz);
  if (khz == 0) {
    khz = measure_tsc_khz();
    cache.set("tsc_khz", std::to_string(khz));
  }
  return khz;
}

void read_boot_result(const boot_cache& cache, const fs::path& binary, kvm_evidence& evidence) {
  if (cache.get("kvm_binary") != fingerprint(binary))
    return;
  const auto result = cache.get("kvm_boot");
  if (result == "good")
    evidence.boot_probe = kvm_evidence::boot::good;
  if (result == "bad")
    evidence.boot_probe = kvm_evidence::boot::bad;
  evidence.boot_why = cache.get("kvm_why");
}

void apply(host_facts& facts, const decision& d) {
  facts.accel = d.accel;
  facts.why_not_kvm = d.why_not_kvm;
  facts.kvm_remedy = d.remedy;
  facts.kvm_unproven = d.needs_boot_probe;
}

// Readable: the guest spoke, or QEMU closed the channel, which is the end of it.
expected<void> wait_for_a_byte(const running_machine& machine, boot_limits limits) {
  using clock = std::chrono::steady_clock;
  boot_watch watch(limits, clock::now());
  std::array<pollfd, 3> watched = {pollfd{machine.agent.get(), POLLIN, 0},
                                   pollfd{machine.pidfd.get(), POLLIN, 0},
                                   pollfd{machine.console.get(), POLLIN, 0}};
  for (;;) {
    const auto now = clock::now();
    const auto left = watch.left(now);
    if (left.count() == 0)
      return tl::unexpected(watch.verdict(now));
    if (::poll(watched.data(), watched.size(), static_cast<int>(left.count())) < 0 &&
        errno != EINTR)
      return fail_errno("cannot wait for a guest under KVM", errno);
    std::array<char, 4096> bytes{};
    if (watched[0].revents != 0 && ::recv(machine.agent.get(), bytes.data(), 1, MSG_DONTWAIT) == 1)
      return {};
    if (watched[1].revents != 0)
      return fail(errc::disconnected, "QEMU ended under KVM", watch.last_line());
    if (watched[2].revents == 0)
      continue;
    const auto got = ::recv(machine.console.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got > 0)
      watch.printed({bytes.data(), static_cast<std::size_t>(got)}, clock::now());
    else
      watched[2].fd = -1;
  }
}

expected<void> boot_under_kvm(const host_facts& facts, const fs::path& kernel,
                              const fs::path& initramfs, const fs::path& folder,
                              boot_limits limits) {
  machine_config config;
  config.folder = folder;
  config.memory_mib = 128;
  config.kernel = kernel;
  config.initramfs = initramfs;
  config.network = network_kind::none;
  config.kernel_log = true;
  auto planned = make_qemu_driver(facts)->plan(config);
  if (!planned)
    return tl::unexpected(planned.error());
  auto machine = make_direct_launcher(facts)->launch(std::move(*planned));
  if (!machine)
    return tl::unexpected(machine.error());
  auto spoke = wait_for_a_byte(*machine, limits);
  auto ended = kill_and_wait(machine->process, kill_deadline_ms);
  if (!spoke) {
    if (const auto said = last_words(folder, 1);
        !said.empty() && spoke.error().code == errc::disconnected)
      spoke.error().why = said;
    return spoke;
  }
  return ended;
}

} // namespace

decision decide_accelerator(const kvm_evidence& e) {
  if (e.open_error == ENOENT || e.open_error == ENODEV || e.open_error == ENXIO)
    return {accelerator::tcg, "there is no usable /dev/kvm on this host", false};
  if (e.open_error == EACCES || e.open_error == EPERM)
    return {
        accelerator::tcg, "you may not open /dev/kvm", false,
        "join its group: `sudo usermod -aG kvm $USER`, log in again, then `banger daemon stop`"};
  if (e.open_error != 0)
    return {accelerator::tcg,
            "/dev/kvm does not open: " + std::generic_category().message(e.open_error), false};
  if (e.paravirtual_only)
    return {accelerator::tcg,
            "this host's KVM is para-virtual (kvm_pvm) and does not run ordinary kernels", false};
  if (!e.cpu_extensions)
    return {accelerator::tcg, "the CPU offers no virtualisation (no vmx or svm in /proc/cpuinfo)",
            false};
  switch (e.boot_probe) {
  case kvm_evidence::boot::good: return {accelerator::kvm, "", false};
  case kvm_evidence::boot::bad:
    return {accelerator::tcg, "a test guest did not boot under KVM: " + e.boot_why, false,
            "`banger daemon probe` tries again"};
  case kvm_evidence::boot::not_tried: break;
  }
  return {accelerator::tcg, "a test guest tries it at the next start of a VM", true};
}

kvm_evidence look_at_kvm(const probe_places& places) {
  kvm_evidence evidence;
  const unique_fd device(::open(places.kvm_device.c_str(), O_RDWR | O_CLOEXEC));
  evidence.open_error = device ? 0 : errno;
  std::error_code none;
  evidence.paravirtual_only = fs::exists(places.pvm_module, none);
  std::ifstream cpuinfo(places.cpuinfo);
  std::string line, word;
  while (std::getline(cpuinfo, line))
    if (line.rfind("flags", 0) == 0) {
      std::istringstream words(line);
      while (words >> word)
        evidence.cpu_extensions = evidence.cpu_extensions || word == "vmx" || word == "svm";
      break;
    }
  return evidence;
}

std::string why_not_nested(const probe_places& places) {
  for (const auto& parameter : places.nested) {
    std::ifstream file(parameter);
    std::string value;
    if (file >> value)
      return value == "Y" || value == "1" ? "" : parameter.string() + " is " + value;
  }
  return {};
}

std::string parse_qemu_version(std::string_view printed) {
  constexpr std::string_view before = "QEMU emulator version ";
  if (printed.substr(0, before.size()) != before)
    return {};
  printed.remove_prefix(before.size());
  return std::string(printed.substr(0, printed.find_first_not_of("0123456789.")));
}

fs::path find_qemu() {
  const char* given = std::getenv("BANGER_QEMU");
  std::error_code none;
  if (given != nullptr && *given != '\0')
    return ::access(given, X_OK) == 0 ? fs::absolute(given, none) : fs::path{};
  return storage::find_program("qemu-system-x86_64");
}

failure no_qemu() {
  constexpr const char* what = "cannot start a VM";
  const char* given = std::getenv("BANGER_QEMU");
  if (given == nullptr || *given == '\0')
    return {errc::unavailable, what, "qemu-system-x86_64 is not installed",
            "apt-get install qemu-system-x86 (scripts/bootstrap does it)", ""};
  const auto why = ::access(given, X_OK) == 0 ? "it prints no version of QEMU"
                                              : std::generic_category().message(errno);
  return {errc::unavailable, what,
          "the QEMU that BANGER_QEMU or qemu_bin names, " + std::string(given) + ": " + why,
          "name another one, or none for the one in PATH, and `banger daemon stop`", ""};
}

host_facts probe_host(const fs::path& folder, const probe_places& places) {
  boot_cache cache(folder);
  host_facts facts;
  facts.binary = find_qemu();
  facts.version = cached_version(cache, facts.binary);
  if (facts.version.empty()) // it is something else, or does not run
    facts.binary.clear();
  facts.tsc_khz = cached_tsc(cache);
  facts.landlock_abi = landlock_abi();
  facts.why_not_nested = why_not_nested(places);
  auto evidence = look_at_kvm(places);
  read_boot_result(cache, facts.binary, evidence);
  apply(facts, decide_accelerator(evidence));
  cache.save();
  return facts;
}

boot_probe make_boot_probe(const fs::path& kernel, const fs::path& initramfs,
                           const fs::path& scratch, boot_limits limits) {
  return [=](const host_facts& facts) -> expected<void> {
    auto pattern = (scratch / "kvm-probe-XXXXXX").string();
    std::error_code ignored;
    fs::create_directories(scratch, ignored);
    if (::mkdtemp(pattern.data()) == nullptr)
      return fail_errno("cannot make a folder in " + scratch.string(), errno);
    auto result = boot_under_kvm(facts, kernel, initramfs, pattern, limits);
    fs::remove_all(pattern, ignored);
    return result;
  };
}

void boot_watch::printed(std::string_view bytes, time_point now) {
  constexpr std::size_t most = 512;
  last_output_ = now;
  tail_ += bytes;
  if (tail_.size() > most)
    tail_.erase(0, tail_.size() - most);
}

std::chrono::milliseconds boot_watch::left(time_point now) const {
  const auto end = std::min(last_output_ + limits_.silence, begin_ + limits_.total);
  return std::max(std::chrono::ceil<std::chrono::milliseconds>(end - now), 0ms);
}

failure boot_watch::verdict(time_point now) const {
  const auto seconds = [](auto t) {
    return std::to_string(std::chrono::round<std::chrono::seconds>(t).count()) + " s";
  };
  const auto what = now - begin_ >= limits_.total
                        ? "it did not reach user space within " + seconds(limits_.total)
                        : "it printed nothing for " + seconds(limits_.silence);
  const auto line = last_line();
  return {errc::timed_out, what, line.empty() ? "its console is empty" : "after: " + line, {}, {}};
}

std::string boot_watch::last_line() const {
  const auto end = tail_.find_last_not_of("\r\n");
  if (end == std::string::npos)
    return {};
  const auto begin = tail_.find_last_of('\n', end);
  const auto from = begin == std::string::npos ? 0 : begin + 1;
  return tail_.substr(from, end - from + 1);
}

void forget_boot_probe(const fs::path& folder) {
  boot_cache cache(folder);
  for (const auto* key : {"kvm_binary", "kvm_boot", "kvm_why"})
    cache.set(key, {});
  cache.save();
}

host_facts confirm_kvm(host_facts facts, const fs::path& folder, const boot_probe& probe) {
  if (!facts.kvm_unproven || facts.binary.empty())
    return facts;
  auto attempt = facts;
  attempt.accel = accelerator::kvm;
  attempt.why_not_kvm.clear();
  const auto booted = probe(attempt);
  kvm_evidence evidence;
  evidence.cpu_extensions = true; // or the facts would not call it unproven
  evidence.boot_probe = booted ? kvm_evidence::boot::good : kvm_evidence::boot::bad;
  evidence.boot_why = booted ? std::string{} : describe(booted.error());
  // A full disk says nothing about KVM: it is asked again next time.
  if (booted || booted.error().code == errc::timed_out ||
      booted.error().code == errc::disconnected) {
    boot_cache cache(folder);
    cache.set("kvm_binary", fingerprint(facts.binary));
    cache.set("kvm_boot", booted ? "good" : "bad");
    cache.set("kvm_why", evidence.boot_why);
    cache.save();
  }
  apply(facts, decide_accelerator(evidence));
  return facts;
}

} // namespace banger::hypervisor
