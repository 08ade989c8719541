#include "guest/mounts.hpp"

#include "guest/disks.hpp"
#include "guest/files.hpp"
#include "guest/modules.hpp"

#include <algorithm>
#include <cstdio>
#include <ftw.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>

namespace banger::guest {

namespace {

constexpr const char* new_root = "/newroot";
constexpr const char* base_layer = "/base";
constexpr const char* upper_layer = "/upper";
constexpr const char* layers = "/run/banger";

done mount_at(const char* source, const std::string& target, const char* type, unsigned long flags,
              const char* options = "") {
  if (auto ok = make_folder(target); !ok)
    return ok;
  if (::mount(source, target.c_str(), type, flags, options) != 0)
    return failed_to("mount " + std::string(source) + " on " + target);
  return {};
}

done move_mount_to(const std::string& from, const std::string& to) {
  return mount_at(from.c_str(), to, nullptr, MS_MOVE, nullptr);
}

void note(done ok, notes& said) {
  if (!ok)
    said.push_back(std::move(ok.error().text));
}

done mount_disk(const disk_body& disk, const std::string& target) {
  const bool read_only = disk.role == disk_role::base || disk.role == disk_role::modules;
  // A journal of a read-only disk cannot be replayed; it is clean, since nobody writes it.
  return mount_at(disk_path(disk.index).c_str(), target, "ext4", read_only ? MS_RDONLY : 0,
                  read_only ? "noload" : "");
}

done mount_overlay(const disk_body& base, const disk_body& upper) {
  if (auto ok = load_module("overlay.ko"); !ok)
    return ok;
  if (auto ok = mount_disk(base, base_layer); !ok)
    return ok;
  if (auto ok = mount_disk(upper, upper_layer); !ok)
    return ok;
  for (const char* folder : {"/upper/u", "/upper/w"})
    if (auto ok = make_folder(folder); !ok)
      return ok;
  return mount_at("overlay", new_root, "overlay", 0,
                  "lowerdir=/base,upperdir=/upper/u,workdir=/upper/w");
}

done mount_root(const std::vector<disk_body>& disks, bool& overlay) {
  const auto* plain = find_role(disks, disk_role::root);
  const auto* base = find_role(disks, disk_role::base);
  const auto* upper = find_role(disks, disk_role::upper);
  overlay = plain == nullptr;
  if (plain != nullptr)
    return mount_disk(*plain, new_root);
  if (base != nullptr && upper != nullptr)
    return mount_overlay(*base, *upper);
  return refused("no disk has the role of the root");
}

} // namespace

const disk_body* find_role(const std::vector<disk_body>& disks, disk_role role) {
  const auto found =
      std::find_if(disks.begin(), disks.end(), [role](const auto& d) { return d.role == role; });
  return found == disks.end() ? nullptr : &*found;
}

std::string mount_point_of(disk_role role) {
  switch (role) {
  case disk_role::root: return "/";
  case disk_role::upper: return std::string(layers) + upper_layer;
  case disk_role::work: return "/root";
  case disk_role::base:
  case disk_role::modules: return {};
  }
  return {};
}

done mount_early() {
  if (auto ok = mount_at("dev", "/dev", "devtmpfs", MS_NOSUID); !ok && ok.error().number != EBUSY)
    return ok;
  return mount_at("sys", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC);
}

done enter_root(const std::vector<disk_body>& disks) {
  bool overlay = false;
  const std::string root = new_root;
  auto ok = mount_root(disks, overlay)
                .and_then([&] { return move_mount_to("/dev", root + "/dev"); })
                .and_then([&] { return move_mount_to("/sys", root + "/sys"); })
                .and_then([&] {
                  return mount_at("run", root + "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755");
                });
  if (!ok)
    return ok;
  // Within reach, so that they can be grown, and unmounted at the end.
  if (overlay)
    for (const char* layer : {base_layer, upper_layer})
      if (ok = move_mount_to(layer, root + layers + layer); !ok)
        return ok;
  if (::chdir(new_root) != 0 || ::mount(".", "/", nullptr, MS_MOVE, nullptr) != 0 ||
      ::chroot(".") != 0 || ::chdir("/") != 0)
    return failed_to("enter the root file system");
  return mount_at("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC);
}

namespace {

int remove_entry(const char* path, const struct stat*, int, FTW* at) {
  if (at->level > 0)
    ::remove(path); // what stays is noticed by whoever needs the room
  return 0;
}

// systemd empties /tmp while it boots, when commands are at work there already: we do it before.
void clear_tmp(notes& said) {
  constexpr const char* rule = "tmpfiles.d/tmp.conf";
  struct stat info {};
  const bool shipped = ::stat((std::string("/usr/lib/") + rule).c_str(), &info) == 0;
  if (!shipped || ::lstat((std::string("/etc/") + rule).c_str(), &info) == 0)
    return;
  if (::nftw("/tmp", remove_entry, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0)
    note(failed_to("empty /tmp"), said);
  note(make_folder("/run/tmpfiles.d").and_then([&] {
    return write_file(std::string("/run/") + rule, "d /tmp 1777 root root -\n");
  }),
       said);
}

} // namespace

void mount_common(bool whole, notes& said) {
  constexpr unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  note(mount_at("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
                "mode=620,gid=5,ptmxmode=666"),
       said);
  note(mount_at("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"), said);
  note(mount_at("cgroup2", "/sys/fs/cgroup", "cgroup2", flags, "nsdelegate"), said);
  if (whole)
    note(mount_at("tmp", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"), said);
  else
    clear_tmp(said);
  for (const auto& [target, link] :
       {std::pair{"/proc/self/fd", "/dev/fd"}, std::pair{"/proc/self/fd/0", "/dev/stdin"},
        std::pair{"/proc/self/fd/1", "/dev/stdout"}, std::pair{"/proc/self/fd/2", "/dev/stderr"}})
    if (::symlink(target, link) != 0 && errno != EEXIST)
      note(failed_to(std::string("link ") + link), said);
}

std::uint64_t mount_work(const std::vector<disk_body>& disks, notes& said) {
  const auto* disk = find_role(disks, disk_role::work);
  if (disk == nullptr)
    return 0;
  if (auto ok = mount_disk(*disk, "/root"); !ok) {
    note(std::move(ok), said);
    return 0;
  }
  if (is_empty_folder("/root"))
    ::chmod("/root", 0700);
  const auto device = disk_path(disk->index);
  const auto bytes = grow(device, "/root");
  if (bytes)
    return *bytes;
  said.push_back(bytes.error().text);
  const auto size = measure(device, "/root");
  return size ? size->file_system : 0;
}

void mount_modules(const std::vector<disk_body>& disks, notes& said) {
  const auto* disk = find_role(disks, disk_role::modules);
  utsname kernel{};
  ::uname(&kernel);
  // On images where /lib is a link to usr/lib the kernel follows it.
  const std::string target = "/lib/modules/" + std::string(kernel.release);
  if (disk != nullptr && is_empty_folder(target))
    note(mount_disk(*disk, target), said);
}

void bind_container_stores(const std::vector<disk_body>& disks, notes& said) {
  if (find_role(disks, disk_role::root) != nullptr)
    return;
  for (const std::string name : {"docker", "containerd"}) {
    const auto target = "/var/lib/" + name;
    const auto source = mount_point_of(disk_role::upper) + "/" + name;
    if (!is_folder(target))
      continue;
    note(make_folder(source, 0711).and_then([&] {
      return mount_at(source.c_str(), target, nullptr, MS_BIND, nullptr);
    }),
         said);
  }
}

} // namespace banger::guest
