// A driver that finds out whether KVM works when the first machine is planned: the proof needs a
// kernel and an initramfs, which a fresh host does not have when the daemon starts.
#pragma once

#include "actors/hypervisor/probe.hpp"

namespace banger::hypervisor {

/// As `make_qemu_driver`; the first `plan` boots a test guest if KVM is yet unproven, within
/// `limits`. `cache` keeps the result; `reprobe` tries again.
std::unique_ptr<driver> make_proving_driver(host_facts facts, std::filesystem::path cache,
                                            boot_limits limits = {});

} // namespace banger::hypervisor
