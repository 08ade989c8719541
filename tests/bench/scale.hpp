// What many VMs cost, with a hypervisor that plays its part: only banger itself is measured.
#pragma once

namespace banger::bench {

void bench_scale();

} // namespace banger::bench
