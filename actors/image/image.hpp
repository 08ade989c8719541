// What is known of an image that is there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace banger::image {

struct image_info {
  std::string name;
  std::filesystem::path file; ///< raw ext4 disk, never written to
  std::uint64_t bytes = 0;
  std::string sha256; ///< of its content; see storage::file_record
  std::string made_at;
  std::string init;                 ///< what runs as PID 1 in it; empty: banger-init stays
  std::vector<std::string> include; ///< packages beside those of its recipe
};

} // namespace banger::image
