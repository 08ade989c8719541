#include "guest/disks.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>

namespace banger::guest {

namespace {

// Not in the headers for programs: _IOW('f', 16, __u64), the new number of blocks.
constexpr unsigned long resize_fs = 0x40086610;
constexpr unsigned long sb_offset = 1024;

// statfs leaves out what ext4 needs for itself, so the size is read from the superblock.
result<std::uint64_t> ext4_bytes(int device, const std::string& path) {
  unsigned char sb[1024];
  if (::pread(device, sb, sizeof sb, sb_offset) != static_cast<ssize_t>(sizeof sb))
    return failed_to("read " + path);
  const auto u32 = [&](std::size_t at) {
    return static_cast<std::uint64_t>(sb[at]) | static_cast<std::uint64_t>(sb[at + 1]) << 8 |
           static_cast<std::uint64_t>(sb[at + 2]) << 16 |
           static_cast<std::uint64_t>(sb[at + 3]) << 24;
  };
  if (sb[0x38] != 0x53 || sb[0x39] != 0xef)
    return refused(path + " holds no ext4");
  const bool wide = (u32(0x60) & 0x80) != 0;
  const auto blocks = u32(0x4) | (wide ? u32(0x150) << 32 : 0);
  return blocks << (10 + u32(0x18));
}

} // namespace

std::string disk_path(std::uint32_t index) {
  std::string name;
  for (auto n = index + 1; n != 0; n = (n - 1) / 26)
    name.insert(name.begin(), static_cast<char>('a' + (n - 1) % 26));
  return "/dev/vd" + name;
}

result<disk_size> measure(const std::string& device, const std::string& mount_point) {
  const unique_fd fd(::open(device.c_str(), O_RDONLY | O_CLOEXEC));
  disk_size size;
  if (!fd || ::ioctl(fd.get(), BLKGETSIZE64, &size.device) != 0)
    return failed_to("size of " + device);
  auto bytes = ext4_bytes(fd.get(), device);
  if (!bytes)
    return tl::unexpected(bytes.error());
  size.file_system = *bytes;
  struct statfs info {};
  if (::statfs(mount_point.c_str(), &info) != 0)
    return failed_to("size of " + mount_point);
  // Less than a block more is nothing to grow into.
  const auto block = static_cast<std::uint64_t>(info.f_bsize);
  size.device = size.device / block * block;
  return size;
}

result<std::uint64_t> grow(const std::string& device, const std::string& mount_point) {
  auto size = measure(device, mount_point);
  if (!size)
    return tl::unexpected(size.error());
  if (size->device <= size->file_system)
    return size->file_system;
  const unique_fd fd(::open(mount_point.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct statfs info {};
  if (!fd || ::statfs(mount_point.c_str(), &info) != 0)
    return failed_to("open " + mount_point);
  std::uint64_t blocks = size->device / static_cast<std::uint64_t>(info.f_bsize);
  if (::ioctl(fd.get(), resize_fs, &blocks) != 0)
    return failed_to("grow the file system on " + mount_point);
  size = measure(device, mount_point);
  if (!size)
    return tl::unexpected(size.error());
  return size->file_system;
}

} // namespace banger::guest
