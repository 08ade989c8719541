// What many VMs cost, with a hypervisor that plays its part: only banger itself is measured.
#pragma once

namespace banger::bench {

void bench_scale();
/// Creates and deletes beside what a sync of the same file system takes.
void bench_durability();

} // namespace banger::bench
