#include "actors/io/console_log.hpp"

#include "actors/storage/lines.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

namespace banger::io {

namespace {

constexpr std::size_t longest_tail = std::size_t{64} * 1024;

std::filesystem::path older(const std::filesystem::path& file) { return file.string() + ".1"; }

unique_fd open_to_write(const std::filesystem::path& file) {
  return unique_fd(
      ::open(file.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
}

unique_fd open_to_read(const std::filesystem::path& file) {
  return unique_fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
}

bool same_file(int a, int b) {
  struct stat first {};
  struct stat second {};
  return ::fstat(a, &first) == 0 && ::fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

std::uint64_t size_of(int fd) {
  struct stat s {};
  return ::fstat(fd, &s) == 0 ? static_cast<std::uint64_t>(s.st_size) : 0;
}

std::string last_bytes(int fd, std::size_t most) {
  const auto size = size_of(fd);
  std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(size, most)), '\0');
  const auto got = ::pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(size - bytes.size()));
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return bytes;
}

// ESC [ ... final byte, ESC ] ... BEL or ST, ESC and one character. Answers where it ends.
std::size_t skip_escape(std::string_view text, std::size_t at) {
  if (++at == text.size())
    return at;
  const char kind = text[at++];
  if (kind == '[') {
    while (at < text.size() && text[at] >= 0x20 && text[at] < 0x40)
      ++at;
    return std::min(at + 1, text.size());
  }
  if (kind == ']' || kind == 'P' || kind == 'X' || kind == '^' || kind == '_') {
    while (at < text.size() && text[at] != '\a' && text[at] != '\x1b' && text[at] != '\n')
      ++at;
    return at < text.size() && text[at] == '\a' ? at + 1 : at;
  }
  return static_cast<unsigned char>(kind) < 0x20 ? at - 1 : at;
}

} // namespace

std::string harmless(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c == 0x1b) {
      at = skip_escape(text, at);
      continue;
    }
    const bool utf8_control =
        c == 0xc2 && at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xa0;
    // A lone 0x80–0x9f is a control only where no UTF-8 sequence goes on.
    const bool lone_control =
        c >= 0x80 && c < 0xa0 && (clean.empty() || static_cast<signed char>(clean.back()) >= 0);
    if (c == '\n' || c == '\t' || (c >= 0x20 && c != 0x7f && !utf8_control && !lone_control))
      clean += text[at];
    at += utf8_control ? 2 : 1;
  }
  return clean;
}

expected<console_log> console_log::open(std::filesystem::path file, std::uint64_t limit) {
  console_log log;
  log.fd_ = open_to_write(file);
  if (!log.fd_)
    return fail_errno("cannot open the console log " + file.string(), errno);
  log.file_ = std::move(file);
  log.limit_ = limit;
  log.size_ = size_of(log.fd_.get());
  return log;
}

void console_log::append(std::string_view bytes) {
  total_ += bytes.size();
  while (!bytes.empty()) {
    if (size_ >= limit_)
      rotate();
    const auto room = size_ < limit_ ? limit_ - size_ : limit_;
    const auto part = bytes.substr(0, static_cast<std::size_t>(room));
    const auto written = ::write(fd_.get(), part.data(), part.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return;
    size_ += static_cast<std::uint64_t>(written);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

// If no new file can be made, the old one is begun anew: the bound holds in any case.
void console_log::rotate() {
  ::rename(file_.c_str(), older(file_).c_str());
  if (auto fresh = open_to_write(file_); fresh)
    fd_ = std::move(fresh);
  else if (::ftruncate(fd_.get(), 0) != 0)
    return;
  size_ = size_of(fd_.get());
}

std::string console_log::tail(std::size_t lines) const {
  if (lines == 0)
    return {};
  auto text = last_bytes(fd_.get(), longest_tail);
  if (text.size() < longest_tail)
    if (const auto before = open_to_read(older(file_)); before)
      text.insert(0, last_bytes(before.get(), longest_tail - text.size()));
  text = harmless(text);
  return std::string(storage::last_lines(text, lines));
}

namespace {

// To the first line that begins at `offset` or later. In the last file a line that fills all of the
// rest is cut: something is to be seen.
void seek_to_line(int fd, std::uint64_t offset, bool last) {
  if (offset > 0) {
    std::string rest(static_cast<std::size_t>(size_of(fd) - (offset - 1)), '\0');
    const auto got = ::pread(fd, rest.data(), rest.size(), static_cast<off_t>(offset - 1));
    rest.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    const auto end = rest.find('\n');
    if (end != std::string::npos && (end + 1 < rest.size() || !last))
      offset += end;
  }
  ::lseek(fd, static_cast<off_t>(offset), SEEK_SET);
}

} // namespace

void log_follower::begin_near_end(std::uint64_t bytes) {
  auto current = open_to_read(file_);
  auto previous = open_to_read(older(file_));
  if (current && previous && same_file(current.get(), previous.get()))
    current.reset(); // it was moved while we looked
  const auto here = current ? size_of(current.get()) : 0;
  const auto before = previous ? size_of(previous.get()) : 0;
  if (here + before <= bytes)
    return;
  const bool in_current = here >= bytes;
  const auto offset = in_current ? here - bytes : before - (bytes - here);
  fd_ = in_current ? std::move(current) : std::move(previous);
  ++files_;
  seek_to_line(fd_.get(), offset, in_current);
}

std::size_t log_follower::read(char* buffer, std::size_t size) {
  for (;;) {
    if (!fd_ && !advance())
      return 0;
    const auto got = ::read(fd_.get(), buffer, size);
    if (got > 0)
      return static_cast<std::size_t>(got);
    if (got < 0 && errno == EINTR)
      continue;
    if (!advance())
      return 0;
  }
}

// Called at the end of the file that is open. The writer opens a new file only after its last write
// to the old one, so once another file is there, one more look at the old one finds all of it.
bool log_follower::advance() {
  auto current = open_to_read(file_);
  auto previous = open_to_read(older(file_));
  if (!fd_) {
    fd_ = previous ? std::move(previous) : std::move(current);
    files_ += fd_ ? 1 : 0;
    return bool(fd_);
  }
  if (!current || same_file(current.get(), fd_.get()))
    return false;
  const auto here = ::lseek(fd_.get(), 0, SEEK_CUR);
  if (here >= 0 && static_cast<std::uint64_t>(here) < size_of(fd_.get()))
    return true;
  const bool turned_twice = previous && !same_file(previous.get(), fd_.get());
  fd_ = turned_twice ? std::move(previous) : std::move(current);
  ++files_;
  return true;
}

} // namespace banger::io
