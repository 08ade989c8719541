// The first root of every guest: banger-init, the modules it loads, and folders to mount on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace banger::boot {

struct named_bytes {
  std::string name; ///< file name under /modules
  std::string bytes;
};

/// A newc archive. Nothing in it depends on a VM, a user or the time.
std::string make_initramfs(std::string_view banger_init, const std::vector<named_bytes>& modules,
                           std::string_view order);

} // namespace banger::boot
