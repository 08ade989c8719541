#include "actors/image/ext4.hpp"

#include "actors/storage/files.hpp"
#include "actors/storage/process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ext2fs/ext2fs.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace banger::image {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t block = 4096;

struct needs {
  std::uint64_t bytes = 0, inodes = 0;
};

std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

expected<needs> measure(const fs::path& tree) {
  needs n;
  std::error_code bad;
  for (fs::recursive_directory_iterator at(tree, bad), end; !bad && at != end; at.increment(bad)) {
    ++n.inodes;
    struct stat info {};
    if (::lstat(at->path().c_str(), &info) != 0)
      return fail_errno("cannot look at " + at->path().string(), errno);
    n.bytes +=
        S_ISREG(info.st_mode) ? round_up(static_cast<std::uint64_t>(info.st_size), block) : block;
  }
  if (bad)
    return fail_errno("cannot read the folder " + tree.string(), bad.value());
  return n;
}

// Inodes, the bitmaps of each group, and an eighth for folders with long lists and extents.
std::uint64_t room_for(const needs& n) {
  return round_up(n.bytes + n.bytes / 8 + (n.inodes + 64) * 256 + (4 << 20), 1 << 20);
}

expected<void> make_sparse(const fs::path& file, std::uint64_t bytes) {
  const unique_fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd)
    return fail_errno("cannot make the image " + file.string(), errno);
  if (::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0)
    return fail_errno("cannot make the image " + file.string(), errno);
  return {};
}

tl::unexpected<failure> explain(failure f, std::uint64_t bytes) {
  // mke2fs says the same of a full image and of a full disk: "Could not allocate block", or ENOSPC.
  if (f.why.find("allocate") != std::string::npos || f.why.find("No space") != std::string::npos)
    return fail(errc::operation_failed, "cannot fill the image",
                f.why + " (the image has " + std::to_string(bytes) + " bytes)",
                "free some space on the disk");
  return tl::unexpected(std::move(f));
}

class file_system {
public:
  file_system() = default;
  file_system(const file_system&) = delete;
  file_system& operator=(const file_system&) = delete;
  ~file_system() {
    if (system_ != nullptr)
      ::ext2fs_free(system_);
  }

  expected<void> open(const fs::path& file) {
    fd_.reset(::open(file.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd_)
      return fail_errno("cannot open a new image", errno);
    // It takes what follows a '?' of a name for options.
    const auto name = "/proc/self/fd/" + std::to_string(fd_.get());
    return check("open", ::ext2fs_open(name.c_str(), EXT2_FLAG_RW | EXT2_FLAG_64BITS, 0, 0,
                                       ::unix_io_manager, &system_));
  }
  expected<void> everything_to_root();
  expected<void> give(const std::string& path, const owner& to);
  expected<void> close() { return check("write", ::ext2fs_close_free(&system_)); }

private:
  static expected<void> check(const char* verb, errcode_t code) {
    if (code == 0)
      return {};
    return fail(errc::operation_failed, std::string("cannot ") + verb + " a new image",
                ::error_message(code));
  }
  static void set(ext2_inode& inode, const owner& to);
  expected<void> empower(ext2_ino_t number, const std::string& capability);

  unique_fd fd_;
  ext2_filsys system_ = nullptr;
};

void file_system::set(ext2_inode& inode, const owner& to) {
  inode.i_uid = static_cast<std::uint16_t>(to.uid);
  inode.i_gid = static_cast<std::uint16_t>(to.gid);
  inode.osd2.linux2.l_i_uid_high = static_cast<std::uint16_t>(to.uid >> 16);
  inode.osd2.linux2.l_i_gid_high = static_cast<std::uint16_t>(to.gid >> 16);
  if (to.mode)
    inode.i_mode = static_cast<std::uint16_t>((inode.i_mode & LINUX_S_IFMT) | (*to.mode & 07777));
}

// What mke2fs copied belongs to the user who runs it.
expected<void> file_system::everything_to_root() {
  ext2_inode_scan scan = nullptr;
  if (auto ok = check("scan", ::ext2fs_open_inode_scan(system_, 0, &scan)); !ok)
    return ok;
  errcode_t bad = 0;
  for (;;) {
    ext2_ino_t number = 0;
    ext2_inode inode{};
    bad = ::ext2fs_get_next_inode(scan, &number, &inode);
    if (bad != 0 || number == 0)
      break;
    if (inode.i_links_count == 0 || (inode_uid(inode) == 0 && inode_gid(inode) == 0))
      continue;
    set(inode, owner{});
    bad = ::ext2fs_write_inode(system_, number, &inode);
    if (bad != 0)
      break;
  }
  ::ext2fs_close_inode_scan(scan);
  return check("scan", bad);
}

expected<void> file_system::give(const std::string& path, const owner& to) {
  ext2_ino_t number = 0;
  if (::ext2fs_namei(system_, EXT2_ROOT_INO, EXT2_ROOT_INO, path.c_str(), &number) != 0)
    return fail(errc::bad_request, "cannot set the owner of " + path, "it is not in the image");
  ext2_inode inode{};
  if (auto ok = check("read", ::ext2fs_read_inode(system_, number, &inode)); !ok)
    return ok;
  set(inode, to);
  if (auto ok = check("write", ::ext2fs_write_inode(system_, number, &inode)); !ok)
    return ok;
  return to.capability.empty() ? expected<void>{} : empower(number, to.capability);
}

expected<void> file_system::empower(ext2_ino_t number, const std::string& capability) {
  ext2_xattr_handle* handle = nullptr;
  if (auto ok = check("read", ::ext2fs_xattrs_open(system_, number, &handle)); !ok)
    return ok;
  auto ok = check("read", ::ext2fs_xattrs_read(handle));
  if (ok)
    ok = check("write", ::ext2fs_xattr_set(handle, "security.capability", capability.data(),
                                           capability.size()));
  ::ext2fs_xattrs_close(&handle);
  return ok;
}

expected<void> set_owners(const fs::path& file, const owner_map& owners) {
  file_system system;
  if (auto ok = system.open(file); !ok)
    return ok;
  if (auto ok = system.everything_to_root(); !ok)
    return ok;
  for (const auto& [path, to] : owners)
    if (auto ok = system.give(path, to); !ok)
      return ok;
  return system.close();
}

std::vector<std::string> mke2fs_arguments(const fs::path& tree, const fs::path& file,
                                          const ext4_options& o, const needs& n) {
  const auto inodes = std::max(n.inodes + n.inodes / 8 + 64, o.bytes / 8192);
  return {"mke2fs",
          "-q",
          "-F",
          "-t",
          "ext4",
          "-b",
          std::to_string(block),
          "-I",
          "256",
          "-N",
          std::to_string(inodes),
          "-m",
          "0",
          "-L",
          o.label,
          "-O",
          o.journal ? "has_journal" : "^has_journal",
          "-E",
          "nodiscard,assume_storage_prezeroed=1,root_owner=0:0",
          "-d",
          fs::absolute(tree).string(),
          file.filename().string()};
}

} // namespace

expected<void> build_ext4(const fs::path& tree, const fs::path& file, const ext4_options& options,
                          const std::stop_token& stop) {
  const auto n = measure(tree);
  if (!n)
    return tl::unexpected(n.error());
  auto o = options;
  if (o.bytes == 0)
    o.bytes = room_for(*n);
  if (n->bytes > o.bytes)
    return fail(errc::bad_request, "the folder " + tree.string() + " does not fit into the image",
                std::to_string(n->bytes) + " bytes into " + std::to_string(o.bytes));
  std::error_code ignored;
  if (fs::exists(file, ignored))
    return fail(errc::already_exists, "there is already an image " + file.string());
  storage::scrap unfinished(file);
  if (auto ok = make_sparse(file, o.bytes); !ok)
    return ok;
  const storage::command make{.argv = mke2fs_arguments(tree, file, o, *n),
                              .cwd = fs::absolute(file).parent_path(),
                              .deadline = std::chrono::minutes(5)};
  if (auto ok = storage::run(make, stop); !ok)
    return explain(ok.error(), o.bytes);
  if (auto ok = set_owners(file, o.owners); !ok)
    return ok;
  unfinished.keep();
  return {};
}

expected<void> check_ext4(const fs::path& file) {
  const unique_fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd)
    return fail_errno("cannot open " + file.string(), errno);
  struct stat info {};
  ext2_super_block super{};
  if (::fstat(fd.get(), &info) != 0 ||
      ::pread(fd.get(), &super, sizeof super, 1024) != static_cast<ssize_t>(sizeof super))
    return fail(errc::corrupted, file.string() + " is damaged",
                "it is too short for a file system");
  if (super.s_magic != EXT2_SUPER_MAGIC)
    return fail(errc::corrupted, file.string() + " is damaged", "it holds no ext4 file system");
  const auto blocks = super.s_blocks_count | std::uint64_t{super.s_blocks_count_hi} << 32;
  if (super.s_log_block_size > 6 ||
      blocks > static_cast<std::uint64_t>(info.st_size) / (1024U << super.s_log_block_size))
    return fail(errc::corrupted, file.string() + " is damaged",
                "its file system is larger than the file");
  return {};
}

} // namespace banger::image
