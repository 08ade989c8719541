// The standard capabilities. Each one is a value; the order below is the order of the disks.
#include "actors/vm/capability.hpp"
#include "actors/vm/vm_file.hpp"

#include <algorithm>
#include <sys/random.h>
#include <sys/stat.h>

namespace banger::vm {

namespace fs = std::filesystem;

namespace {

constexpr auto root_names = {"root.img", "root.qcow2", "upper.img"};
constexpr const char* work_name = "work.img";

fs::path work_disk(const build& b) { return b.folder() / work_name; }

bool made_here(const build& b, std::string_view step) {
  return std::find(b.made.begin(), b.made.end(), step) != b.made.end();
}

expected<void> make_folder(build& b, const std::stop_token&) {
  std::error_code there;
  if (fs::exists(b.folder(), there))
    return {};
  b.made.emplace_back("folder");
  if (fs::create_directories(b.site.vms, there); there)
    return fail_errno("cannot make the folder " + b.site.vms.string(), there.value());
  if (::mkdir(b.folder().c_str(), 0700) != 0)
    return fail_errno("cannot make the VM's folder " + b.folder().string(), errno);
  return {};
}

void remove_folder(build& b) {
  if (!made_here(b, "folder"))
    return;
  std::error_code ignored;
  fs::remove_all(b.folder(), ignored);
  static_cast<void>(storage::flush(b.site.vms));
}

// The changes in a root disk are worth nothing without the very image they were made on.
expected<void> check_root(const build& b) {
  std::error_code why;
  if (b.vm.machine.root_disk == "reflink" || fs::exists(b.vm.machine.image_file, why))
    return {};
  if (why)
    return fail_errno("cannot look at " + b.vm.machine.image_file, why.value());
  return fail(errc::corrupted, "the image under VM " + b.vm.name.str() + " is gone",
              b.vm.machine.image_file,
              "put the file back, or delete the VM with `banger vm delete " + b.vm.name.str() +
                  "`");
}

// Made once and kept: a later start finds the kind in the record and the file in its place.
expected<void> make_root(build& b, const std::stop_token& stop) {
  if (!b.vm.machine.root_disk.empty())
    return check_root(b);
  b.made.emplace_back("root-disk");
  auto root = storage::make_root_disk(b.site.root_disk, b.image.file, b.folder(),
                                      b.vm.wanted.disk_bytes, stop);
  if (!root)
    return tl::unexpected(root.error());
  b.vm.machine.root_disk = storage::to_string(root->kind);
  b.vm.machine.image_file = b.image.file.string();
  b.vm.machine.init = b.image.init;
  return {};
}

void remove_root(build& b) {
  if (!made_here(b, "root-disk"))
    return;
  std::error_code ignored;
  for (const auto* name : root_names)
    fs::remove(b.folder() / name, ignored);
  b.vm.machine.root_disk.clear();
}

void shape_root(build& b) {
  const auto kind = storage::parse_root_disk_kind(b.vm.machine.root_disk)
                        .value_or(storage::root_disk_kind::overlay);
  switch (kind) {
  case storage::root_disk_kind::reflink:
    return add_disk(b, {b.folder() / "root.img"}, guest::disk_role::root);
  case storage::root_disk_kind::qcow2:
    return add_disk(
        b, {b.folder() / "root.qcow2", hypervisor::disk_format::qcow2, b.vm.machine.image_file},
        guest::disk_role::root);
  case storage::root_disk_kind::overlay:
    add_disk(b, {b.vm.machine.image_file, hypervisor::disk_format::raw, {}, true},
             guest::disk_role::base);
    return add_disk(b, {b.folder() / "upper.img"}, guest::disk_role::upper);
  }
}

expected<void> make_work(build& b, const std::stop_token& stop) {
  std::error_code there;
  if (fs::exists(work_disk(b), there))
    return {};
  b.made.emplace_back("work-disk");
  return storage::make_work_disk(work_disk(b), b.vm.wanted.disk_bytes,
                                 b.site.vms.parent_path() / "blanks", stop);
}

void remove_work(build& b) {
  std::error_code ignored;
  if (made_here(b, "work-disk"))
    fs::remove(work_disk(b), ignored);
}

expected<void> grow_work(build& b, const std::stop_token&) {
  std::error_code there;
  if (!fs::exists(work_disk(b), there))
    return {}; // made in its size at the start
  return storage::grow_file(work_disk(b), b.vm.wanted.disk_bytes).and_then([&] {
    return storage::flush(work_disk(b));
  });
}

// No guest has seen the larger disk yet; where an older copy of the database says so of one that
// has, there is data, and it stays.
void shrink_work(build& b) {
  std::error_code ignored;
  if (fs::file_size(work_disk(b), ignored) > b.vm.wanted.disk_bytes && !ignored &&
      !storage::has_data(work_disk(b), b.vm.wanted.disk_bytes))
    fs::resize_file(work_disk(b), b.vm.wanted.disk_bytes, ignored);
  static_cast<void>(storage::flush(work_disk(b)));
}

void shape_identity(build& b) {
  b.guest.hostname = b.vm.name.str();
  b.guest.machine_id = b.vm.machine_id;
  b.guest.init = b.vm.machine.init;
  b.guest.seed.resize(64);
  // Does not fail for 64 bytes once the host's generator is seeded (getrandom(2)).
  if (::getrandom(b.guest.seed.data(), b.guest.seed.size(), 0) < 0)
    b.guest.seed.clear();
}

void shape_network(build& b) {
  b.machine.nat = b.vm.wanted.nat;
  b.machine.network = b.port ? hypervisor::network_kind::tap : hypervisor::network_kind::user;
  if (b.port)
    b.machine.tap = b.port->tap;
  else
    b.vm.machine.bridge = b.vm.machine.in_the_way = {};
}

// On the bridge it has a way out always: what it may use of it can change while it runs.
void tell_bridge(build& b) {
  b.guest.mac = b.port->mac;
  b.guest.address = b.vm.machine.address;
  b.guest.gateway = b.port->gateway;
  b.guest.dns = b.site.dns.empty() && b.site.name_servers ? b.site.name_servers() : b.site.dns;
}

void tell_network(build& b) {
  if (b.port)
    return tell_bridge(b);
  const auto net = b.site.driver->network();
  b.guest.mac = net.mac;
  b.guest.address = net.address;
  // Where nothing answers, a guest that does not try fails at once.
  if (!b.vm.wanted.nat)
    return;
  b.guest.gateway = net.gateway;
  b.guest.dns = b.site.dns.empty() ? net.dns : b.site.dns;
}

} // namespace

expected<void> flush_files(const fs::path& vm_folder) {
  std::error_code none;
  std::vector<fs::path> files{vm_folder / work_name, vm_folder / vm_file_name};
  for (const auto* name : root_names)
    files.push_back(vm_folder / name);
  for (const auto& file : files)
    if (fs::exists(file, none))
      if (auto ok = storage::flush(file); !ok)
        return ok;
  return storage::flush(vm_folder).and_then(
      [&] { return storage::flush(vm_folder.parent_path()); });
}

std::vector<capability> standard_capabilities() {
  return {
      {"folder", {{{"folder", "making the VM's folder"}, make_folder, remove_folder}}, {}, {}, {}},
      {"root-disk",
       {{{"root-disk", "making the root disk"}, make_root, remove_root}},
       {},
       shape_root,
       {}},
      {"work-disk",
       {{{"work-disk", "making the work disk"}, make_work, remove_work}},
       {{{"grow-disk", "growing the work disk"}, grow_work, shrink_work}},
       [](build& b) { add_disk(b, {work_disk(b)}, guest::disk_role::work); },
       {}},
      {"modules",
       {},
       {},
       [](build& b) {
         add_disk(b, {b.kernel.modules_image, hypervisor::disk_format::raw, {}, true},
                  guest::disk_role::modules);
       },
       {}},
      {"network", {}, {}, shape_network, tell_network},
      {"identity", {}, {}, {}, shape_identity},
      {"nested", {}, {}, [](build& b) { b.machine.nested = b.vm.wanted.nested; }, {}},
  };
}

} // namespace banger::vm
