// A folder for one test, and small helpers around it.
#pragma once

#include "messages/base/unique_fd.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <string>
#include <string_view>

namespace banger::test {

class scratch_folder {
public:
  scratch_folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "banger-hv-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
      std::abort();
    path_ = pattern;
  }
  ~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;

  const std::filesystem::path& path() const { return path_; }

  std::filesystem::path file(const std::string& name, std::string_view content,
                             bool executable = false) const {
    const auto target = path_ / name;
    std::ofstream(target) << content;
    if (executable)
      std::filesystem::permissions(target, std::filesystem::perms(0755));
    return target;
  }

private:
  std::filesystem::path path_;
};

inline std::string content(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// Readable, or at its end, within the time?
inline bool becomes_readable(int fd, int milliseconds = 10'000) {
  pollfd watched{fd, POLLIN, 0};
  return ::poll(&watched, 1, milliseconds) == 1;
}

} // namespace banger::test
