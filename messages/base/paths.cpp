#include "messages/base/paths.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace banger {

namespace fs = std::filesystem;

namespace {

// XDG: a relative path in one of these variables is to be ignored.
fs::path from_env(const char* variable) {
  const char* value = std::getenv(variable);
  if (value == nullptr)
    return {};
  fs::path path(value);
  return path.is_absolute() ? path : fs::path{};
}

fs::path base(const char* variable, const fs::path& home, const char* otherwise) {
  auto given = from_env(variable);
  return (given.empty() ? home / otherwise : given) / "banger";
}

// In a container HOME is often a folder that is root's or read-only.
tl::unexpected<failure> cannot_make(const fs::path& folder, int error) {
  auto failed = fail_errno("cannot make the folder " + folder.string(), error);
  if (error == EACCES || error == EROFS || error == ENOENT)
    failed.value().remedy =
        "set HOME, or the XDG variable that it comes from, to a folder that this user may write";
  return failed;
}

} // namespace

expected<folders> find_folders() {
  const auto home = from_env("HOME");
  if (home.empty())
    return fail(errc::bad_request, "cannot tell where your files go",
                "HOME is not set to an absolute path", "set HOME");
  folders f;
  const auto runtime = from_env("XDG_RUNTIME_DIR");
  f.runtime = runtime.empty() ? fs::path("/tmp/banger-runtime-" + std::to_string(::getuid()))
                              : runtime / "banger";
  f.state = base("XDG_STATE_HOME", home, ".local/state");
  f.cache = base("XDG_CACHE_HOME", home, ".cache");
  f.config = base("XDG_CONFIG_HOME", home, ".config");
  if (auto ok = check_socket_path(daemon_socket(f)); !ok)
    return tl::unexpected(ok.error());
  return f;
}

expected<void> secure_folder(const fs::path& folder) {
  std::error_code ignored;
  fs::create_directories(folder.parent_path(), ignored);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return cannot_make(folder, errno);
  struct stat info {};
  if (::lstat(folder.c_str(), &info) != 0)
    return fail_errno("cannot look at " + folder.string(), errno);
  const auto refuse = [&](const char* why, const char* remedy) {
    return fail(errc::unauthorized, "will not use the folder " + folder.string(), why, remedy);
  };
  if (!S_ISDIR(info.st_mode))
    return refuse("it is a link or a file, not a folder", "remove it");
  if (info.st_uid != ::geteuid())
    return refuse("it belongs to another user", "set XDG_RUNTIME_DIR to a folder of yours");
  if ((info.st_mode & 077) != 0)
    return refuse("other users may enter it", "close it with chmod 700");
  return {};
}

expected<void> check_socket_path(const fs::path& path) {
  constexpr auto limit = sizeof(sockaddr_un::sun_path) - 1;
  if (path.native().size() <= limit)
    return {};
  return fail(errc::bad_request, "the socket path is too long: " + path.string(),
              std::to_string(path.native().size()) + " bytes; an address holds " +
                  std::to_string(limit),
              "set XDG_RUNTIME_DIR to a shorter folder");
}

expected<std::string> read_all(int fd, const std::string& name, std::size_t most) {
  std::string text;
  std::array<char, 4096> piece;
  while (text.size() <= most) {
    const auto n = ::read(fd, piece.data(), piece.size());
    if (n == 0)
      return text;
    if (n > 0)
      text.append(piece.data(), static_cast<std::size_t>(n));
    else if (errno != EINTR)
      return fail_errno("cannot read " + name, errno);
  }
  return fail(errc::bad_request, "cannot read " + name,
              "it is larger than " + std::to_string(most / 1024) + " KiB");
}

} // namespace banger
