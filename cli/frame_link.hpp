// Frames over a connected, non-blocking socket, in large pieces.
#pragma once

#include "messages/base/error.hpp"
#include "messages/base/unique_fd.hpp"
#include "messages/guest/protocol.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace banger::cli {

struct received {
  guest::header head;
  std::string_view payload; ///< valid until the next `receive`
};

class frame_link {
public:
  explicit frame_link(unique_fd connection);

  int fd() const { return fd_.get(); }

  void send(guest::header head, std::string_view payload);
  bool has_room() const { return unsent() < room; } ///< for more of our input
  bool wants_to_write() const { return unsent() > 0; }
  /// False when the other side has gone away.
  bool write();

  /// Takes in what is there. False at the end of the connection.
  bool receive();
  /// The next whole frame. `bad_version` if what came is none.
  expected<std::optional<received>> next();

private:
  static constexpr std::size_t room = 256ul * 1024;
  static constexpr std::size_t capacity = 512ul * 1024;
  static_assert(capacity > guest::header_size + guest::max_payload);

  std::size_t unsent() const { return out_.size() - out_at_; }

  unique_fd fd_;
  std::string out_;
  std::size_t out_at_ = 0;
  std::unique_ptr<char[]> in_;
  std::size_t begin_ = 0, end_ = 0;
};

} // namespace banger::cli
