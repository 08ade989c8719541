#include "actors/vms/orphans.hpp"

#include "actors/hypervisor/process.hpp"
#include "actors/storage/files.hpp"
#include "actors/vm/vm_file.hpp"

#include <algorithm>

namespace banger::vms {

namespace fs = std::filesystem;

namespace {

std::uint64_t used_bytes(const fs::path& folder) {
  std::uint64_t all = 0;
  std::error_code ignored;
  for (const auto& file : fs::directory_iterator(folder, ignored))
    if (fs::is_regular_file(file.symlink_status(ignored)))
      all += storage::allocated_bytes(file.path()).value_or(0);
  return all;
}

hypervisor::process_id running_in(const fs::path& folder) {
  const auto process = hypervisor::recorded_process(folder);
  return process && hypervisor::alive(*process) ? *process : hypervisor::process_id{};
}

// A file of the image folder, and no other one: the guest reads what it stands on.
expected<void> check_image(const vm::record& r, const fs::path& images) {
  if (r.machine.root_disk == "reflink")
    return {};
  const fs::path file = r.machine.image_file;
  const auto inside = file.lexically_normal().lexically_relative(images.lexically_normal());
  if (inside.empty() || *inside.begin() == "..")
    return fail(errc::corrupted, "its root disk stands on " + file.string(),
                "that is not in " + images.string());
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored))
    return fail(errc::corrupted, "the image under it is gone: " + file.string());
  return {};
}

// The guest of a VM on a bridge lost its network when the daemon started.
expected<void> check_running(const vm::record& r) {
  if (r.machine.process.pid == 0 || r.machine.bridge.empty())
    return {};
  return fail(errc::busy,
              "its hypervisor runs, with pid " + std::to_string(r.machine.process.pid) +
                  ", and was on the bridge " + r.machine.bridge,
              {}, "shut the guest down, or `kill " + std::to_string(r.machine.process.pid) + "`");
}

} // namespace

orphan look_at_orphan(const fs::path& folder, const fs::path& images) {
  orphan found;
  std::error_code ignored;
  if (!fs::is_directory(fs::symlink_status(folder, ignored)))
    return found;
  const auto process = running_in(folder);
  auto& view = found.view;
  view.id = folder.filename().string();
  view.folder = folder.string();
  view.used_bytes = used_bytes(folder);
  view.pid = process.pid;
  auto file = vm::read_vm_file(folder);
  if (!file) {
    view.problem =
        file.error().code == errc::not_found ? "it has no vm.json" : describe(file.error());
    return found;
  }
  auto& vm = file->vm;
  view.name = vm.name.str();
  view.image = vm.wanted.image.str();
  vm.machine.process = process;
  vm.now = process.pid == 0 ? vm::state::stopped : vm::state::running;
  vm.wanted.ephemeral = false; // who takes it back wants to have it
  const auto usable =
      vm::check_disks(vm, folder).and_then([&] { return check_image(vm, images); }).and_then([&] {
        return check_running(vm);
      });
  if (usable)
    found.vm = std::move(vm);
  else
    view.problem = describe(usable.error());
  return found;
}

expected<void> remove_orphan(const fs::path& folder) {
  std::error_code why;
  if (!fs::is_directory(fs::symlink_status(folder, why)))
    return fail(errc::not_found, "there is no folder " + folder.string());
  if (const auto process = running_in(folder); process.pid != 0)
    return fail(errc::busy, "a hypervisor runs in " + folder.string(),
                "its pid is " + std::to_string(process.pid),
                "take the VM back with `banger vm adopt " + folder.filename().string() +
                    "`, or end it with `kill " + std::to_string(process.pid) + "`");
  fs::remove_all(folder, why);
  if (why)
    return fail(errc::operation_failed, "cannot remove " + folder.string(), why.message());
  return storage::flush(folder.parent_path());
}

} // namespace banger::vms
