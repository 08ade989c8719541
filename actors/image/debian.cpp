#include "actors/image/debian.hpp"

#include "actors/image/bootstrap.hpp"
#include "actors/image/debian_tree.hpp"

#include <algorithm>

namespace banger::image {

namespace fs = std::filesystem;

namespace {

// What a VM's root can grow into; an image is sparse, so that it costs nothing.
constexpr std::uint64_t least_bytes = 4 * GiB, room = 512 * MiB;
constexpr std::uint64_t longest_status = 64 * MiB;

// Files that were left out or replaced keep no owner of their own.
void forget_absent(owner_map& owners, const fs::path& tree) {
  std::erase_if(owners, [&](const auto& entry) {
    std::error_code ignored;
    return !fs::exists(fs::symlink_status(tree / entry.first.substr(1), ignored));
  });
}

} // namespace

expected<filling> fill_debian(const fs::path& tree, const recipe& what, const fs::path& work,
                              const storage::progress_fn& progress, const std::stop_token& stop) {
  tar_options options;
  options.unwanted = is_unwanted_in_debian;
  auto content = bootstrap(what, tree, work, options, progress, stop);
  if (!content)
    return tl::unexpected(content.error());
  if (auto ok = dress_debian(tree); !ok)
    return tl::unexpected(ok.error());
  auto status = storage::read_file(tree / "var/lib/dpkg/status", longest_status);
  if (!status)
    return fail(errc::operation_failed, "cannot make a Debian image",
                "no package is installed in what mmdebstrap made");
  forget_absent(content->owners, tree);
  filling ready;
  ready.disk.bytes = std::max(least_bytes, content->bytes / 2 * 3 + room) / MiB * MiB;
  ready.disk.label = "banger-debian";
  ready.disk.journal = true;
  ready.disk.owners = std::move(content->owners);
  ready.packages = installed_packages(*status);
  return ready;
}

} // namespace banger::image
