#include "actors/hypervisor/proving.hpp"

#include "actors/hypervisor/qemu.hpp"

#include <atomic>
#include <mutex>

namespace banger::hypervisor {

namespace {

class proving_driver : public driver {
public:
  proving_driver(host_facts facts, std::filesystem::path cache)
      : facts_(std::move(facts)), cache_(std::move(cache)),
        driver_(std::shared_ptr<const driver>(make_qemu_driver(facts_))) {}

  std::string describe() const override { return driver_.load()->describe(); }
  guest_network network() const override { return driver_.load()->network(); }

  expected<planned> plan(const machine_config& config) const override {
    // Plans are made in pool threads: the others wait for the one that proves.
    std::call_once(proved_, [&] { prove(config); });
    return driver_.load()->plan(config);
  }

private:
  void prove(const machine_config& config) const {
    if (!facts_.kvm_unproven)
      return;
    const auto probe = make_boot_probe(config.kernel, config.initramfs, cache_ / "kvm-probe");
    driver_.store(make_qemu_driver(confirm_kvm(facts_, cache_, probe)));
  }

  host_facts facts_;
  std::filesystem::path cache_;
  mutable std::once_flag proved_;
  mutable std::atomic<std::shared_ptr<const driver>> driver_;
};

} // namespace

std::unique_ptr<driver> make_proving_driver(host_facts facts, std::filesystem::path cache) {
  return std::make_unique<proving_driver>(std::move(facts), std::move(cache));
}

} // namespace banger::hypervisor
