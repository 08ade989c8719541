// Puts the order for one command together when it comes in several frames. Pure; holds one order at
// a time, of at most `max_open` bytes.
#pragma once

#include "messages/guest/protocol.hpp"

namespace banger::guest {

class order_parts {
public:
  /// A `part`. A gap shows when the `open` comes.
  void take(const frame_view& part);
  /// What an `open` orders, with the parts before it; nothing if it cannot be read.
  std::optional<open_body> order(const frame_view& open);

private:
  std::uint32_t session_ = 0;
  std::string body_; ///< its begin
};

} // namespace banger::guest
