// Which kernel modules the guest loads before it can mount its root, and in which order.
#pragma once

#include "messages/base/error.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace banger::boot {

/// Modules by the name that `modprobe` takes; "-" and "_" are the same.
struct module_wishes {
  std::vector<std::string> console; ///< what the agent's channel needs: loaded before hello
  std::vector<std::string> rest;    ///< loaded after it, while the daemon prepares `configure`
};
module_wishes default_modules();

/// Files in the order of loading, what each depends on before it. Built-in ones are left out.
struct module_plan {
  std::vector<std::filesystem::path> console, rest;
};

/// The text of /modules/order in the initramfs: file names, one a line, the line `--` between the
/// two groups. banger-init loads them from /modules/ in this order.
std::string order_text(const module_plan& plan);

/// `tree` is .../lib/modules/VERSION. `not_found`: a module, or one that it depends on, is neither
/// there nor built in. `corrupted`: a module is damaged, and errors of `read_module`.
expected<module_plan> plan_modules(const std::filesystem::path& tree, const module_wishes& wishes);

/// The module in the file, unpacked: also of `.ko.xz`, `.ko.zst` and `.ko.gz`. `bad_request`:
/// damaged.
expected<std::string> read_module(const std::filesystem::path& file);

/// Of "virtio.ko.xz" and the like: "virtio.ko", as it is called in the initramfs.
std::string unpacked_name(const std::filesystem::path& file);

/// "depends" of a module's .modinfo. `bad_request`: not a module.
expected<std::vector<std::string>> module_depends(std::string_view ko);

} // namespace banger::boot
