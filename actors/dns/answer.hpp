// What is answered to a query about `vm.`: pure, from bytes to bytes.
//
//   A of NAME.vm, and of anything below it     its address, 5 s
//   another type of those                      no error, empty, SOA
//   a name in vm. that is no VM's              NXDOMAIN, SOA, 1 s
//   vm. itself                                 SOA, NS; empty for other types
//   outside vm., another class, a transfer     REFUSED: a stub resolver asks its next server
//   another opcode                             NOTIMP
//   an EDNS version above 0                    BADVERS
//   malformed                                  FORMERR
//   a response, or less than a header          nothing
//
// ANY is answered as A (RFC 8482). Names are compared without regard to case, and come back as they
// were asked.
#pragma once

#include "messages/base/net.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace banger::dns {

enum class transport : std::uint8_t { udp, tcp };

/// VM names, in lower case and without `.vm`, and where they are.
using zone = std::map<std::string, ipv4, std::less<>>;

inline constexpr std::uint32_t address_ttl = 5, negative_ttl = 1; ///< seconds
inline constexpr std::uint16_t most_udp = 1232; ///< bytes: what passes any link in one piece

/// The answer's bytes, without the length that goes before them on TCP; nothing: say nothing. By
/// UDP at most what the asker takes (512 bytes without EDNS), or cut with TC set.
std::optional<std::string> answer(std::string_view query, const zone& vms, transport by);

/// REFUSED, whatever was asked, for those who may not ask; nothing for what is no query.
std::optional<std::string> refusal(std::string_view query);

/// Whether these bytes of an answer say REFUSED.
bool is_refusal(std::string_view answer);

} // namespace banger::dns
