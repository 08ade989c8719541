// The bounded log of a guest's console, and a reader that follows any log that rotates to `FILE.1`.
#pragma once

#include "messages/base/error.hpp"
#include "messages/base/unique_fd.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace banger::io {

/// `text` with escape sequences and control characters left out, so that it cannot drive a
/// terminal. Newlines and tabs stay; bytes that are not ASCII stay unless they are C1 controls.
std::string harmless(std::string_view text);

/// Writer. At most `limit` bytes in the file, and as many in `FILE`.1.
class console_log {
public:
  static constexpr std::uint64_t default_limit = std::uint64_t{1024} * 1024;

  /// Appends to what is there. `operation_failed`: errno.
  static expected<console_log> open(std::filesystem::path file,
                                    std::uint64_t limit = default_limit);

  /// What cannot be written (disk full) is dropped: a full disk must not stop a guest.
  void append(std::string_view bytes);
  /// Since this object was opened, dropped bytes too.
  std::uint64_t total_bytes() const { return total_; }
  /// The last `lines` lines, made harmless, at most 64 KiB; reaches into `FILE`.1 if need be.
  std::string tail(std::size_t lines) const;

private:
  void rotate();

  std::filesystem::path file_;
  std::uint64_t limit_ = default_limit;
  unique_fd fd_;
  std::uint64_t size_ = 0;
  std::uint64_t total_ = 0;
};

/// Reads `FILE`.1, then `FILE`, then what is appended, across rotations: nothing twice, and nothing
/// left out unless the log turned over twice between two reads.
class log_follower {
public:
  explicit log_follower(std::filesystem::path file) : file_(std::move(file)) {}

  /// Begins at a line, at most `bytes` before the end of what is there now. Before the first read.
  void begin_near_end(std::uint64_t bytes);
  /// Bytes read into `buffer`, 0 if there is nothing more for now.
  std::size_t read(char* buffer, std::size_t size);
  /// The file that is read at the moment, -1 before there is one.
  int fd() const { return fd_.get(); }
  /// How many files were begun so far.
  std::uint64_t files() const { return files_; }

private:
  bool advance();

  std::filesystem::path file_;
  unique_fd fd_;
  std::uint64_t files_ = 0;
};

} // namespace banger::io
