// The cpio format `newc`, which the kernel unpacks as its initramfs.
#pragma once

#include "messages/base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace banger::boot {

/// Builds an archive in memory. Same calls, same bytes: time 0, owner 0:0, inodes counted up.
/// Names are relative ("dev/console"); a folder comes before what is in it.
class newc_writer {
public:
  void directory(std::string_view name, std::uint32_t permissions = 0755);
  void file(std::string_view name, std::string_view content, std::uint32_t permissions = 0644);
  void symlink(std::string_view name, std::string_view target);
  void char_device(std::string_view name, std::uint32_t permissions, std::uint32_t major,
                   std::uint32_t minor);
  /// The archive with its trailer. The writer is empty after it.
  std::string finish();

private:
  struct device {
    std::uint32_t major = 0, minor = 0;
  };
  void add(std::string_view name, std::uint32_t mode, std::string_view content, device special);

  std::string out_;
  std::uint32_t inode_ = 0;
};

struct newc_entry {
  std::string name;
  std::uint32_t mode = 0; ///< type and permissions, as in stat
  std::uint32_t uid = 0, gid = 0, mtime = 0;
  std::uint32_t major = 0, minor = 0; ///< of a device
  std::string content;                ///< of a file; target of a symlink
};

/// Strict: `bad_request` names the entry's offset for a bad magic, a number that is not
/// hexadecimal, a length beyond the end, a name without its NUL or leaving the root, a missing
/// trailer, or bytes other than zeros after it.
expected<std::vector<newc_entry>> read_newc(std::string_view archive);

} // namespace banger::boot
