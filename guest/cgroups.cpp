#include "guest/cgroups.hpp"

#include "guest/files.hpp"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <vector>

namespace banger::guest {

namespace {

constexpr const char* top = "/sys/fs/cgroup/banger";
/// An extended attribute of groups whose session is over: our successor finds it.
constexpr const char* left_behind = "trusted.banger.left";
bool available = false;
std::vector<std::string> left_over;

} // namespace

void prepare_cgroups() {
  available = ::access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0 && make_folder(top).has_value();
}

void resume_cgroups() {
  available = is_folder(top);
  DIR* groups = ::opendir(top);
  if (groups == nullptr)
    return;
  while (const dirent* entry = ::readdir(groups)) {
    auto path = std::string(top) + '/' + entry->d_name;
    if (entry->d_name[0] == '.' || !is_folder(path))
      continue;
    if (::getxattr(path.c_str(), left_behind, nullptr, 0) < 0)
      kill_cgroup(path);
    left_over.push_back(std::move(path));
  }
  ::closedir(groups);
}

std::string make_cgroup(std::uint32_t id) {
  std::erase_if(left_over, [](const auto& path) { return ::rmdir(path.c_str()) == 0; });
  if (!available)
    return {};
  // A group left over may still have the name of this session.
  static std::uint64_t count = 0;
  const auto base = std::string(top) + '/' + std::to_string(id) + '.';
  std::string path;
  do
    path = base + std::to_string(++count);
  while (::mkdir(path.c_str(), 0755) != 0 && errno == EEXIST);
  return is_folder(path) ? path : std::string();
}

bool kill_cgroup(const std::string& path) {
  return !path.empty() && write_into(path + "/cgroup.kill", "1").has_value();
}

void remove_cgroup(std::string path) {
  if (path.empty() || ::rmdir(path.c_str()) == 0)
    return;
  ::setxattr(path.c_str(), left_behind, "1", 1, 0);
  left_over.push_back(std::move(path));
}

} // namespace banger::guest
