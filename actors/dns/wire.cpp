#include "actors/dns/wire.hpp"

#include "actors/dns/answer.hpp"
#include "messages/base/late_library.hpp"

#include <ldns/rbtree.h> // host2wire.h needs it and does not say so

#include <ldns/dname.h>
#include <ldns/host2wire.h>

#include <cstdlib>
#include <initializer_list>
#include <new>

namespace banger::dns {

namespace {

// Late: a daemon whose VMs have no bridge answers no questions, and with ldns comes OpenSSL.
struct libldns : late_library {
  libldns() : late_library("libldns.so.3") {}
  BANGER_LATE(ldns_, dname_new_frm_data)
  BANGER_LATE(ldns_, native2rdf_int32)
  BANGER_LATE(ldns_, pkt2wire)
  BANGER_LATE(ldns_, pkt_answer)
  BANGER_LATE(ldns_, pkt_authority)
  BANGER_LATE(ldns_, pkt_free)
  BANGER_LATE(ldns_, pkt_new)
  BANGER_LATE(ldns_, pkt_push_rr)
  BANGER_LATE(ldns_, pkt_question)
  BANGER_LATE(ldns_, pkt_set_aa)
  BANGER_LATE(ldns_, pkt_set_ancount)
  BANGER_LATE(ldns_, pkt_set_cd)
  BANGER_LATE(ldns_, pkt_set_edns_do)
  BANGER_LATE(ldns_, pkt_set_edns_extended_rcode)
  BANGER_LATE(ldns_, pkt_set_edns_udp_size)
  BANGER_LATE(ldns_, pkt_set_id)
  BANGER_LATE(ldns_, pkt_set_nscount)
  BANGER_LATE(ldns_, pkt_set_opcode)
  BANGER_LATE(ldns_, pkt_set_qr)
  BANGER_LATE(ldns_, pkt_set_rcode)
  BANGER_LATE(ldns_, pkt_set_rd)
  BANGER_LATE(ldns_, pkt_set_tc)
  BANGER_LATE(ldns_, rdf_clone)
  BANGER_LATE(ldns_, rdf_new_frm_data)
  BANGER_LATE(ldns_, rr_free)
  BANGER_LATE(ldns_, rr_list_pop_rr)
  BANGER_LATE(ldns_, rr_list_rr)
  BANGER_LATE(ldns_, rr_new)
  BANGER_LATE(ldns_, rr_owner)
  BANGER_LATE(ldns_, rr_push_rdf)
  BANGER_LATE(ldns_, rr_set_class)
  BANGER_LATE(ldns_, rr_set_owner)
  BANGER_LATE(ldns_, rr_set_question)
  BANGER_LATE(ldns_, rr_set_ttl)
  BANGER_LATE(ldns_, rr_set_type)
};

const libldns& ldns() {
  static const libldns loaded;
  return loaded;
}

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
  return have(ldns().dname_new_frm_data(static_cast<std::uint16_t>(wire.size()), wire.data()));
}
ldns_rdf* vm_domain() { return domain(std::string_view("\2vm\0", 4)); }

// The record takes the fields over.
ldns_rr* record(ldns_rdf* owner, ldns_rr_type type, std::uint32_t ttl,
                std::initializer_list<ldns_rdf*> fields) {
  auto* const rr = have(ldns().rr_new());
  ldns().rr_set_owner(rr, owner);
  ldns().rr_set_type(rr, type);
  ldns().rr_set_class(rr, LDNS_RR_CLASS_IN);
  ldns().rr_set_ttl(rr, ttl);
  for (auto* const field : fields)
    ldns().rr_push_rdf(rr, field);
  return rr;
}

ldns_rdf* seconds(std::uint32_t count) {
  return have(ldns().native2rdf_int32(LDNS_RDF_TYPE_PERIOD, count));
}

std::optional<std::string> bytes_of(const ldns_pkt& p) {
  std::uint8_t* bytes = nullptr;
  std::size_t size = 0;
  if (ldns().pkt2wire(&bytes, &p, &size) != LDNS_STATUS_OK)
    return std::nullopt;
  const std::unique_ptr<std::uint8_t, freed> owner(bytes);
  return std::string(reinterpret_cast<const char*>(bytes), size);
}

} // namespace

expected<void> packet::possible() {
  auto ok = ldns().usable();
  if (!ok)
    ok.error().remedy += " (Debian: libldns3)";
  return ok;
}

void packet::deleter::operator()(ldns_pkt* p) const { ldns().pkt_free(p); }

packet::packet(const header& asked, std::uint8_t code) : packet_(have(ldns().pkt_new())) {
  auto* const p = packet_.get();
  ldns().pkt_set_id(p, asked.id);
  ldns().pkt_set_qr(p, true);
  ldns().pkt_set_opcode(p, static_cast<ldns_pkt_opcode>(asked.opcode));
  ldns().pkt_set_rd(p, asked.recursion_desired);
  ldns().pkt_set_cd(p, asked.checking_disabled);
  ldns().pkt_set_rcode(p, code);
}

packet::packet(const header& asked, std::uint8_t code, const query& q) : packet(asked, code) {
  auto* const p = packet_.get();
  auto* const question = have(ldns().rr_new());
  ldns().rr_set_question(question, true);
  ldns().rr_set_owner(question, domain(q.name));
  ldns().rr_set_type(question, static_cast<ldns_rr_type>(q.type));
  ldns().rr_set_class(question, static_cast<ldns_rr_class>(q.klass));
  ldns().pkt_push_rr(p, LDNS_SECTION_QUESTION, question);
  if (q.options) {
    ldns().pkt_set_edns_udp_size(p, most_udp);
    ldns().pkt_set_edns_do(p, q.options->dnssec_ok);
  }
}

void packet::authoritative() { ldns().pkt_set_aa(packet_.get(), true); }

void packet::bad_version() { ldns().pkt_set_edns_extended_rcode(packet_.get(), 1); }

void packet::add_address(ipv4 address, std::uint32_t ttl) {
  const auto bytes = address.bytes();
  const auto* const question = ldns().rr_list_rr(ldns().pkt_question(packet_.get()), 0);
  ldns().pkt_push_rr(packet_.get(), LDNS_SECTION_ANSWER,
                     record(have(ldns().rdf_clone(ldns().rr_owner(question))), LDNS_RR_TYPE_A, ttl,
                            {have(ldns().rdf_new_frm_data(LDNS_RDF_TYPE_A, 4, bytes.data()))}));
}

// Names as in the zones that RFC 6303 keeps from the internet. A name server of its own name would
// be a name that no VM could have.
void packet::add_start(ldns_pkt_section where, std::uint32_t ttl) {
  auto* const nobody = domain(std::string_view("\6nobody\7invalid\0", 16));
  auto* const serial = have(ldns().native2rdf_int32(LDNS_RDF_TYPE_INT32, 1));
  ldns().pkt_push_rr(packet_.get(), where,
                     record(vm_domain(), LDNS_RR_TYPE_SOA, ttl,
                            {vm_domain(), nobody, serial, seconds(3600), seconds(1200),
                             seconds(604800), seconds(ttl)}));
}

void packet::add_name_server(std::uint32_t ttl) {
  ldns().pkt_push_rr(packet_.get(), LDNS_SECTION_ANSWER,
                     record(vm_domain(), LDNS_RR_TYPE_NS, ttl, {vm_domain()}));
}

std::optional<std::string> packet::encode(std::size_t most) {
  auto bytes = bytes_of(*packet_);
  if (!bytes || bytes->size() <= most)
    return bytes;
  auto* const p = packet_.get();
  for (auto* const records : {ldns().pkt_answer(p), ldns().pkt_authority(p)})
    while (auto* const rr = ldns().rr_list_pop_rr(records))
      ldns().rr_free(rr);
  ldns().pkt_set_ancount(p, 0);
  ldns().pkt_set_nscount(p, 0);
  ldns().pkt_set_tc(p, true);
  return bytes_of(*p);
}

} // namespace banger::dns
