#include "actors/storage/files.hpp"

#include "actors/storage/process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace banger::storage {

namespace fs = std::filesystem;

namespace {

class hasher {
public:
  hasher() { ::nettle_sha256_init(&state_); }
  void add(std::string_view bytes) {
    ::nettle_sha256_update(&state_, bytes.size(),
                           reinterpret_cast<const std::uint8_t*>(bytes.data()));
  }
  std::string finish() {
    std::array<std::uint8_t, SHA256_DIGEST_SIZE> digest{};
    ::nettle_sha256_digest(&state_, digest.size(), digest.data());
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const auto byte : digest) {
      text += digits[byte >> 4];
      text += digits[byte & 15];
    }
    return text;
  }

private:
  sha256_ctx state_{};
};

expected<void> write_all(int fd, std::string_view bytes, const fs::path& file) {
  while (!bytes.empty()) {
    const auto put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR)
      continue;
    if (put < 0)
      return fail_errno("cannot write " + file.string(), errno);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

expected<unique_fd> open_to_read(const fs::path& file) {
  unique_fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && (errno == ENOENT || errno == ENOTDIR))
    return fail(errc::not_found, "there is no file " + file.string());
  if (!fd)
    return fail_errno("cannot open " + file.string(), errno);
  return fd;
}

} // namespace

expected<std::string> read_file(const fs::path& file, std::uint64_t limit) {
  auto fd = open_to_read(file);
  if (!fd)
    return tl::unexpected(fd.error());
  struct stat info {};
  if (::fstat(fd->get(), &info) != 0)
    return fail_errno("cannot look at " + file.string(), errno);
  const auto too_large = [&] {
    return fail(errc::bad_request, file.string() + " is too large",
                "the limit is " + std::to_string(limit) + " bytes");
  };
  if (info.st_size > 0 && static_cast<std::uint64_t>(info.st_size) > limit)
    return too_large();
  // One byte more than the size tells the end; files in /proc have no size.
  std::string bytes(static_cast<std::size_t>(info.st_size) + 1, '\0');
  std::size_t filled = 0;
  for (;;) {
    if (filled == bytes.size())
      bytes.resize(bytes.size() * 2 + 4096);
    const auto got = ::read(fd->get(), bytes.data() + filled, bytes.size() - filled);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return fail_errno("cannot read " + file.string(), errno);
    if (got == 0)
      break;
    filled += static_cast<std::size_t>(got);
    if (filled > limit)
      return too_large();
  }
  bytes.resize(filled);
  return bytes;
}

namespace {

expected<void> fill_new(const fs::path& temporary, std::string_view content, std::uint32_t mode,
                        const fs::path& file) {
  const unique_fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                            static_cast<mode_t>(mode)));
  if (!fd)
    return fail_errno("cannot make " + file.string(), errno);
  if (auto ok = write_all(fd.get(), content, file); !ok)
    return ok;
  if (::fchmod(fd.get(), static_cast<mode_t>(mode)) != 0)
    return fail_errno("cannot set the mode of " + file.string(), errno);
  return {};
}

fs::path beside(fs::path file) { return file += ".tmp"; }

} // namespace

expected<void> write_file(const fs::path& file, std::string_view content, std::uint32_t mode) {
  scrap temporary(beside(file));
  return fill_new(temporary.path(), content, mode, file).and_then([&] {
    return temporary.publish(file);
  });
}

expected<void> flush(const fs::path& file_or_folder) {
  const unique_fd fd(::open(file_or_folder.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0)
    return fail_errno("cannot write " + file_or_folder.string() + " to the disk", errno);
  return {};
}

expected<void> write_durable_file(const fs::path& file, std::string_view content,
                                  std::uint32_t mode) {
  scrap temporary(beside(file));
  return fill_new(temporary.path(), content, mode, file)
      .and_then([&] { return flush(temporary.path()); })
      .and_then([&] { return temporary.publish(file); })
      .and_then([&] { return flush(file.parent_path()); });
}

std::string sha256(std::string_view bytes) {
  hasher h;
  h.add(bytes);
  return h.finish();
}

expected<std::string> sha256_file(const fs::path& file, const std::stop_token& stop) {
  auto fd = open_to_read(file);
  if (!fd)
    return tl::unexpected(fd.error());
  std::string chunk(std::size_t{256} << 10, '\0');
  hasher h;
  for (;;) {
    if (stop.stop_requested())
      return fail(errc::cancelled, "reading " + file.string() + " was cancelled");
    const auto got = ::read(fd->get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return fail_errno("cannot read " + file.string(), errno);
    if (got == 0)
      return h.finish();
    h.add({chunk.data(), static_cast<std::size_t>(got)});
  }
}

expected<std::string> sha256_sparse(const fs::path& file, const std::stop_token& stop) {
  auto fd = open_to_read(file);
  if (!fd)
    return tl::unexpected(fd.error());
  constexpr off_t block = 64 << 10;
  const auto whole = ::lseek(fd->get(), 0, SEEK_END);
  if (whole < 0)
    return fail_errno("cannot read " + file.string(), errno);
  const std::string nothing(block, '\0');
  std::string chunk(block, '\0');
  hasher h;
  for (off_t at = 0; at < whole; at += block) {
    if (stop.stop_requested())
      return fail(errc::cancelled, "reading " + file.string() + " was cancelled");
    const auto data = ::lseek(fd->get(), at, SEEK_DATA);
    if (data < 0 && errno == ENXIO)
      break;
    at = std::max(at, data / block * block);
    const auto wanted = static_cast<std::size_t>(std::min(block, whole - at));
    const auto got = ::pread(fd->get(), chunk.data(), wanted, at);
    if (got != static_cast<ssize_t>(wanted))
      return fail_errno("cannot read " + file.string(), got < 0 ? errno : EIO);
    const auto bytes = std::string_view(chunk).substr(0, wanted);
    if (bytes == std::string_view(nothing).substr(0, wanted))
      continue;
    h.add(std::to_string(at) + ":");
    h.add(bytes);
  }
  h.add("size " + std::to_string(whole));
  return h.finish();
}

scrap::~scrap() {
  std::error_code ignored;
  if (!path_.empty())
    fs::remove_all(path_, ignored);
}

expected<void> scrap::publish(const fs::path& target) {
  if (::rename(path_.c_str(), target.c_str()) != 0)
    return fail_errno("cannot put " + target.string() + " in its place", errno);
  path_.clear();
  return {};
}

// The lock belongs to the open file, which a child process can share: so `flock` waits in our
// place, and a wait in a process can be ended at any time.
expected<unique_fd> lock_file(const fs::path& file, const std::stop_token& stop,
                              std::chrono::milliseconds patience) {
  unique_fd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd)
    return fail_errno("cannot open the lock " + file.string(), errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0)
    return fd;
  if (errno != EWOULDBLOCK)
    return fail_errno("cannot lock " + file.string(), errno);
  if (patience.count() == 0)
    return fail(errc::timed_out, "another one holds the lock " + file.string());
  command wait{.argv = {"flock", "-x", "0"}, .input = fd.get(), .deadline = patience};
  if (auto locked = run(wait, stop); !locked)
    return tl::unexpected(locked.error());
  return fd;
}

} // namespace banger::storage
