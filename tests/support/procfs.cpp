#include "tests/support/procfs.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace banger::test {

namespace fs = std::filesystem;

namespace {

// Empty, too, if its process ends just now.
std::string slurp(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::optional<std::string> line_of(const fs::path& status, std::string_view name) {
  std::ifstream in(status);
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(name) && line.size() > name.size() && line[name.size()] == ':') {
      const auto at = line.find_first_not_of(" \t", name.size() + 1);
      return at == std::string::npos ? "" : line.substr(at);
    }
  return std::nullopt;
}

fs::path proc(pid_t pid) { return "/proc/" + std::to_string(pid); }

// Hypervisors get everything as descriptors: neither their arguments nor their environment tell.
bool has_open(pid_t pid, std::string_view text) {
  std::error_code ignored;
  for (const auto& fd : fs::directory_iterator(proc(pid) / "fd", ignored))
    if (fs::read_symlink(fd.path(), ignored).native().find(text) != std::string::npos)
      return true;
  return false;
}

} // namespace

bool alive(pid_t pid) {
  const auto state = status_line(pid, "State");
  return state && !state->starts_with("Z") && !state->starts_with("X");
}

std::string command_line(pid_t pid) { return slurp(proc(pid) / "cmdline"); }

std::vector<pid_t> processes_with(std::string_view text) {
  std::vector<pid_t> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const auto pid = static_cast<pid_t>(std::atol(entry.path().filename().c_str()));
    if (pid <= 0 || pid == ::getpid() || !alive(pid))
      continue;
    if (command_line(pid).find(text) != std::string::npos ||
        slurp(proc(pid) / "environ").find(text) != std::string::npos || has_open(pid, text))
      found.push_back(pid);
  }
  return found;
}

std::optional<std::string> status_line(pid_t pid, std::string_view name) {
  return line_of(proc(pid) / "status", name);
}

std::int64_t status_number(pid_t pid, std::string_view name) {
  return std::atoll(status_line(pid, name).value_or("0").c_str());
}

std::int64_t wake_ups(pid_t pid) {
  std::int64_t sum = 0;
  std::error_code ignored;
  for (const auto& task : fs::directory_iterator(proc(pid) / "task", ignored))
    sum += std::atoll(
        line_of(task.path() / "status", "voluntary_ctxt_switches").value_or("0").c_str());
  return sum;
}

} // namespace banger::test
