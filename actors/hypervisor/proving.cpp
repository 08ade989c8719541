#include "actors/hypervisor/proving.hpp"

#include "actors/hypervisor/qemu.hpp"

#include <atomic>
#include <mutex>

namespace banger::hypervisor {

namespace {

/// One examination of the host, and the driver that it leads to.
struct examination {
  explicit examination(host_facts seen)
      : facts(std::move(seen)), result(std::shared_ptr<const driver>(make_qemu_driver(facts))) {}

  host_facts facts;
  std::once_flag proved;
  std::atomic<std::shared_ptr<const driver>> result;
};

struct boot_files {
  std::filesystem::path kernel, initramfs;
};

class proving_driver : public driver {
public:
  proving_driver(host_facts facts, std::filesystem::path cache, boot_limits limits)
      : cache_(std::move(cache)), limits_(limits),
        latest_(std::make_shared<examination>(std::move(facts))) {}

  std::string describe() const override { return result()->describe(); }
  std::string notice() const override { return result()->notice(); }
  guest_network network() const override { return result()->network(); }
  expected<void> check(const machine_config& config) const override {
    return result()->check(config);
  }

  expected<planned> plan(const machine_config& config) const override {
    const auto files =
        std::make_shared<const boot_files>(boot_files{config.kernel, config.initramfs});
    files_.store(files);
    const auto now = latest_.load();
    // Plans are made in pool threads: the others wait for the one that proves.
    std::call_once(now->proved, [&] { prove(*now, *files); });
    return now->result.load()->plan(config);
  }

  std::string reprobe() const override {
    forget_boot_probe(cache_);
    const auto fresh = std::make_shared<examination>(probe_host(cache_));
    if (const auto files = files_.load())
      std::call_once(fresh->proved, [&] { prove(*fresh, *files); });
    latest_.store(fresh);
    return describe();
  }

private:
  std::shared_ptr<const driver> result() const { return latest_.load()->result.load(); }

  void prove(examination& it, const boot_files& files) const {
    if (!it.facts.kvm_unproven)
      return;
    const auto probe =
        make_boot_probe(files.kernel, files.initramfs, cache_ / "kvm-probe", limits_);
    it.result.store(make_qemu_driver(confirm_kvm(it.facts, cache_, probe)));
  }

  std::filesystem::path cache_;
  boot_limits limits_;
  mutable std::atomic<std::shared_ptr<examination>> latest_;
  mutable std::atomic<std::shared_ptr<const boot_files>> files_; ///< of the last plan
};

} // namespace

std::unique_ptr<driver> make_proving_driver(host_facts facts, std::filesystem::path cache,
                                            boot_limits limits) {
  return std::make_unique<proving_driver>(std::move(facts), std::move(cache), limits);
}

} // namespace banger::hypervisor
