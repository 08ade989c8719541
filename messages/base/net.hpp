// Addresses and names of networks, as values that are inside their grammar. Byte order is the
// host's everywhere; a wire or the kernel turns it around at its own edge.
#pragma once

#include "messages/base/names.hpp"

#include <array>
#include <compare>

namespace banger {

/// An IPv4 address.
struct ipv4 {
  std::uint32_t bits = 0;

  static expected<ipv4> parse(std::string_view text); ///< dotted, four numbers, no leading zeros
  std::string str() const;
  friend auto operator<=>(const ipv4&, const ipv4&) = default;
};

/// A private IPv4 network (RFC 1918, or 100.64.0.0/10) with a prefix of 8 to 30 bits that lies
/// wholly inside its block.
class ipv4_net {
public:
  /// "10.88.0.0/24". `bad_request` if host bits are set, or it is no private network.
  static expected<ipv4_net> parse(std::string_view text);

  ipv4 first() const { return base_; }                 ///< the network's own address
  ipv4 last() const { return {base_.bits | ~mask()}; } ///< broadcast
  ipv4 host() const { return {base_.bits + 1}; }       ///< ours: the bridge has it
  unsigned prefix() const { return prefix_; }
  bool contains(ipv4 a) const { return (a.bits & mask()) == base_.bits; }
  bool overlaps(const ipv4_net& other) const {
    return contains(other.base_) || other.contains(base_);
  }
  /// A guest's: inside, and not the network's, the host's or broadcast.
  bool is_guest(ipv4 a) const { return contains(a) && a > host() && a < last(); }
  std::string str() const;
  friend bool operator==(const ipv4_net&, const ipv4_net&) = default;

private:
  ipv4_net(ipv4 base, unsigned prefix) : base_(base), prefix_(prefix) {}
  std::uint32_t mask() const { return ~std::uint32_t{0} << (32 - prefix_); }

  ipv4 base_;
  unsigned prefix_;
};

/// A unicast Ethernet address, locally administered: 52:54:00 and what makes it our own.
struct mac_address {
  std::array<std::uint8_t, 6> bytes{};

  static expected<mac_address> parse(std::string_view text); ///< six pairs of hex digits, colons
  /// Of the guest with this address: 52:54 and its four bytes.
  static mac_address of(ipv4 address);
  std::string str() const; ///< lower case
  friend auto operator<=>(const mac_address&, const mac_address&) = default;
};

/// A bridge that is ours: `br-fc`, or `br-fc-` and 1–9 of a-z and 0-9. At most 15 characters, as
/// the kernel has it.
struct bridge_name_grammar {
  static expected<void> check(std::string_view text);
};
using bridge_name = strong_name<bridge_name_grammar>;

/// A tap that is ours: `tap-fc-` and 1–8 of a-z and 0-9.
struct tap_name_grammar {
  static expected<void> check(std::string_view text);
};
using tap_name = strong_name<tap_name_grammar>;

inline constexpr std::string_view tap_prefix = "tap-fc-", bridge_prefix = "br-fc";

} // namespace banger
