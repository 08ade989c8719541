#include "messages/handover/packets.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <sys/random.h>

namespace banger::handover {

namespace {
constexpr std::size_t token_bytes = 16;
constexpr std::string_view digits = "0123456789abcdef";
} // namespace

expected<void> token_grammar::check(std::string_view text) {
  const auto hex = [](char c) { return digits.find(c) != std::string_view::npos; };
  if (text.size() == 2 * token_bytes && std::all_of(text.begin(), text.end(), hex))
    return {};
  return fail(errc::bad_request, "invalid token", "it is 32 of 0-9 and a-f");
}

expected<token> new_token() {
  std::array<unsigned char, token_bytes> bits{};
  // So few bytes come all at once, or not at all.
  if (::getrandom(bits.data(), bits.size(), 0) != static_cast<ssize_t>(bits.size()))
    return fail_errno("cannot draw a token", errno);
  std::string text;
  for (const auto byte : bits) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return token::parse(text);
}

std::optional<token> parse_request(std::string_view packet) {
  if (auto shown = token::parse(packet))
    return *std::move(shown);
  return std::nullopt;
}

std::string reply_with(std::size_t count) { return "+" + std::to_string(count); }

expected<std::size_t> parse_reply(std::string_view packet) {
  if (packet == reply_nothing)
    return fail(errc::not_found, "the helper has no descriptors for this token",
                "it was used before, it is older than 5 s, or it was given to another process",
                "ask again for what they belong to");
  std::size_t count = 0;
  const auto* end = packet.data() + packet.size();
  const bool good = packet.size() >= 2 && packet.front() == '+' && packet[1] != '0';
  if (good) {
    const auto [rest, error] = std::from_chars(packet.data() + 1, end, count);
    if (error == std::errc{} && rest == end && count <= most_descriptors)
      return count;
  }
  return fail(errc::bad_version, "the helper answered something else than descriptors",
              "it is of another version", "restart the one that is older");
}

} // namespace banger::handover
