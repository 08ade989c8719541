#include "actors/storage/disks.hpp"

#include "actors/storage/files.hpp"
#include "actors/storage/process.hpp"
#include "actors/storage/qcow2.hpp"
#include "messages/base/names.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <ext2fs/ext2fs.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace banger::storage {

namespace fs = std::filesystem;

namespace {

constexpr std::array kinds{root_disk_kind::reflink, root_disk_kind::qcow2, root_disk_kind::overlay};

// 0, or why FICLONE does not work among the files of this folder. Leaves nothing behind.
int try_reflink(const fs::path& folder) {
  const unique_fd from(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!from)
    return errno;
  const unique_fd to(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!to)
    return errno;
  if (::ftruncate(from.get(), 65536) != 0 || ::ioctl(to.get(), FICLONE, from.get()) != 0)
    return errno;
  return 0;
}

expected<std::uint64_t> size_of(const fs::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0)
    return errno == ENOENT ? fail(errc::not_found, "there is no file " + file.string())
                           : fail_errno("cannot look at " + file.string(), errno);
  if (!S_ISREG(info.st_mode))
    return fail(errc::bad_request, file.string() + " is not a file");
  return static_cast<std::uint64_t>(info.st_size);
}

expected<void> refuse_existing(const fs::path& file) {
  struct stat info {};
  if (::lstat(file.c_str(), &info) == 0)
    return fail(errc::already_exists, "there is already a disk " + file.string());
  if (errno != ENOENT)
    return fail_errno("cannot look at " + file.string(), errno);
  return {};
}

fs::path temporary_for(const fs::path& file) {
  auto name = file;
  return name += ".tmp";
}

expected<void> make_sparse(const fs::path& file, std::uint64_t bytes) {
  const unique_fd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd)
    return fail_errno("cannot make the disk " + file.string(), errno);
  if (::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0)
    return fail_errno("cannot make a disk of " + format_size(bytes), errno);
  return {};
}

// A sparse file is all zeros, so nothing has to be zeroed, now or by the guest later. Room for the
// descriptors of a file system 32 times as large is reserved (mke2fs would take 1024 times, which
// costs 4 MiB and 6 ms); beyond that the guest's kernel grows it by meta_bg.
std::vector<std::string> mke2fs_arguments(const fs::path& file, std::uint64_t bytes,
                                          const std::string& label) {
  constexpr std::uint64_t block = 4096, most_blocks = 0xffffffff;
  const auto blocks = bytes / block;
  std::string extended = "nodiscard,assume_storage_prezeroed=1,root_owner=0:0";
  if (blocks < most_blocks / 2)
    extended += ",resize=" + std::to_string(std::min(blocks * 32, most_blocks));
  return {"mke2fs",
          "-q",
          "-F",
          "-t",
          "ext4",
          "-b",
          std::to_string(block),
          "-I",
          "256",
          "-i",
          bytes < 512 * MiB ? "4096" : "16384",
          "-m",
          "0",
          "-L",
          label,
          "-E",
          extended,
          file.string()};
}

expected<void> close_root_folder(const fs::path& file) {
  const unique_fd fd(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd)
    return fail_errno("cannot open the disk " + file.string(), errno);
  ext2_filsys system = nullptr;
  // It takes what follows a '?' of a name for options.
  auto bad = ::ext2fs_open(("/proc/self/fd/" + std::to_string(fd.get())).c_str(),
                           EXT2_FLAG_RW | EXT2_FLAG_64BITS, 0, 0, ::unix_io_manager, &system);
  if (bad == 0) {
    ext2_inode inode{};
    bad = ::ext2fs_read_inode(system, EXT2_ROOT_INO, &inode);
    inode.i_mode = LINUX_S_IFDIR | 0700;
    if (bad == 0)
      bad = ::ext2fs_write_inode(system, EXT2_ROOT_INO, &inode);
    const auto closed = ::ext2fs_close_free(&system);
    bad = bad == 0 ? closed : bad;
  }
  if (bad != 0)
    return fail(errc::operation_failed, "cannot set the mode of the root of " + file.string(),
                ::error_message(bad));
  return {};
}

tl::unexpected<failure> explain(failure f) {
  if (f.why.find("No space left") != std::string::npos)
    return fail_errno("cannot make a file system", ENOSPC);
  if (f.why.find("quota exceeded") != std::string::npos)
    return fail_errno("cannot make a file system", EDQUOT);
  return tl::unexpected(std::move(f));
}

expected<void> make_ext4(const fs::path& file, std::uint64_t bytes, const std::string& label,
                         bool closed, const std::stop_token& stop) {
  if (bytes < min_disk_bytes || bytes > max_disk_bytes)
    return fail(errc::bad_request, "cannot make a disk of " + format_size(bytes),
                "a disk has " + format_size(min_disk_bytes) + " to " + format_size(max_disk_bytes));
  if (auto free = refuse_existing(file); !free)
    return free;
  scrap temporary(temporary_for(file));
  if (auto made = make_sparse(temporary.path(), bytes); !made)
    return made;
  const command make{.argv = mke2fs_arguments(temporary.path().filename(), bytes, label),
                     .cwd = fs::absolute(temporary.path()).parent_path()};
  if (auto made = run(make, stop); !made)
    return explain(made.error());
  if (closed)
    if (auto set = close_root_folder(temporary.path()); !set)
      return set;
  return temporary.publish(file);
}

expected<void> make_reflink(const fs::path& image, const fs::path& file) {
  const unique_fd from(::open(image.c_str(), O_RDONLY | O_CLOEXEC));
  if (!from)
    return fail_errno("cannot open the image " + image.string(), errno);
  scrap temporary(temporary_for(file));
  const unique_fd to(
      ::open(temporary.path().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!to)
    return fail_errno("cannot make the disk " + file.string(), errno);
  if (::ioctl(to.get(), FICLONE, from.get()) != 0)
    return fail_errno("cannot clone the image " + image.string() + " (reflink)", errno);
  return temporary.publish(file);
}

expected<void> make_qcow2(const fs::path& image, std::uint64_t bytes, const fs::path& file) {
  std::error_code bad;
  const auto base = fs::absolute(image, bad);
  const auto content = empty_qcow2(base.string(), bytes);
  if (!content)
    return tl::unexpected(content.error());
  return write_file(file, *content);
}

} // namespace

std::string_view file_name(root_disk_kind kind) {
  switch (kind) {
  case root_disk_kind::reflink: return "root.img";
  case root_disk_kind::qcow2: return "root.qcow2";
  case root_disk_kind::overlay: break;
  }
  return "upper.img";
}

std::string_view to_string(root_disk_kind kind) {
  switch (kind) {
  case root_disk_kind::reflink: return "reflink";
  case root_disk_kind::qcow2: return "qcow2";
  case root_disk_kind::overlay: break;
  }
  return "overlay";
}

expected<root_disk_kind> parse_root_disk_kind(std::string_view text) {
  for (const auto kind : kinds)
    if (to_string(kind) == text)
      return kind;
  return fail(errc::bad_request, "no kind of root disk is called '" + std::string(text) + "'",
              "there are reflink, qcow2 and overlay");
}

expected<root_disk_choice> choose_root_disk(const fs::path& folder,
                                            std::optional<root_disk_kind> wanted,
                                            bool hypervisor_has_qcow2) {
  if (wanted == root_disk_kind::overlay)
    return root_disk_choice{root_disk_kind::overlay, {}};
  if (wanted == root_disk_kind::qcow2 && !hypervisor_has_qcow2)
    return fail(errc::unavailable, "root disks of kind qcow2 do not work here",
                "only QEMU reads them", "use overlay");
  if (wanted == root_disk_kind::qcow2)
    return root_disk_choice{root_disk_kind::qcow2, {}};
  const int error = try_reflink(folder);
  if (error == 0)
    return root_disk_choice{root_disk_kind::reflink, {}};
  if (error == ENOENT || error == EACCES || error == ENOTDIR || error == EROFS)
    return fail_errno("cannot make disks in " + folder.string(), error);
  const auto why = std::generic_category().message(error);
  if (wanted)
    return fail(errc::unavailable, "root disks of kind reflink do not work in " + folder.string(),
                why, "use a folder on XFS or btrfs, or another kind");
  return root_disk_choice{hypervisor_has_qcow2 ? root_disk_kind::qcow2 : root_disk_kind::overlay,
                          "reflink: " + why};
}

expected<root_disk> make_root_disk(root_disk_kind kind, const fs::path& image,
                                   const fs::path& vm_folder, std::uint64_t upper_bytes,
                                   const std::stop_token& stop) {
  const auto bytes = size_of(image);
  if (!bytes)
    return tl::unexpected(bytes.error());
  root_disk disk{kind, vm_folder / file_name(kind),
                 kind == root_disk_kind::qcow2 ? "qcow2" : "raw"};
  expected<void> made = refuse_existing(disk.file);
  if (made)
    switch (kind) {
    case root_disk_kind::reflink: made = make_reflink(image, disk.file); break;
    case root_disk_kind::qcow2: made = make_qcow2(image, *bytes, disk.file); break;
    case root_disk_kind::overlay:
      made = make_ext4(disk.file, upper_bytes, "banger-upper", false, stop);
      break;
    }
  if (!made)
    return tl::unexpected(made.error());
  return disk;
}

expected<void> make_work_disk(const fs::path& file, std::uint64_t bytes,
                              const std::stop_token& stop) {
  return make_ext4(file, bytes, "banger-work", true, stop);
}

namespace {

// What is data, where it is: holes stay holes.
expected<void> copy_data(int from, int to, const fs::path& file) {
  for (off_t at = 0;;) {
    const auto data = ::lseek(from, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO)
      return {};
    at = data < 0 ? data : ::lseek(from, data, SEEK_HOLE);
    if (at < 0)
      return fail_errno("cannot read a blank disk", errno);
    for (off_t in = data, out = data; in < at;)
      if (const auto n =
              ::copy_file_range(from, &in, to, &out, static_cast<std::size_t>(at - in), 0);
          n <= 0)
        return fail_errno("cannot write " + file.string(), n < 0 ? errno : EIO);
  }
}

// One maker at a time: of two that work on the same temporary file one would still write into what
// the other has published.
expected<void> make_blank(const fs::path& blank, std::uint64_t bytes, const std::stop_token& stop) {
  const auto lock = lock_file(blank.parent_path() / "blanks.lock", stop);
  if (!lock)
    return tl::unexpected(lock.error());
  std::error_code none;
  if (fs::exists(blank, none))
    return {};
  auto name = blank;
  scrap fresh(name += ".new");
  fs::remove(fresh.path(), none);
  return make_work_disk(fresh.path(), bytes, stop)
      .and_then([&] { return flush(fresh.path()); })
      .and_then([&] { return fresh.publish(blank); });
}

expected<void> copy_blank(const fs::path& blank, const fs::path& file, std::uint64_t bytes) {
  if (auto free = refuse_existing(file); !free)
    return free;
  const unique_fd from(::open(blank.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!from)
    return fail_errno("cannot open the blank disk " + blank.string(), errno);
  scrap temporary(temporary_for(file));
  if (auto made = make_sparse(temporary.path(), bytes); !made)
    return made;
  const unique_fd to(::open(temporary.path().c_str(), O_WRONLY | O_CLOEXEC));
  if (auto copied = copy_data(from.get(), to.get(), file); !copied)
    return copied;
  return temporary.publish(file);
}

} // namespace

expected<void> make_work_disk(const fs::path& file, std::uint64_t bytes, const fs::path& blanks,
                              const std::stop_token& stop) {
  const auto blank = blanks / ("work-" + std::to_string(bytes) + ".img");
  std::error_code why;
  fs::create_directories(blanks, why);
  if (fs::exists(blank, why) || make_blank(blank, bytes, stop))
    if (copy_blank(blank, file, bytes))
      return {};
  // Without the shortcut, then; its error is the one that counts.
  return make_work_disk(file, bytes, stop);
}

expected<void> grow_file(const fs::path& file, std::uint64_t bytes) {
  const auto now = size_of(file);
  if (!now)
    return tl::unexpected(now.error());
  if (*now > bytes)
    return fail(errc::bad_request, "a disk cannot become smaller",
                file.string() + " has " + format_size(*now));
  if (bytes > max_disk_bytes)
    return fail(errc::bad_request, "cannot make a disk of " + format_size(bytes),
                "a disk has at most " + format_size(max_disk_bytes));
  if (*now < bytes && ::truncate(file.c_str(), static_cast<off_t>(bytes)) != 0)
    return fail_errno("cannot grow " + file.string(), errno);
  return {};
}

bool has_data(const fs::path& file, std::uint64_t from) {
  const unique_fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  return !fd || ::lseek(fd.get(), static_cast<off_t>(from), SEEK_DATA) >= 0 || errno != ENXIO;
}

expected<std::uint64_t> allocated_bytes(const fs::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0)
    return errno == ENOENT ? fail(errc::not_found, "there is no file " + file.string())
                           : fail_errno("cannot look at " + file.string(), errno);
  return static_cast<std::uint64_t>(info.st_blocks) * 512;
}

} // namespace banger::storage
