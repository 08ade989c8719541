#include "guest/cgroups.hpp"

#include "guest/files.hpp"

#include <sys/stat.h>
#include <vector>

namespace banger::guest {

namespace {

constexpr const char* top = "/sys/fs/cgroup/banger";
bool available = false;
std::vector<std::string> left_over;

} // namespace

void prepare_cgroups() {
  available = ::access("/sys/fs/cgroup/cgroup.procs", F_OK) == 0 && make_folder(top).has_value();
}

std::string make_cgroup(std::uint32_t id) {
  std::erase_if(left_over, [](const auto& path) { return ::rmdir(path.c_str()) == 0; });
  static std::uint64_t count = 0; // a group left over may still have the name of this session
  auto path = std::string(top) + '/' + std::to_string(id) + '.' + std::to_string(++count);
  if (!available || ::mkdir(path.c_str(), 0755) != 0)
    return {};
  return path;
}

bool kill_cgroup(const std::string& path) {
  return !path.empty() && write_into(path + "/cgroup.kill", "1").has_value();
}

void remove_cgroup(std::string path) {
  if (!path.empty() && ::rmdir(path.c_str()) != 0)
    left_over.push_back(std::move(path));
}

} // namespace banger::guest
