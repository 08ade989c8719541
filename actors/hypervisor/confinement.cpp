#include "actors/hypervisor/confinement.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace banger::hypervisor {

namespace fs = std::filesystem;

namespace {

constexpr uid_t nobody = 65534;

// In a container only some ids exist; to become another one fails there.
bool id_exists(const char* map_file, std::uint32_t id) {
  std::ifstream map(map_file);
  std::uint64_t inside = 0, outside = 0, count = 0;
  while (map >> inside >> outside >> count)
    if (id >= inside && id - inside < count)
      return true;
  return false;
}

bool user_exists(std::uint32_t id) {
  return id_exists("/proc/self/uid_map", id) && id_exists("/proc/self/gid_map", id);
}

// The first capability that this thread lacks to run a process as another user and to end it.
const char* missing_capability() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  if (::syscall(SYS_capget, &header, sets) != 0)
    return nullptr; // the attempt tells
  const auto lacks = [&sets](int capability) { return (sets[0].effective >> capability & 1) == 0; };
  return lacks(CAP_SETUID)   ? "CAP_SETUID"
         : lacks(CAP_SETGID) ? "CAP_SETGID"
         : lacks(CAP_KILL)   ? "CAP_KILL"
                             : nullptr;
}

// The resolver's file is replaced by rename when the network changes; a rule on the file would go
// with it, so it is on the folder where that folder is made for it.
fs::path resolver_place() {
  std::error_code none;
  const auto file = fs::canonical("/etc/resolv.conf", none);
  if (none)
    return "/etc/resolv.conf";
  return file.parent_path() == "/etc" ? file : file.parent_path();
}

} // namespace

std::uint32_t vm_uid(const fs::path& folder) {
  const auto text = folder.lexically_normal().string();
  std::uint32_t hash = 2166136261U; // FNV-1a
  for (const char c : text)
    hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return first_vm_uid + hash % vm_uid_count;
}

run_as choose_user(const launch_plan& plan) {
  run_as user;
  user.uid = ::geteuid();
  user.gid = ::getegid();
  if (user.uid != 0)
    return user;
  if (const auto* lacking = missing_capability()) {
    user.why_root = std::string("no ") + lacking + " here to run it as another user";
    return user;
  }
  auto id = vm_uid(plan.log.parent_path());
  if (!user_exists(id))
    id = nobody;
  if (!user_exists(id)) {
    user.why_root = "no other user exists here";
    return user;
  }
  user = {true, id, id, {}};
  for (const auto& path : plan.writable) {
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && S_ISCHR(info.st_mode) && info.st_gid != 0 &&
        (info.st_mode & (S_IWGRP | S_IWOTH)) == S_IWGRP)
      user.groups.push_back(info.st_gid);
  }
  return user;
}

landlock_rules file_rules(const launch_plan& plan) {
  const fs::path binary = plan.argv.front();
  const auto prefix = binary.parent_path().parent_path();
  landlock_rules rules;
  // What is executed is the program and its loader; libraries are only read.
  rules.execute = {binary, "/lib64/ld-linux-x86-64.so.2"};
  rules.read = {"/lib",
                "/lib64",
                "/usr/lib",
                "/usr/lib64",
                "/usr/share/qemu",
                "/usr/share/seabios",
                prefix / "lib",
                prefix / "share/qemu",
                "/etc/ld.so.cache",
                "/dev/urandom",
                "/sys/devices/system/cpu/online",
                "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size"};
  rules.read.insert(rules.read.end(), plan.readable.begin(), plan.readable.end());
  if (plan.connects)
    rules.read.push_back(resolver_place());
  rules.write = plan.writable;
  rules.write.emplace_back("/dev/null");
  rules.connect_tcp = plan.connects;
  return rules;
}

std::string describe_confinement(std::uint32_t bars, int abi, const run_as& user) {
  std::string text = (bars & bar_landlock) != 0 ? "landlock ABI " + std::to_string(abi)
                                                : "no landlock (this kernel does not offer it)";
  if ((bars & bar_seccomp) != 0)
    text += ", seccomp";
  if ((bars & bar_network) != 0)
    text += ", own network namespace";
  if ((bars & bar_user) != 0)
    text += ", uid " + std::to_string(user.uid);
  else if (user.uid == 0)
    text += ", root without capabilities" +
            (user.why_root.empty() ? std::string() : " (" + user.why_root + ")");
  return text;
}

} // namespace banger::hypervisor
