#include "guest/order_parts.hpp"

#include <utility>

namespace banger::guest {

void order_parts::take(const frame_view& part) {
  if (part.head.offset == 0) {
    session_ = part.head.session;
    body_ = std::string();
  }
  if (part.head.session == session_ && part.head.offset == body_.size() &&
      body_.size() + part.payload.size() <= max_open)
    body_ += part.payload;
}

std::optional<open_body> order_parts::order(const frame_view& open) {
  if (open.head.offset == 0)
    return decode<open_body>(open.payload);
  if (open.head.session != session_)
    return std::nullopt;
  take(open);
  const auto body = std::exchange(body_, {});
  if (body.size() != open.head.offset + open.payload.size())
    return std::nullopt;
  return decode<open_body>(body);
}

} // namespace banger::guest
