#include "privhelper/effects/machine_effects.hpp"

#include "privhelper/paths/paths.hpp"

#include <cerrno>
#include <sys/syscall.h>

namespace banger::helper {

namespace {

tl::unexpected<failure> not_built(std::string what) {
  return fail(errc::unavailable, std::move(what), "this version of the root helper does not do it",
              "bangerd starts hypervisors itself");
}

} // namespace

expected<void> machine_effects::look_at(const managed_path& path) const {
  const auto state = open_state_folder(limits_.state, limits_.owner);
  if (!state)
    return tl::unexpected(state.error());
  const auto opened = open_beneath(state->get(), path, limits_.owner);
  return opened ? expected<void>{} : tl::unexpected(opened.error());
}

expected<messages::launch_reply> machine_effects::carry_out(const launch_task& task) {
  for (const auto* path : {&task.folder, &task.kernel, &task.initramfs})
    if (auto ok = look_at(*path); !ok)
      return tl::unexpected(ok.error());
  for (const auto& disk : task.disks)
    if (auto ok = look_at(disk); !ok)
      return tl::unexpected(ok.error());
  return not_built("cannot start the hypervisor of " + task.vm.str());
}

expected<void> machine_effects::carry_out(const signal_task& task) {
  const auto process = open_process({task.pid, task.start_time, limits_.ids});
  if (!process)
    return tl::unexpected(process.error());
  if (::syscall(SYS_pidfd_send_signal, process->get(), task.signal, nullptr, 0) != 0)
    return fail_errno("cannot signal process " + std::to_string(task.pid), errno);
  return {};
}

expected<void> machine_effects::carry_out(const cleanup_task& task) {
  return not_built("cannot clean up after " + task.vm.str());
}

expected<messages::root_disk_reply> machine_effects::carry_out(const root_disk_task& task) {
  for (const auto* path : {&task.image, &task.overlay})
    if (*path)
      if (auto ok = look_at(**path); !ok)
        return tl::unexpected(ok.error());
  return not_built("cannot make the root disk of " + task.vm.str());
}

expected<void> machine_effects::carry_out(const socket_task& task) {
  if (auto ok = look_at(task.path); !ok)
    return ok;
  return not_built("cannot hand out the socket of " + task.vm.str());
}

expected<messages::sweep_reply> machine_effects::carry_out(const machine_sweep_task&) {
  return messages::sweep_reply{}; // nothing was made
}

} // namespace banger::helper
