#include "messages/base/paths.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <vector>

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

bool lies_in(const fs::path& path, const fs::path& folder) {
  auto front = folder.lexically_normal().native();
  if (!front.ends_with('/'))
    front += '/';
  return (path.lexically_normal().native() + '/').starts_with(front);
}

// Where `folder` comes from, for a remedy.
const char* variable_of(const fs::path& folder) {
  for (const auto* name :
       {"XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"})
    if (const auto given = from_env(name); !given.empty() && lies_in(folder, given / "banger"))
      return name;
  return folder.parent_path() == "/tmp" ? "XDG_RUNTIME_DIR" : "HOME";
}

// In a container HOME is often a folder that is root's or read-only.
tl::unexpected<failure> cannot_make(const fs::path& folder, const fs::path& wanted, int error) {
  auto failed = fail_errno("cannot make the folder " + folder.string(), error);
  if (error == EACCES || error == EPERM || error == EROFS || error == ENOENT)
    failed.value().remedy =
        std::string("set ") + variable_of(wanted) + " to a folder that this user may write";
  return failed;
}

tl::unexpected<failure> refuse_other(const fs::path& folder, const fs::path& wanted, uid_t owner) {
  const std::string variable = variable_of(wanted);
  const auto remedy = ::geteuid() != 0 ? "set " + variable + " to a folder of yours"
                      : variable == "HOME"
                          ? "become root with its own HOME: `sudo -H`, `su -`"
                          : "unset " + variable + ", or set it to a folder of root's";
  return fail(errc::unauthorized, "will not use the folder " + wanted.string(),
              (folder == wanted ? "it" : folder.string()) + " belongs to another user (uid " +
                  std::to_string(owner) + ")",
              remedy);
}

// Root may write everywhere; what it makes in the folders of a user, that user cannot use any more.
// A sticky folder, such as /tmp, is everybody's.
expected<void> refuse_to_take_over(const fs::path& there, const fs::path& wanted) {
  struct stat info {};
  if (::geteuid() != 0 || ::stat(there.c_str(), &info) != 0 || info.st_uid == 0 ||
      (info.st_mode & S_ISVTX) != 0)
    return {};
  return refuse_other(there, wanted, info.st_uid);
}

// What is above `folder`, as far as it is missing.
expected<void> make_parents(const fs::path& folder) {
  std::vector<fs::path> missing;
  auto there = folder.parent_path();
  struct stat info {};
  while (::stat(there.c_str(), &info) != 0 && errno == ENOENT && there.has_relative_path()) {
    missing.push_back(there);
    there = there.parent_path();
  }
  if (const auto home = from_env("HOME"); !home.empty() && lies_in(folder, home))
    if (auto ok = refuse_to_take_over(home, folder); !ok)
      return ok;
  if (auto ok = refuse_to_take_over(there, folder); !ok)
    return ok;
  for (auto one = missing.rbegin(); one != missing.rend(); ++one)
    if (::mkdir(one->c_str(), 0777) != 0 && errno != EEXIST)
      return cannot_make(*one, folder, errno);
  return {};
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
  if (auto ok = make_parents(folder); !ok)
    return ok;
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return cannot_make(folder, folder, errno);
  struct stat info {};
  if (::lstat(folder.c_str(), &info) != 0)
    return fail_errno("cannot look at " + folder.string(), errno);
  const auto refuse = [&](const char* why, const std::string& remedy) {
    return fail(errc::unauthorized, "will not use the folder " + folder.string(), why, remedy);
  };
  if (!S_ISDIR(info.st_mode))
    return refuse("it is a link or a file, not a folder", "remove it");
  if (info.st_uid != ::geteuid())
    return refuse_other(folder, folder, info.st_uid);
  if ((info.st_mode & 077) != 0)
    return refuse("other users may enter it", "close it with `chmod 700 " + folder.string() + "`");
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
