// An answer on its way to bytes, by ldns. Inside this folder only.
#pragma once

#include "actors/dns/query.hpp"
#include "messages/base/error.hpp"
#include "messages/base/net.hpp"

#include <ldns/packet.h>

#include <memory>
#include <optional>
#include <string>

namespace banger::dns {

/// An answer that is being made. Throws std::bad_alloc.
class packet {
public:
  /// `unavailable`: ldns is not here. Nothing else may be called then.
  static expected<void> possible();

  /// No question, no records. `code` is at most 15.
  packet(const header& asked, std::uint8_t code);
  /// With its question, and with EDNS if the asker has it.
  packet(const header& asked, std::uint8_t code, const query& q);

  /// From our own knowledge, not a cache's.
  void authoritative();
  /// The code 16, which does not fit into the header: that version of EDNS is not known here.
  void bad_version();
  /// The question's name has this address.
  void add_address(ipv4 address, std::uint32_t ttl);
  /// `vm.` begins here, and an answer of "no" holds for `ttl` seconds.
  void add_start(ldns_pkt_section where, std::uint32_t ttl);
  void add_name_server(std::uint32_t ttl);

  /// At most `most` bytes: what would be longer has no records, and says so by TC. Nothing if ldns
  /// cannot write it. Once only.
  std::optional<std::string> encode(std::size_t most);

private:
  struct deleter {
    void operator()(ldns_pkt* p) const;
  };
  std::unique_ptr<ldns_pkt, deleter> packet_;
};

} // namespace banger::dns
