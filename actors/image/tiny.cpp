#include "actors/image/tiny.hpp"

#include "actors/image/ext4.hpp"
#include "actors/image/tiny_tree.hpp"

#include <cerrno>
#include <sys/stat.h>

namespace banger::image {

namespace fs = std::filesystem;

namespace {

constexpr const char* manifest_name = "manifest.json";

expected<void> make_private_folder(const fs::path& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return fail_errno("cannot make the folder " + folder.string(), errno);
  return {};
}

// The caller holds the lock, so whatever lies under a temporary name is of a build that was killed.
// The image's name is of its content: a VM that stands on an older one can never meet this one.
expected<void> build_locked(const fs::path& folder, const storage::progress_fn& progress,
                            const std::stop_token& stop) {
  const auto parts = find_tiny_parts();
  if (!parts)
    return tl::unexpected(parts.error());
  if (progress)
    progress("image", "making the image tiny");
  std::error_code ignored;
  const storage::scrap tree(folder / "tree.tmp");
  storage::scrap image(folder / "rootfs.tmp");
  fs::remove_all(tree.path(), ignored);
  fs::remove(image.path(), ignored);
  if (auto ok = make_private_folder(tree.path()); !ok)
    return ok;
  if (auto ok = fill_tiny_tree(tree.path(), *parts, stop); !ok)
    return ok;
  const ext4_options options{tiny_bytes, "banger-tiny", false, tiny_owners()};
  if (auto ok = build_ext4(tree.path(), image.path(), options, stop); !ok)
    return ok;
  const auto digest = storage::sha256_file(image.path(), stop);
  if (!digest)
    return tl::unexpected(digest.error());
  const auto name = "rootfs-" + digest->substr(0, 12) + ".img";
  if (auto ok = image.publish(folder / name); !ok)
    return ok;
  return storage::write_manifest(folder, manifest_name, tiny_format, "tiny", {{name, *digest}});
}

bool must_build(const expected<storage::manifest>& m) {
  return m ? m->format != tiny_format : m.error().code == errc::not_found;
}

} // namespace

expected<image_info> ensure_tiny(const fs::path& folder, const storage::progress_fn& progress,
                                 const std::stop_token& stop) {
  if (!must_build(storage::read_manifest(folder, manifest_name)))
    return check_image(folder, storage::check_depth::quick, stop);
  if (auto ok = make_private_folder(folder); !ok)
    return tl::unexpected(ok.error());
  const auto lock = storage::lock_file(folder / "build.lock", stop);
  if (!lock)
    return tl::unexpected(lock.error());
  // Another one may have built it while this one waited.
  if (must_build(storage::read_manifest(folder, manifest_name)))
    if (auto ok = build_locked(folder, progress, stop); !ok)
      return tl::unexpected(ok.error());
  return check_image(folder, storage::check_depth::quick, stop);
}

expected<void> build_tiny(const fs::path& folder, const storage::progress_fn& progress,
                          const std::stop_token& stop) {
  if (auto ok = make_private_folder(folder); !ok)
    return ok;
  const auto lock = storage::lock_file(folder / "build.lock", stop);
  if (!lock)
    return tl::unexpected(lock.error());
  return build_locked(folder, progress, stop);
}

expected<image_info> check_image(const fs::path& folder, storage::check_depth depth,
                                 const std::stop_token& stop) {
  const auto m = storage::read_manifest(folder, manifest_name);
  if (!m)
    return tl::unexpected(m.error());
  const auto again = "delete the folder " + folder.string() + "; it is made again when needed";
  if (m->files.size() != 1)
    return fail(errc::corrupted, "the manifest of " + folder.string() + " is damaged",
                "it must name one file", again);
  if (auto ok = storage::check_files(folder, *m, depth, stop); !ok)
    return tl::unexpected(ok.error());
  const auto& record = m->files.front();
  const auto file = folder / record.name;
  if (auto ok = check_ext4(file); !ok) {
    auto f = ok.error();
    f.remedy = again;
    return tl::unexpected(std::move(f));
  }
  return image_info{m->subject, file, record.bytes, record.sha256, m->made_at};
}

} // namespace banger::image
