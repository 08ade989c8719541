#include "guest/files.hpp"

#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

namespace banger::guest {

tl::unexpected<problem> failed_to(std::string what, int number) {
  what += ": ";
  what += std::strerror(number);
  return tl::unexpected(problem{number, std::move(what)});
}

std::string read_file(const std::string& path, std::size_t limit) {
  const unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  char buffer[4096];
  while (fd && text.size() < limit) {
    const auto size = ::read(fd.get(), buffer, sizeof buffer);
    if (size <= 0)
      break;
    text.append(buffer, static_cast<std::size_t>(size));
  }
  return text;
}

namespace {

done write_all(int fd, const std::string& path, std::string_view text) {
  while (!text.empty()) {
    const auto size = ::write(fd, text.data(), text.size());
    if (size < 0 && errno == EINTR)
      continue;
    if (size < 0)
      return failed_to("write " + path);
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return {};
}

} // namespace

done write_into(const std::string& path, std::string_view text) {
  const unique_fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd)
    return failed_to("open " + path);
  return write_all(fd.get(), path, text);
}

done write_file(const std::string& path, std::string_view text, mode_t mode) {
  const auto draft = path + ".banger";
  {
    const unique_fd fd(::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
    if (!fd)
      return failed_to("create " + path);
    if (auto ok = write_all(fd.get(), path, text); !ok)
      return ok;
    if (::fchmod(fd.get(), mode) != 0)
      return failed_to("chmod " + path);
  }
  if (::rename(draft.c_str(), path.c_str()) != 0)
    return failed_to("replace " + path);
  return {};
}

done make_folder(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST)
    return {};
  const auto slash = path.rfind('/');
  if (errno != ENOENT || slash == 0 || slash == std::string::npos)
    return failed_to("make folder " + path);
  if (auto ok = make_folder(path.substr(0, slash)); !ok)
    return ok;
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
    return failed_to("make folder " + path);
  return {};
}

bool is_folder(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool is_empty_folder(const std::string& path) {
  DIR* folder = ::opendir(path.c_str());
  if (folder == nullptr)
    return true;
  bool empty = true;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != ".." && name != "lost+found")
      empty = false;
  }
  ::closedir(folder);
  return empty;
}

namespace {

void log_line(const char* level, std::string_view line) {
  const unique_fd fd(::open("/dev/kmsg", O_WRONLY | O_CLOEXEC));
  std::string text = level;
  text += "banger: ";
  text += line;
  text += '\n';
  // Where the log cannot be written there is nobody left to tell.
  [[maybe_unused]] const auto size = ::write(fd.get(), text.data(), text.size());
}

} // namespace

void klog(std::string_view line) { log_line("<6>", line); }
void klog_error(std::string_view line) { log_line("<3>", line); }

} // namespace banger::guest
