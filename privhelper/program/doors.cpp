#include "privhelper/program/doors.hpp"

#include <cerrno>
#include <cstdlib>
#include <string>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include <vector>

namespace banger::helper {

namespace fs = std::filesystem;

namespace {

// Whoever may rename anything on the way could have us make and give away files elsewhere.
expected<void> check_is_roots(const fs::path& folder, bool last_one_too) {
  const auto refuse = [](const fs::path& at, std::string why) {
    return fail(errc::unauthorized, "will not serve in " + at.string(), std::move(why),
                "use a folder that only root can change, such as /run/banger");
  };
  if (!folder.is_absolute() || folder != folder.lexically_normal())
    return refuse(folder, "the path is not absolute, or has . or .. in it");
  fs::path at;
  for (const auto& part : folder) {
    at /= part;
    struct stat info {};
    if (::lstat(at.c_str(), &info) != 0)
      return fail_errno("cannot look at " + at.string(), errno);
    if (!S_ISDIR(info.st_mode))
      return refuse(at, "it is no folder");
    if (info.st_uid != ::geteuid() && info.st_uid != 0)
      return refuse(at, "it belongs to user " + std::to_string(info.st_uid));
    const bool others_write = (info.st_mode & (S_IWGRP | S_IWOTH)) != 0;
    const bool sticky = (info.st_mode & S_ISVTX) != 0;
    if (others_write && (!sticky || (last_one_too && at == folder)))
      return refuse(at, "others may write in it");
  }
  return {};
}

expected<void> make_folder(const fs::path& folder) {
  if (auto ok = check_is_roots(folder.parent_path(), false); !ok)
    return ok;
  const bool made = ::mkdir(folder.c_str(), 0700) == 0;
  if (!made && errno != EEXIST)
    return fail_errno("cannot make " + folder.string(), errno);
  if (auto ok = check_is_roots(folder, true); !ok)
    return ok;
  if (made && ::chmod(folder.c_str(), 0755) != 0) // the owner goes through it
    return fail_errno("cannot open " + folder.string() + " to the owner", errno);
  return {};
}

/// The descriptor that systemd passed under this name; -1: none.
int passed(const std::string& name) {
  char** names = nullptr;
  const int count = ::sd_listen_fds_with_names(0, &names);
  int found = -1;
  for (int i = 0; i < count; ++i) {
    if (name == names[i])
      found = SD_LISTEN_FDS_START + i;
    std::free(names[i]);
  }
  std::free(names);
  return found;
}

expected<local::listener> open_door(const std::string& name, const fs::path& folder, uid_t owner,
                                    int type) {
  if (const int fd = passed(name); fd >= 0)
    return local::take_over(fd, type);
  if (auto ok = make_folder(folder); !ok)
    return tl::unexpected(ok.error());
  return local::listen(folder / (name + ".sock"), owner, type);
}

// Of the other role: whoever has its socket can be taken for it.
void close_passed(role r) {
  char** names = nullptr;
  const int count = ::sd_listen_fds_with_names(0, &names);
  for (int i = 0; i < count; ++i) {
    const std::string_view name(names[i]);
    const bool ours = name == to_string(r) || (r == role::network && name == "descriptors");
    if (!ours)
      ::close(SD_LISTEN_FDS_START + i);
    std::free(names[i]);
  }
  std::free(names);
}

expected<doors> open_all(role r, const fs::path& folder, uid_t owner) {
  doors d;
  auto orders = open_door(std::string(to_string(r)), folder, owner, SOCK_STREAM);
  if (!orders)
    return tl::unexpected(orders.error());
  d.orders = std::move(*orders);
  if (r != role::network)
    return d;
  auto descriptors = open_door("descriptors", folder, owner, SOCK_SEQPACKET);
  if (!descriptors)
    return tl::unexpected(descriptors.error());
  d.descriptors = std::move(*descriptors);
  return d;
}

} // namespace

// At the end: systemd's library finds none of them any more where one is closed.
expected<doors> open_doors(role r, const fs::path& folder, uid_t owner) {
  auto opened = open_all(r, folder, owner);
  close_passed(r);
  return opened;
}

void inherit_passed(pid_t parent) {
  const auto* meant = std::getenv("LISTEN_PID");
  if (meant != nullptr && meant == std::to_string(parent))
    ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
}

} // namespace banger::helper
