// A driver that finds out whether KVM works when the first machine is planned: the proof needs a
// kernel and an initramfs, which a fresh host does not have when the daemon starts.
#pragma once

#include "actors/hypervisor/probe.hpp"

namespace banger::hypervisor {

/// As `make_qemu_driver`; the first `plan` may block for 6 s more if KVM is yet unproven. `cache`
/// keeps the result.
std::unique_ptr<driver> make_proving_driver(host_facts facts, std::filesystem::path cache);

} // namespace banger::hypervisor
