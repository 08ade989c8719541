#include "messages/base/net.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>

namespace banger {

namespace {

constexpr unsigned least_prefix = 8, most_prefix = 30;

struct block {
  std::uint32_t base;
  unsigned prefix;
};
constexpr std::array<block, 4> private_blocks{{
    {0x0a000000, 8},  // 10.0.0.0/8
    {0xac100000, 12}, // 172.16.0.0/12
    {0xc0a80000, 16}, // 192.168.0.0/16
    {0x64400000, 10}, // 100.64.0.0/10, between carriers and their customers
}};

tl::unexpected<failure> bad(std::string_view kind, std::string_view text, std::string why) {
  return fail(errc::bad_request,
              "invalid " + std::string(kind) + " '" + std::string(text.substr(0, 32)) + "'",
              std::move(why));
}

// The decimal number at the front of `text`, which is taken away; none if it is above `most` or has
// a leading zero.
std::optional<unsigned> take_number(std::string_view& text, unsigned most) {
  unsigned number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto digits = static_cast<std::size_t>(rest - text.data());
  if (error != std::errc{} || number > most || (digits > 1 && text.front() == '0'))
    return std::nullopt;
  text.remove_prefix(digits);
  return number;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c)
    return false;
  text.remove_prefix(1);
  return true;
}

std::optional<ipv4> take_address(std::string_view& text) {
  ipv4 address;
  for (int i = 0; i < 4; ++i) {
    if (i > 0 && !take(text, '.'))
      return std::nullopt;
    const auto byte = take_number(text, 255);
    if (!byte)
      return std::nullopt;
    address.bits = address.bits << 8 | *byte;
  }
  return address;
}

int hex(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
}

expected<void> check_device(std::string_view kind, std::string_view text, std::string_view prefix,
                            std::size_t most) {
  const auto rest = text.size() < prefix.size() ? std::string_view{} : text.substr(prefix.size());
  if (text.substr(0, prefix.size()) == prefix && !rest.empty() && rest.size() <= most &&
      plain(rest))
    return {};
  return bad(kind, text,
             "it is " + std::string(prefix) + " and 1 to " + std::to_string(most) +
                 " of a-z and 0-9");
}

} // namespace

expected<ipv4> ipv4::parse(std::string_view text) {
  auto rest = text;
  const auto address = take_address(rest);
  if (!address || !rest.empty())
    return bad("IPv4 address", text, "it is four numbers from 0 to 255, such as 10.88.0.1");
  return *address;
}

std::string ipv4::str() const {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8)
    text += std::to_string(bits >> shift & 0xff) + (shift > 0 ? "." : "");
  return text;
}

expected<ipv4_net> ipv4_net::parse(std::string_view text) {
  auto rest = text;
  const auto base = take_address(rest);
  const bool slash = base && take(rest, '/');
  const auto prefix = slash ? take_number(rest, 32) : std::nullopt;
  if (!prefix || !rest.empty())
    return bad("network", text, "it is an address and a prefix, such as 10.88.0.0/24");
  if (*prefix < least_prefix || *prefix > most_prefix)
    return bad("network", text, "its prefix must be from 8 to 30");
  const ipv4_net net(*base, *prefix);
  if ((base->bits & ~net.mask()) != 0)
    return bad("network", text,
               "it has bits of a host; " + ipv4{base->bits & net.mask()}.str() + "/" +
                   std::to_string(*prefix) + " is a network");
  const bool is_private = std::any_of(private_blocks.begin(), private_blocks.end(), [&](block b) {
    return *prefix >= b.prefix && (base->bits & ~std::uint32_t{0} << (32 - b.prefix)) == b.base;
  });
  if (!is_private)
    return bad("network", text,
               "it is not private: inside 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or "
               "100.64.0.0/10");
  return net;
}

std::string ipv4_net::str() const { return base_.str() + "/" + std::to_string(prefix_); }

expected<mac_address> mac_address::parse(std::string_view text) {
  mac_address mac;
  const auto wrong = [&] {
    return bad("MAC address", text,
               "it is six pairs of hexadecimal digits, such as "
               "52:54:0a:58:00:02, local and of one station");
  };
  if (text.size() != 17)
    return wrong();
  for (std::size_t i = 0; i < 6; ++i) {
    const int high = hex(text[3 * i]), low = hex(text[3 * i + 1]);
    if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':'))
      return wrong();
    mac.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  if ((mac.bytes[0] & 0x03) != 0x02)
    return wrong();
  return mac;
}

mac_address mac_address::of(ipv4 address) {
  mac_address mac{{0x52, 0x54}};
  for (std::size_t i = 0; i < 4; ++i)
    mac.bytes[2 + i] = static_cast<std::uint8_t>(address.bits >> (24 - 8 * i));
  return mac;
}

std::string mac_address::str() const {
  std::array<char, 18> text{};
  std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1],
                bytes[2], bytes[3], bytes[4], bytes[5]);
  return text.data();
}

expected<void> bridge_name_grammar::check(std::string_view text) {
  if (text == bridge_prefix)
    return {};
  return check_device("bridge name", text, "br-fc-", 9);
}

expected<void> tap_name_grammar::check(std::string_view text) {
  return check_device("tap name", text, tap_prefix, 8);
}

} // namespace banger
