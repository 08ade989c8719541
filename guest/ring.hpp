// The bytes of a stream between two of its offsets, at most `window` of them.
#pragma once

#include "messages/guest/protocol.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string_view>
#include <sys/uio.h>

namespace banger::guest {

class ring {
public:
  std::uint64_t begin() const { return begin_; }
  std::uint64_t end() const { return end_; }
  std::uint64_t size() const { return end_ - begin_; }
  std::uint64_t room() const { return window - size(); }

  /// Appends as many bytes as there is room for; answers how many.
  std::size_t append(std::string_view bytes) {
    bytes = bytes.substr(0, room());
    std::size_t taken = 0;
    for (const auto& part : space()) {
      const auto size = std::min(part.iov_len, bytes.size() - taken);
      if (size != 0)
        std::memcpy(part.iov_base, bytes.data() + taken, size);
      taken += size;
    }
    end_ += taken;
    return taken;
  }

  /// Where the next bytes go, in one or two parts; `extend` says how many were put there.
  std::array<iovec, 2> space() {
    if (!bytes_)
      bytes_ = std::make_unique_for_overwrite<char[]>(window);
    const auto at = end_ % window;
    const auto first = std::min(room(), window - at);
    return {iovec{bytes_.get() + at, first}, iovec{bytes_.get(), room() - first}};
  }
  void extend(std::size_t size) { end_ += size; }

  /// The bytes from `offset` (begin ≤ offset ≤ end) on, as far as they lie together.
  std::string_view at(std::uint64_t offset) const {
    const auto from = offset % window;
    return {bytes_.get() + from, std::min(end_ - offset, window - from)};
  }

  void drop_before(std::uint64_t offset) { begin_ = offset; }
  /// Bytes that passed by without being kept.
  void skip(std::uint64_t size) { begin_ = end_ += size; }

private:
  std::unique_ptr<char[]> bytes_;
  std::uint64_t begin_ = 0, end_ = 0;
};

} // namespace banger::guest
