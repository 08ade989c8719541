#include "messages/base/paths.hpp"
#include "messages/base/unique_fd.hpp"
#include "messages/config/config.hpp"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>

namespace banger::config {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t largest = std::size_t{256} * 1024;
constexpr const char* system_file = "/etc/banger/config.toml";

// Not `exists`: a file that may not be looked at is there, and to be complained about.
bool is_there(const fs::path& file) {
  struct stat info {};
  return ::stat(file.c_str(), &info) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

expected<void> check_owner(const fs::path& file, const struct stat& info) {
  const auto refuse = [&](const char* why, const std::string& remedy) {
    return fail(errc::unauthorized, "will not read " + file.string(), why, remedy);
  };
  if (!S_ISREG(info.st_mode))
    return refuse("it is no file", "put a file there, or remove it");
  if (info.st_uid != ::geteuid() && info.st_uid != 0)
    return refuse("it belongs to another user", "make one of your own");
  if ((info.st_mode & S_IWOTH) != 0)
    return refuse("everybody may change it, and it names programs that run as you",
                  "chmod o-w " + file.string());
  if (static_cast<std::size_t>(info.st_size) > largest)
    return refuse("it is larger than 256 KiB", "a few lines are enough");
  return {};
}

expected<std::string> read(const fs::path& file) {
  // A FIFO must not make us wait.
  const unique_fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0)
    return fail_errno("cannot read " + file.string(), errno);
  if (auto ok = check_owner(file, info); !ok)
    return tl::unexpected(ok.error());
  return read_all(fd.get(), file.string(), largest);
}

} // namespace

expected<fs::path> find(const folders& where) {
  if (const char* given = std::getenv("BANGER_CONFIG"); given != nullptr && *given != '\0') {
    if (*given == '/')
      return fs::path(given);
    return fail(errc::bad_request, "cannot use the configuration '" + std::string(given) + "'",
                "BANGER_CONFIG is no absolute path", "correct or unset it");
  }
  for (const auto& file : {where.config / "config.toml", fs::path(system_file)})
    if (file.is_absolute() && is_there(file))
      return file;
  return fs::path();
}

expected<settings> load(const folders& where) {
  const auto file = find(where);
  if (!file)
    return tl::unexpected(file.error());
  if (file->empty())
    return settings{};
  const auto text = read(*file);
  if (!text)
    return tl::unexpected(text.error());
  const char* home = std::getenv("HOME");
  return parse(*text, *file, home != nullptr ? home : "/");
}

} // namespace banger::config
