// What a DNS query says, from its bytes. Linear, and bounds are checked: any bytes may come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace banger::dns {

/// Bytes. A question and its EDNS options are far below; longer ones are malformed.
inline constexpr std::size_t header_size = 12, most_query = 4096;

/// The first twelve bytes, which an answer of any kind repeats in part.
struct header {
  std::uint16_t id = 0;
  std::uint8_t opcode = 0; ///< 0 is QUERY
  bool response = false;
  bool recursion_desired = false;
  bool checking_disabled = false;
  std::uint16_t questions = 0, answers = 0, authorities = 0, additionals = 0;
};

/// EDNS(0), RFC 6891.
struct edns {
  std::uint16_t udp_size = 0; ///< bytes that the asker takes by UDP
  std::uint8_t version = 0;
  bool dnssec_ok = false;
};

/// The name is on the wire's form (lengths and labels, up to the root's 0), not compressed, and
/// inside the query's bytes.
struct query {
  std::string_view name;
  std::uint16_t type = 0;
  std::uint16_t klass = 0;
  std::optional<edns> options;
};

/// Nothing if there are fewer than twelve bytes.
std::optional<header> read_header(std::string_view bytes);

/// Nothing if it is malformed: not exactly one question, records where a query has none, more than
/// four additional ones, several OPT, a name that is compressed or too long, bytes left over.
std::optional<query> read_query(std::string_view bytes);

} // namespace banger::dns
