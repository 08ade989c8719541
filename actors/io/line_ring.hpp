// The last lines of something, for readers that come and go. Who reads has a place of his own in
// it; what he is too slow for is counted, and forgotten. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>

namespace banger::io {

/// Lines are numbered from 0, without gaps.
class line_ring {
public:
  /// Keeps at most so many lines and so many bytes, but always the last line.
  line_ring(std::size_t most_lines, std::size_t most_bytes)
      : most_lines_(most_lines), most_bytes_(most_bytes) {}

  /// With its newline.
  void push(std::string line);

  std::uint64_t begin() const { return first_; } ///< the oldest that is kept
  std::uint64_t end() const { return first_ + lines_.size(); }
  std::size_t bytes() const { return bytes_; }

  struct piece {
    std::uint64_t lost = 0; ///< lines that were forgotten before the reader came to them
    std::string text;
  };
  /// Whole lines from `place` up to (not with) `until`: as many as fit into `room` bytes, and at
  /// least one if there is one. Moves `place`.
  piece read(std::uint64_t& place, std::uint64_t until, std::size_t room) const;

private:
  std::size_t most_lines_, most_bytes_;
  std::deque<std::string> lines_;
  std::uint64_t first_ = 0;
  std::size_t bytes_ = 0;
};

} // namespace banger::io
