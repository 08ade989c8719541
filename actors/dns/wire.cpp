#include "actors/dns/wire.hpp"

#include "actors/dns/answer.hpp"

#include <ldns/rbtree.h> // host2wire.h needs it and does not say so

#include <ldns/dname.h>
#include <ldns/host2wire.h>

#include <array>
#include <cstdlib>
#include <initializer_list>
#include <new>

namespace banger::dns {

namespace {

struct freed {
  void operator()(std::uint8_t* bytes) const { std::free(bytes); }
};

template <class T>
T* have(T* made) {
  if (made == nullptr)
    throw std::bad_alloc();
  return made;
}

ldns_rdf* domain(std::string_view wire) {
  return have(ldns_dname_new_frm_data(static_cast<std::uint16_t>(wire.size()), wire.data()));
}
ldns_rdf* vm_domain() { return domain(std::string_view("\2vm\0", 4)); }

// The record takes the fields over.
ldns_rr* record(ldns_rdf* owner, ldns_rr_type type, std::uint32_t ttl,
                std::initializer_list<ldns_rdf*> fields) {
  auto* const rr = have(ldns_rr_new());
  ldns_rr_set_owner(rr, owner);
  ldns_rr_set_type(rr, type);
  ldns_rr_set_class(rr, LDNS_RR_CLASS_IN);
  ldns_rr_set_ttl(rr, ttl);
  for (auto* const field : fields)
    ldns_rr_push_rdf(rr, field);
  return rr;
}

ldns_rdf* seconds(std::uint32_t count) {
  return have(ldns_native2rdf_int32(LDNS_RDF_TYPE_PERIOD, count));
}

std::optional<std::string> bytes_of(const ldns_pkt& p) {
  std::uint8_t* bytes = nullptr;
  std::size_t size = 0;
  if (ldns_pkt2wire(&bytes, &p, &size) != LDNS_STATUS_OK)
    return std::nullopt;
  const std::unique_ptr<std::uint8_t, freed> owner(bytes);
  return std::string(reinterpret_cast<const char*>(bytes), size);
}

} // namespace

packet::packet(const header& asked, std::uint8_t code) : packet_(have(ldns_pkt_new())) {
  auto* const p = packet_.get();
  ldns_pkt_set_id(p, asked.id);
  ldns_pkt_set_qr(p, true);
  ldns_pkt_set_opcode(p, static_cast<ldns_pkt_opcode>(asked.opcode));
  ldns_pkt_set_rd(p, asked.recursion_desired);
  ldns_pkt_set_cd(p, asked.checking_disabled);
  ldns_pkt_set_rcode(p, code);
}

packet::packet(const header& asked, std::uint8_t code, const query& q) : packet(asked, code) {
  auto* const p = packet_.get();
  auto* const question = have(ldns_rr_new());
  ldns_rr_set_question(question, true);
  ldns_rr_set_owner(question, domain(q.name));
  ldns_rr_set_type(question, static_cast<ldns_rr_type>(q.type));
  ldns_rr_set_class(question, static_cast<ldns_rr_class>(q.klass));
  ldns_pkt_push_rr(p, LDNS_SECTION_QUESTION, question);
  if (q.options) {
    ldns_pkt_set_edns_udp_size(p, most_udp);
    ldns_pkt_set_edns_do(p, q.options->dnssec_ok);
  }
}

void packet::authoritative() { ldns_pkt_set_aa(packet_.get(), true); }

void packet::bad_version() { ldns_pkt_set_edns_extended_rcode(packet_.get(), 1); }

void packet::add_address(ipv4 address, std::uint32_t ttl) {
  const auto bytes = address.bytes();
  const auto* const question = ldns_rr_list_rr(ldns_pkt_question(packet_.get()), 0);
  ldns_pkt_push_rr(packet_.get(), LDNS_SECTION_ANSWER,
                   record(have(ldns_rdf_clone(ldns_rr_owner(question))), LDNS_RR_TYPE_A, ttl,
                          {have(ldns_rdf_new_frm_data(LDNS_RDF_TYPE_A, 4, bytes.data()))}));
}

// Names as in the zones that RFC 6303 keeps from the internet. A name server of its own name would
// be a name that no VM could have.
void packet::add_start(ldns_pkt_section where, std::uint32_t ttl) {
  auto* const nobody = domain(std::string_view("\6nobody\7invalid\0", 16));
  auto* const serial = have(ldns_native2rdf_int32(LDNS_RDF_TYPE_INT32, 1));
  ldns_pkt_push_rr(packet_.get(), where,
                   record(vm_domain(), LDNS_RR_TYPE_SOA, ttl,
                          {vm_domain(), nobody, serial, seconds(3600), seconds(1200),
                           seconds(604800), seconds(ttl)}));
}

void packet::add_name_server(std::uint32_t ttl) {
  ldns_pkt_push_rr(packet_.get(), LDNS_SECTION_ANSWER,
                   record(vm_domain(), LDNS_RR_TYPE_NS, ttl, {vm_domain()}));
}

std::optional<std::string> packet::encode(std::size_t most) {
  auto bytes = bytes_of(*packet_);
  if (!bytes || bytes->size() <= most)
    return bytes;
  auto* const p = packet_.get();
  for (auto* const records : {ldns_pkt_answer(p), ldns_pkt_authority(p)})
    while (auto* const rr = ldns_rr_list_pop_rr(records))
      ldns_rr_free(rr);
  ldns_pkt_set_ancount(p, 0);
  ldns_pkt_set_nscount(p, 0);
  ldns_pkt_set_tc(p, true);
  return bytes_of(*p);
}

} // namespace banger::dns
