// What is said on the socket for descriptors: one packet each way. Pure.
//   request   the token
//   reply     "+N" with N descriptors in the same packet, or "-": nothing is offered so
#pragma once

#include "messages/base/names.hpp"

#include <optional>

namespace banger::handover {

/// 128 random bits as 32 of 0-9 and a-f.
struct token_grammar {
  static expected<void> check(std::string_view text);
};
using token = strong_name<token_grammar>;

/// From the kernel's generator.
expected<token> new_token();

inline constexpr std::size_t most_descriptors = 64; ///< in one packet
inline constexpr std::size_t largest_packet = 64;   ///< bytes; both kinds are shorter

/// Nothing: it is no request.
std::optional<token> parse_request(std::string_view packet);

std::string reply_with(std::size_t count);
inline constexpr std::string_view reply_nothing = "-";

/// The number of descriptors that came along. `not_found`: nothing is offered under this token to
/// this process, or no longer. `bad_version`: it is no reply.
expected<std::size_t> parse_reply(std::string_view packet);

} // namespace banger::handover
