// Starts a planned hypervisor from this process, confined, without any helper.
#pragma once

#include "actors/hypervisor/machine.hpp"

namespace banger::hypervisor {

/// Needs of `facts` only which Landlock the kernel offers.
std::unique_ptr<launcher> make_direct_launcher(const host_facts& facts);

} // namespace banger::hypervisor
