// Block devices and the ext4 on them.
#pragma once

#include "guest/result.hpp"

#include <cstdint>
#include <string>

namespace banger::guest {

std::string disk_path(std::uint32_t index); ///< 0 is /dev/vda

struct disk_size {
  std::uint64_t device = 0, file_system = 0; ///< bytes
};

/// Of a mounted ext4: how large it is, and how large it could be.
result<disk_size> measure(const std::string& device, const std::string& mount_point);

/// Makes the file system as large as its device, mounted as it is. Answers its bytes.
result<std::uint64_t> grow(const std::string& device, const std::string& mount_point);

} // namespace banger::guest
