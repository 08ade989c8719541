#include "actors/vm/capability.hpp"

namespace banger::vm {

using namespace std::chrono_literals;

void add_disk(build& b, hypervisor::disk disk, guest::disk_role role) {
  b.guest.disks.push_back({static_cast<std::uint32_t>(b.machine.disks.size()), role});
  b.machine.disks.push_back(std::move(disk));
}

namespace {

// A guest that is to be killed needs no network any more, and the kernel takes longer for one tap
// after another, as hypervisors end, than for many at once.
void add_network_steps(step_table& table) {
  const step off{"disconnect", "taking it off the bridge", true, 30s};
  table.set.push_back({"network", "changing what the network knows of it"});
  table.stop.insert(table.stop.end() - 1, off);
  for (auto* steps : {&table.kill, &table.remove, &table.sweep})
    steps->insert(steps->begin(), off);
}

} // namespace

step_table compose(const std::vector<capability>& all, bool bridged, bool connects) {
  step_table table;
  table.start.push_back({"image", "looking for image and kernel", true, 1h});
  for (const auto& c : all)
    for (const auto& s : c.prepare)
      table.start.push_back(s.what);
  if (bridged && connects)
    table.start.push_back(
        {.name = "connect", .detail = "connecting it to the bridge", .for_boot = true});
  for (const auto& c : all)
    for (const auto& s : c.change)
      table.set.push_back(s.what);
  table.start.push_back({"launch", "starting the hypervisor", true, 60s, true});
  table.start.push_back({"hello", "booting the kernel", false, 90s, true});
  table.start.push_back(
      {"configure", "mounting disks, setting the guest's identity", false, 90s, true});
  table.start.push_back({"flush", "writing its new files to the host's disk", true, 120s});
  table.start.push_back({"boot", "waiting for the image's init", false, 300s, false, true});
  const step kill{"kill", "ending the hypervisor", true, 15s};
  const step release{"release", "letting go of sockets", true, 15s};
  // All rungs of its ladder together: agent, power button, QMP, SIGKILL.
  table.stop = {{"shutdown", "waiting for the guest to sync and power off", false, 110s}, release};
  table.kill = {kill, release};
  table.remove = {kill, release, {"files", "removing disks and logs", true, 120s}};
  table.sweep = {kill, release};
  if (bridged)
    add_network_steps(table);
  return table;
}

expected<void> admit_keys(build& b) {
  if (!b.site.authorized_keys)
    return {};
  auto keys = b.site.authorized_keys();
  if (!keys)
    return tl::unexpected(keys.error());
  b.guest.authorized_keys = std::move(*keys);
  return {};
}

void shape(build& b, const std::vector<capability>& all) {
  b.machine = {};
  b.guest = {};
  b.machine.folder = b.folder();
  b.machine.vcpu = b.vm.wanted.vcpu;
  b.machine.memory_mib = b.vm.wanted.memory_mib;
  b.machine.kernel = b.kernel.vmlinux;
  b.machine.initramfs = b.kernel.initramfs;
  for (const auto& c : all)
    if (c.shape_machine)
      c.shape_machine(b);
  for (const auto& c : all)
    if (c.shape_guest)
      c.shape_guest(b);
}

} // namespace banger::vm
