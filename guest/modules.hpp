// Kernel modules from the initramfs.
#pragma once

#include "guest/result.hpp"

#include <string>
#include <vector>

namespace banger::guest {

/// Loads `/modules/NAME`. No error if the file is not there (built into the kernel) or it is
/// loaded.
done load_module(const std::string& name);

/// Loads them in this order; answers what went wrong, a line each.
std::vector<std::string> load_modules(const std::vector<std::string>& names);

/// Loads them in a child, so that the loop goes on. The descriptor can be read: a line for each
/// thing that went wrong, an empty line for each module that is there; its end is the end.
result<unique_fd> load_in_background(const std::vector<std::string>& names);

} // namespace banger::guest
