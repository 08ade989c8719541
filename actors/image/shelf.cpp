#include "actors/image/shelf.hpp"

#include "actors/image/bootstrap.hpp"
#include "actors/image/debian.hpp"
#include "actors/image/ext4.hpp"
#include "actors/image/tiny.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/stat.h>

namespace banger::image {

namespace fs = std::filesystem;

namespace {

// Another number: images are made again.
constexpr std::uint32_t format = 1;
constexpr const char* manifest_name = "manifest.json";
constexpr const char *lock_name = "build.lock", *work_folder = "work.tmp",
                     *tree_folder = "tree.tmp", *image_file = "rootfs.tmp";
constexpr const char* journal_key = "journal";
constexpr std::string_view removed_start = ".removed-";
constexpr std::chrono::milliseconds at_once{0};

expected<void> make_private_folder(const fs::path& folder) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return fail_errno("cannot make the folder " + folder.string(), errno);
  return {};
}

expected<filling> fill(const fs::path& tree, const recipe& what, const fs::path& work,
                       const storage::progress_fn& progress, const std::stop_token& stop) {
  if (what.kind == family::debian)
    return fill_debian(tree, what, work, progress, stop);
  return fill_tiny(tree, stop);
}

storage::details details_of(const recipe& what, const filling& ready) {
  storage::details all{{"family", {std::string(to_string(what.kind))}},
                       {"include", what.include},
                       {"packages", ready.packages}};
  if (ready.disk.journal)
    all[journal_key] = {"yes"};
  return all;
}

// The caller holds the lock, so whatever lies under a temporary name is of a build that was killed.
expected<void> sweep_locked(const fs::path& folder) {
  std::error_code ignored;
  fs::remove_all(folder / tree_folder, ignored);
  fs::remove(folder / image_file, ignored);
  return sweep_bootstrap(folder / work_folder);
}

// The caller holds the lock. The image's name is of its content: a VM that stands on an older one
// can never meet this one.
expected<void> build_locked(const fs::path& folder, const recipe& what,
                            const storage::progress_fn& progress, const std::stop_token& stop) {
  const auto tell = [&](std::string_view stage, const std::string& detail) {
    if (progress)
      progress(stage, detail);
  };
  tell("image", "making the image " + what.name);
  const storage::scrap tree(folder / tree_folder);
  storage::scrap image(folder / image_file);
  if (auto ok = sweep_locked(folder); !ok)
    return ok;
  if (auto ok = make_private_folder(tree.path()); !ok)
    return ok;
  const auto ready = fill(tree.path(), what, folder / work_folder, progress, stop);
  if (!ready)
    return tl::unexpected(ready.error());
  tell("filesystem", "making the file system of " + what.name);
  if (auto ok = build_ext4(tree.path(), image.path(), ready->disk, stop); !ok)
    return ok;
  // Most of it is holes.
  const auto digest = storage::sha256_sparse(image.path(), stop);
  if (!digest)
    return tl::unexpected(digest.error());
  const auto name = "rootfs-" + digest->substr(0, 12) + ".img";
  if (auto ok = image.publish(folder / name); !ok)
    return ok;
  return storage::write_manifest(folder, manifest_name, format, what.name, {{name, *digest, true}},
                                 stop, details_of(what, *ready));
}

// Without a journal Linux writes what names a file after the flush of a sync: the guest of such a
// root disk loses in a power cut what it has synced. Images of other families always had one.
bool lacks_journal(const storage::manifest& m) {
  const auto family_at = m.more.find("family");
  const bool is_tiny = family_at == m.more.end() ||
                       family_at->second == std::vector{std::string(to_string(family::tiny))};
  return is_tiny && m.more.find(journal_key) == m.more.end();
}

bool must_build(const expected<storage::manifest>& m) {
  return m ? m->format != format || lacks_journal(*m) : m.error().code == errc::not_found;
}

expected<image_info> make(const fs::path& folder, const recipe& what, bool again,
                          const storage::progress_fn& progress, const std::stop_token& stop) {
  const auto wanted = [&] {
    return again || must_build(storage::read_manifest(folder, manifest_name));
  };
  if (!wanted())
    return check_image(folder, storage::check_depth::quick, stop);
  if (auto ok = make_private_folder(folder); !ok)
    return tl::unexpected(ok.error());
  const auto lock = storage::lock_file(folder / lock_name, stop);
  if (!lock)
    return tl::unexpected(lock.error());
  // Another one may have built it while this one waited.
  if (wanted())
    if (auto ok = build_locked(folder, what, progress, stop); !ok)
      return tl::unexpected(ok.error());
  return check_image(folder, storage::check_depth::quick, stop);
}

expected<recipe> recipe_from(const storage::manifest& m) {
  recipe r{m.subject, family::tiny, {}};
  if (const auto at = m.more.find("include"); at != m.more.end())
    r.include = at->second;
  const auto at = m.more.find("family");
  // The first release wrote none, and had only this one.
  if (at == m.more.end() || at->second.size() != 1)
    return r;
  const auto kind = parse_family(at->second.front());
  if (!kind)
    return tl::unexpected(kind.error());
  r.kind = *kind;
  return r;
}

std::uint64_t used_by(const fs::path& folder) {
  std::uint64_t blocks = 0;
  std::error_code bad;
  for (fs::directory_iterator at(folder, bad), end; !bad && at != end; at.increment(bad)) {
    struct stat info {};
    if (::lstat(at->path().c_str(), &info) == 0)
      blocks += static_cast<std::uint64_t>(info.st_blocks);
  }
  return blocks * 512;
}

} // namespace

expected<image_info> ensure_image(const fs::path& folder, const recipe& what,
                                  const storage::progress_fn& progress,
                                  const std::stop_token& stop) {
  return make(folder, what, false, progress, stop);
}

expected<std::optional<image_info>> find_image(const fs::path& folder) {
  if (must_build(storage::read_manifest(folder, manifest_name)))
    return std::optional<image_info>{};
  return check_image(folder).map([](image_info i) { return std::optional(std::move(i)); });
}

expected<image_info> build_image(const fs::path& folder, const recipe& what,
                                 const storage::progress_fn& progress,
                                 const std::stop_token& stop) {
  return make(folder, what, true, progress, stop);
}

expected<image_info> check_image(const fs::path& folder, storage::check_depth depth,
                                 const std::stop_token& stop) {
  const auto m = storage::read_manifest(folder, manifest_name);
  if (!m)
    return tl::unexpected(m.error());
  const auto again = "delete the folder " + folder.string() + "; it is made again when needed";
  const auto damaged = [&](std::string why) {
    return fail(errc::corrupted, "the manifest of " + folder.string() + " is damaged",
                std::move(why), again);
  };
  if (m->files.size() != 1)
    return damaged("it must name one file");
  const auto from = recipe_from(*m);
  if (!from)
    return damaged(from.error().what);
  if (auto ok = storage::check_files(folder, *m, depth, stop); !ok)
    return tl::unexpected(ok.error());
  const auto& record = m->files.front();
  const auto file = folder / record.name;
  if (auto ok = check_ext4(file); !ok) {
    auto f = ok.error();
    f.remedy = again;
    return tl::unexpected(std::move(f));
  }
  return image_info{m->subject,    file,       record.bytes,
                    record.sha256, m->made_at, std::string(init_of(from->kind)),
                    from->include};
}

expected<recipe> recipe_of(const fs::path& folder) {
  const auto m = storage::read_manifest(folder, manifest_name);
  if (!m)
    return tl::unexpected(m.error());
  return recipe_from(*m);
}

std::vector<shelved> list_images(const fs::path& images) {
  std::vector<shelved> all;
  std::error_code bad;
  for (fs::directory_iterator at(images, bad), end; !bad && at != end; at.increment(bad)) {
    const auto m = storage::read_manifest(at->path(), manifest_name);
    if (!m && m.error().code != errc::corrupted)
      continue;
    const auto name = at->path().filename().string();
    if (!image_name::parse(name))
      continue;
    shelved s;
    s.name = name;
    s.used_bytes = used_by(at->path());
    if (m && !m->files.empty()) {
      s.bytes = m->files.front().bytes;
      s.made_at = m->made_at;
    }
    if (const auto r = m ? recipe_from(*m) : tl::unexpected(m.error())) {
      s.kind = r->kind;
      s.include = r->include;
    }
    all.push_back(std::move(s));
  }
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return all;
}

void prune_image(const fs::path& folder) {
  // What a build has published is in the manifest only when it is done.
  const auto lock = storage::lock_file(folder / lock_name, {}, at_once);
  if (!lock)
    return;
  const auto m = storage::read_manifest(folder, manifest_name);
  if (!m || m->files.size() != 1)
    return;
  std::vector<fs::path> old;
  std::error_code bad;
  for (fs::directory_iterator at(folder, bad), end; !bad && at != end; at.increment(bad)) {
    const auto name = at->path().filename().string();
    if (name.starts_with("rootfs-") && name != m->files.front().name)
      old.push_back(at->path());
  }
  for (const auto& file : old)
    fs::remove(file, bad);
}

void tidy_images(const fs::path& images) {
  std::error_code bad;
  for (fs::directory_iterator at(images, bad), end; !bad && at != end; at.increment(bad)) {
    const auto name = at->path().filename().string();
    std::error_code ignored;
    if (name.starts_with(removed_start)) {
      static_cast<void>(sweep_bootstrap(at->path()));
    } else if (fs::exists(at->path() / lock_name, ignored)) {
      // Who does not get it at once leaves the build that has it alone.
      if (const auto lock = storage::lock_file(at->path() / lock_name, {}, at_once))
        static_cast<void>(sweep_locked(at->path()));
    }
  }
}

// Aside first: nobody can find half of it. What a killed build left may belong to others.
expected<void> remove_image(const fs::path& images, const std::string& name) {
  const auto gone = images / (std::string(removed_start) + name);
  const auto discard = [&](const fs::path& folder) -> expected<void> {
    if (auto ok = sweep_bootstrap(folder); !ok)
      return fail(errc::operation_failed, "cannot remove the files of the image " + name,
                  describe(ok.error()), "delete the folder " + folder.string());
    return {};
  };
  for (const auto& left : {images / name / work_folder, gone})
    if (auto ok = discard(left); !ok)
      return ok;
  std::error_code ignored;
  const bool there = fs::exists(images / name / manifest_name, ignored);
  if (::rename((images / name).c_str(), gone.c_str()) == 0) {
    if (auto ok = discard(gone); !ok || there)
      return ok;
  } else if (errno != ENOENT) {
    return fail_errno("cannot delete the image " + name, errno);
  }
  return fail(errc::not_found, "there is no image '" + name + "' here", {},
              "see `banger image list`");
}

} // namespace banger::image
