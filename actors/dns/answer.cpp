#include "actors/dns/answer.hpp"

#include "actors/dns/query.hpp"
#include "actors/dns/wire.hpp"

#include <algorithm>

namespace banger::dns {

namespace {

constexpr std::uint16_t least_udp = 512;
constexpr std::size_t most_tcp = 65535;

std::string lower(std::string_view text) {
  std::string folded(text);
  for (char& c : folded)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c + ('a' - 'A'));
  return folded;
}

/// Where a name is, seen from `vm.`
struct place {
  bool inside = false; ///< `vm.` itself, or below it
  std::string vm;      ///< the label before `vm`, in lower case; empty: `vm.` itself
};

place find_place(std::string_view wire) {
  std::string_view label, before;
  for (std::size_t at = 0; wire[at] != 0;) {
    const auto length = static_cast<std::size_t>(static_cast<unsigned char>(wire[at]));
    before = label;
    label = wire.substr(at + 1, length);
    at += 1 + length;
  }
  return {lower(label) == "vm", lower(before)};
}

// Transfers, keys and their like: these ask for something else than records.
bool is_meta(std::uint16_t type) { return type >= 128 && type < LDNS_RR_TYPE_ANY; }

std::size_t room(const query& q, transport by) {
  if (by == transport::tcp)
    return most_tcp;
  return std::clamp(q.options ? q.options->udp_size : least_udp, least_udp, most_udp);
}

packet about_vm_domain(const header& h, const query& q) {
  packet p(h, LDNS_RCODE_NOERROR, q);
  if (q.type == LDNS_RR_TYPE_SOA || q.type == LDNS_RR_TYPE_ANY)
    p.add_start(LDNS_SECTION_ANSWER, negative_ttl);
  else if (q.type == LDNS_RR_TYPE_NS)
    p.add_name_server(address_ttl);
  else
    p.add_start(LDNS_SECTION_AUTHORITY, negative_ttl);
  return p;
}

packet about_vm(const header& h, const query& q, const std::string& name, const zone& vms) {
  const auto found = vms.find(name);
  packet p(h, found == vms.end() ? LDNS_RCODE_NXDOMAIN : LDNS_RCODE_NOERROR, q);
  if (found != vms.end() && (q.type == LDNS_RR_TYPE_A || q.type == LDNS_RR_TYPE_ANY))
    p.add_address(found->second, address_ttl);
  else
    p.add_start(LDNS_SECTION_AUTHORITY, negative_ttl);
  return p;
}

packet decide(const header& h, const query& q, const zone& vms) {
  if (q.options && q.options->version != 0) {
    packet p(h, LDNS_RCODE_NOERROR, q);
    p.bad_version();
    return p;
  }
  const auto where = find_place(q.name);
  if (q.klass != LDNS_RR_CLASS_IN || !where.inside || is_meta(q.type))
    return {h, LDNS_RCODE_REFUSED, q};
  auto p = where.vm.empty() ? about_vm_domain(h, q) : about_vm(h, q, where.vm, vms);
  p.authoritative();
  return p;
}

} // namespace

std::optional<std::string> answer(std::string_view bytes, const zone& vms, transport by) {
  const auto h = read_header(bytes);
  if (!h || h->response)
    return std::nullopt;
  if (h->opcode != LDNS_PACKET_QUERY)
    return packet(*h, LDNS_RCODE_NOTIMPL).encode(least_udp);
  const auto q = read_query(bytes);
  if (!q)
    return packet(*h, LDNS_RCODE_FORMERR).encode(least_udp);
  return decide(*h, *q, vms).encode(room(*q, by));
}

std::optional<std::string> refusal(std::string_view bytes) {
  const auto h = read_header(bytes);
  if (!h || h->response)
    return std::nullopt;
  return packet(*h, LDNS_RCODE_REFUSED).encode(least_udp);
}

bool is_refusal(std::string_view answer) {
  return answer.size() >= header_size && (answer[3] & 0xf) == LDNS_RCODE_REFUSED;
}

} // namespace banger::dns
