#include "actors/image/tar_tree.hpp"

#include "actors/image/entry_path.hpp"
#include "messages/base/unique_fd.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace banger::image {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t chunk = 256 << 10;
constexpr std::size_t most_capability = 64;

struct close_archive {
  void operator()(archive* a) const { ::archive_read_free(a); }
};
using archive_ptr = std::unique_ptr<archive, close_archive>;

tl::unexpected<failure> unreadable(archive* a) {
  const char* why = ::archive_error_string(a);
  return fail(errc::corrupted, "cannot read the archive", why == nullptr ? "it is damaged" : why);
}

tl::unexpected<failure> refuse(const std::string& path, std::string why) {
  return fail(errc::bad_request, "cannot unpack " + path, std::move(why));
}

struct place {
  int folder = -1; ///< open; the unpacker's
  std::string name;
};

class unpacker {
public:
  unpacker(archive* a, const tar_options& options, const std::stop_token& stop)
      : archive_(a), options_(options), stop_(stop) {}

  expected<void> open(const fs::path& tree) {
    top_.reset(::open(tree.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!top_)
      return fail_errno("cannot open the folder " + tree.string(), errno);
    return {};
  }
  expected<tar_content> run();

private:
  expected<void> take(archive_entry* entry);
  expected<void> make(archive_entry* entry, const std::string& path);
  expected<place> locate(const std::string& path);
  expected<void> make_folder(const place& at, const std::string& path);
  expected<void> make_link(const place& at, const std::string& path, const char* target);
  expected<void> make_hard_link(const place& at, const std::string& path, const char* target);
  expected<void> make_file(const place& at, const std::string& path, archive_entry* entry);
  expected<void> copy_content(int fd, const std::string& path);
  void remember(archive_entry* entry, const std::string& path);

  archive* archive_;
  const tar_options& options_;
  const std::stop_token& stop_;
  unique_fd top_, folder_;
  std::string folder_path_; ///< that `folder_` stands for; neighbours come one after the other
  tar_content content_;
};

expected<tar_content> unpacker::run() {
  for (;;) {
    if (stop_.stop_requested())
      return fail(errc::cancelled, "unpacking was cancelled");
    archive_entry* entry = nullptr;
    const int got = ::archive_read_next_header(archive_, &entry);
    if (got == ARCHIVE_EOF)
      return std::move(content_);
    if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
      return unreadable(archive_);
    if (++content_.entries > options_.most_entries)
      return fail(errc::bad_request, "the archive holds too much",
                  "more than " + std::to_string(options_.most_entries) + " entries");
    if (auto ok = take(entry); !ok)
      return tl::unexpected(ok.error());
  }
}

expected<void> unpacker::take(archive_entry* entry) {
  const char* raw = ::archive_entry_pathname(entry);
  const auto path = entry_path(raw == nullptr ? "" : raw);
  if (!path)
    return tl::unexpected(path.error());
  if (options_.unwanted && options_.unwanted(*path, ::archive_entry_filetype(entry) == AE_IFDIR))
    return {};
  return make(entry, *path);
}

expected<void> unpacker::make(archive_entry* entry, const std::string& path) {
  if (path.empty()) {
    remember(entry, path);
    return {};
  }
  const auto at = locate(path);
  if (!at)
    return tl::unexpected(at.error());
  if (const char* other = ::archive_entry_hardlink(entry))
    return make_hard_link(*at, path, other);
  expected<void> made;
  switch (::archive_entry_filetype(entry)) {
  case AE_IFDIR: made = make_folder(*at, path); break;
  case AE_IFLNK: made = make_link(*at, path, ::archive_entry_symlink(entry)); break;
  case AE_IFREG: made = make_file(*at, path, entry); break;
  default: return {}; // devtmpfs makes the devices, and nobody ships pipes or sockets
  }
  if (made)
    remember(entry, path);
  return made;
}

// The folder that it goes into, found name by name: a link among them is never followed.
expected<place> unpacker::locate(const std::string& path) {
  const auto slash = path.rfind('/');
  auto name = slash == std::string::npos ? path : path.substr(slash + 1);
  const auto parent = slash == std::string::npos ? std::string() : path.substr(0, slash);
  if (parent.empty())
    return place{top_.get(), std::move(name)};
  if (!folder_ || parent != folder_path_) {
    folder_.reset();
    int from = top_.get();
    for (std::size_t at = 0; at <= parent.size();) {
      const auto end = std::min(parent.find('/', at), parent.size());
      unique_fd next(::openat(from, parent.substr(at, end - at).c_str(),
                              O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!next)
        return refuse(path, errno == ENOENT ? "its folder is not in the archive"
                                            : "a part of its path is no folder");
      folder_ = std::move(next);
      from = folder_.get();
      at = end + 1;
    }
    folder_path_ = parent;
  }
  return place{folder_.get(), std::move(name)};
}

expected<void> unpacker::make_folder(const place& at, const std::string& path) {
  if (::mkdirat(at.folder, at.name.c_str(), 0700) == 0)
    return {};
  struct stat there {};
  if (errno == EEXIST && ::fstatat(at.folder, at.name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISDIR(there.st_mode))
    return {};
  return fail_errno("cannot unpack the folder " + path, errno);
}

expected<void> unpacker::make_link(const place& at, const std::string& path, const char* target) {
  if (target == nullptr || *target == '\0')
    return refuse(path, "it is a link to nothing");
  if (::symlinkat(target, at.folder, at.name.c_str()) != 0)
    return fail_errno("cannot unpack the link " + path, errno);
  return {};
}

// To a file of the archive that was unpacked before, and to nothing else.
expected<void> unpacker::make_hard_link(const place& at, const std::string& path,
                                        const char* target) {
  const auto other = entry_path(target);
  if (!other || other->empty())
    return refuse(path, "it is a link to something outside of the archive");
  const unique_fd here(::fcntl(at.folder, F_DUPFD_CLOEXEC, 0));
  const auto from = locate(*other);
  if (!from)
    return tl::unexpected(from.error());
  struct stat there {};
  if (::fstatat(from->folder, from->name.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0)
    return refuse(path, "the file that it is a link to was not in the archive");
  if (!S_ISREG(there.st_mode))
    return refuse(path, "it is a link to something that is no file");
  if (::linkat(from->folder, from->name.c_str(), here.get(), at.name.c_str(), 0) != 0)
    return fail_errno("cannot unpack the link " + path, errno);
  return {};
}

expected<void> unpacker::make_file(const place& at, const std::string& path, archive_entry* entry) {
  const unique_fd fd(::openat(at.folder, at.name.c_str(),
                              O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd && errno == EEXIST)
    return refuse(path, "its name comes twice");
  if (!fd)
    return fail_errno("cannot unpack " + path, errno);
  if (auto ok = copy_content(fd.get(), path); !ok)
    return ok;
  // The bits that everybody may set are set here, so that the tree looks as the image will.
  ::fchmod(fd.get(), static_cast<mode_t>(::archive_entry_perm(entry) & 0777) | 0600);
  if (::archive_entry_mtime_is_set(entry) != 0) {
    const timespec when{::archive_entry_mtime(entry), ::archive_entry_mtime_nsec(entry)};
    const timespec times[] = {when, when};
    ::futimens(fd.get(), times);
  }
  return {};
}

expected<void> unpacker::copy_content(int fd, const std::string& path) {
  off_t end = 0;
  for (;;) {
    const void* bytes = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int got = ::archive_read_data_block(archive_, &bytes, &size, &offset);
    if (got == ARCHIVE_EOF)
      break;
    if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
      return unreadable(archive_);
    if (stop_.stop_requested())
      return fail(errc::cancelled, "unpacking was cancelled");
    content_.bytes += size;
    end = offset + static_cast<off_t>(size);
    if (content_.bytes > options_.most_bytes || offset < 0 ||
        static_cast<std::uint64_t>(end) > options_.most_bytes)
      return fail(errc::bad_request, "the archive holds too much",
                  "more than " + std::to_string(options_.most_bytes) + " bytes");
    const char* from = static_cast<const char*>(bytes);
    for (std::size_t put = 0; put < size;) {
      const auto n = ::pwrite(fd, from + put, size - put, offset + static_cast<off_t>(put));
      if (n < 0 && errno != EINTR)
        return fail_errno("cannot unpack " + path, errno);
      put += n > 0 ? static_cast<std::size_t>(n) : 0;
    }
  }
  if (end > 0 && ::ftruncate(fd, end) != 0)
    return fail_errno("cannot unpack " + path, errno);
  return {};
}

// Folders are 0700 and all belongs to us in the tree, so everything is noted.
void unpacker::remember(archive_entry* entry, const std::string& path) {
  owner o;
  o.uid = static_cast<std::uint32_t>(::archive_entry_uid(entry));
  o.gid = static_cast<std::uint32_t>(::archive_entry_gid(entry));
  const bool link = ::archive_entry_filetype(entry) == AE_IFLNK;
  if (!link)
    o.mode = static_cast<std::uint16_t>(::archive_entry_perm(entry) & 07777);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  ::archive_entry_xattr_reset(entry);
  while (::archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK)
    if (name != nullptr && std::string_view(name) == "security.capability" &&
        size <= most_capability)
      o.capability.assign(static_cast<const char*>(value), size);
  const bool plain = ::archive_entry_filetype(entry) == AE_IFREG && o.uid == 0 && o.gid == 0 &&
                     (*o.mode & 0600) == 0600 && *o.mode <= 0777 && o.capability.empty();
  if (!plain && !(link && o.uid == 0 && o.gid == 0))
    content_.owners.insert_or_assign("/" + path, std::move(o));
}

struct source {
  const read_fn& read;
  std::vector<char> bytes = std::vector<char>(chunk);
};

la_ssize_t read_source(archive* a, void* context, const void** bytes) {
  auto& from = *static_cast<source*>(context);
  *bytes = from.bytes.data();
  const auto got = from.read(from.bytes.data(), from.bytes.size());
  if (got < 0)
    ::archive_set_error(a, errno, "%s", std::strerror(errno));
  return got;
}

} // namespace

expected<tar_content> unpack_tar(const read_fn& read, const fs::path& tree,
                                 const tar_options& options, const std::stop_token& stop) {
  source from{read};
  const archive_ptr a(::archive_read_new());
  if (!a)
    return fail(errc::operation_failed, "cannot read an archive", "out of memory");
  const auto cancelled = [&] { return fail(errc::cancelled, "unpacking was cancelled"); };
  ::archive_read_support_format_tar(a.get());
  if (::archive_read_open(a.get(), &from, nullptr, read_source, nullptr) != ARCHIVE_OK)
    return stop.stop_requested() ? cancelled() : unreadable(a.get());
  unpacker u(a.get(), options, stop);
  if (auto ok = u.open(tree); !ok)
    return tl::unexpected(ok.error());
  auto content = u.run();
  if (!content && stop.stop_requested())
    return cancelled();
  return content;
}

expected<tar_content> unpack_tar(int fd, const fs::path& tree, const tar_options& options,
                                 const std::stop_token& stop) {
  return unpack_tar(
      [fd](char* to, std::size_t most) {
        for (;;)
          if (const auto got = ::read(fd, to, most); got >= 0 || errno != EINTR)
            return got;
      },
      tree, options, stop);
}

} // namespace banger::image
