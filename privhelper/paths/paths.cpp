#include "privhelper/paths/paths.hpp"

#include <cerrno>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace banger::helper {

namespace fs = std::filesystem;

namespace {

constexpr int attempts = 8;

constexpr std::uint64_t no_links = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

// Nothing mounted either, below the state folder: a file system of the owner's own (FUSE) answers
// when it likes. No links holds for the last component, too. O_NOFOLLOW besides would add nothing,
// but make the kernel open a link itself for O_PATH, and call one that is in a folder's place no
// folder. A rename elsewhere in the tree makes it unsure, and say so.
unique_fd open_strictly(int folder, const char* path, int flags, std::uint64_t resolve) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = resolve;
  for (int i = 0; i < attempts; ++i) {
    const auto fd = ::syscall(SYS_openat2, folder, path, &how, sizeof how);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
      return unique_fd(static_cast<int>(fd));
  }
  return {};
}

tl::unexpected<failure> refuse(const std::string& what, std::string why) {
  return fail(errc::unauthorized, "will not open " + what, std::move(why));
}

tl::unexpected<failure> cannot_open(const std::string& what, int error) {
  switch (error) {
  case ENOENT:
  case ENOTDIR: return fail(errc::not_found, "cannot open " + what, "there is no such thing");
  case ELOOP: return refuse(what, "a symbolic link is on the way");
  case EXDEV: return refuse(what, "it leads out of the folder, or something is mounted on the way");
  case ENOSYS:
    return fail(errc::unavailable, "cannot open " + what, "the kernel has no openat2",
                "use Linux 5.6 or later");
  default: return fail_errno("cannot open " + what, error);
  }
}

// O_NONBLOCK: a FIFO, or a lease that the owner holds on his file, must not make us wait. O_PATH
// for a socket: there is no other way to open one.
int flags_for(thing what, use how) {
  if (what == thing::folder)
    return O_RDONLY | O_DIRECTORY;
  if (what == thing::socket)
    return O_PATH;
  return (how == use::write ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_NOCTTY;
}

mode_t type_of(thing what) {
  switch (what) {
  case thing::file: return S_IFREG;
  case thing::folder: return S_IFDIR;
  case thing::socket: return S_IFSOCK;
  }
  return 0;
}

expected<void> look_at(int fd, thing what, uid_t owner, const std::string& name) {
  struct stat info {};
  if (::fstat(fd, &info) != 0)
    return fail_errno("cannot look at " + name, errno);
  if ((info.st_mode & S_IFMT) != type_of(what))
    return refuse(name, "it is no " + std::string(to_string(what)));
  if (info.st_uid != owner)
    return refuse(name, "it belongs to user " + std::to_string(info.st_uid) + ", not to user " +
                            std::to_string(owner));
  if (what != thing::file)
    return {};
  if (info.st_nlink != 1)
    return refuse(name, "it has " + std::to_string(info.st_nlink) + " names (hard links), not one");
  if ((info.st_mode & (S_ISUID | S_ISGID)) != 0)
    return refuse(name, "it is setuid or setgid");
  return {};
}

} // namespace

expected<unique_fd> open_state_folder(const fs::path& folder, uid_t owner) {
  const auto name = "the state folder '" + clean(folder.native()) + "'";
  if (!folder.is_absolute() || folder.native().find('\0') != std::string::npos)
    return fail(errc::bad_request, "cannot open " + name, "it is no absolute path");
  auto fd = open_strictly(AT_FDCWD, folder.c_str(), O_RDONLY | O_DIRECTORY, no_links);
  if (!fd)
    return cannot_open(name, errno);
  if (auto ok = look_at(fd.get(), thing::folder, owner, name); !ok)
    return tl::unexpected(ok.error());
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0 || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return refuse(name, "others than its owner may write into it");
  return fd;
}

expected<unique_fd> open_beneath(int state, const managed_path& path, uid_t owner, use how) {
  const auto name = "'" + clean(path.str()) + "' of the state folder";
  auto fd = open_strictly(state, path.str().c_str(), flags_for(path.what(), how),
                          no_links | RESOLVE_BENEATH | RESOLVE_NO_XDEV);
  if (!fd) {
    // What opening says of kinds that cannot be opened in this way.
    if (errno == ENXIO || errno == EISDIR)
      return refuse(name, "it is no " + std::string(to_string(path.what())));
    return cannot_open(name, errno);
  }
  if (auto ok = look_at(fd.get(), path.what(), owner, name); !ok)
    return tl::unexpected(ok.error());
  if (path.what() == thing::file)
    ::fcntl(fd.get(), F_SETFL, 0);
  return fd;
}

} // namespace banger::helper
