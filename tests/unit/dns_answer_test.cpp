#include "actors/dns/answer.hpp"
#include "actors/dns/wire.hpp"
#include "dns_queries.hpp"
#include "tests/support/catch.hpp"

#include <ldns/wire2host.h>

#include <algorithm>

using namespace banger;
using namespace banger::dns;
using namespace banger::dns::test;

namespace {

const zone vms = {{"db", {0x0a580003}}, {"ns", {0x0a580004}}, {"web", {0x0a580002}}};

/// An answer as ldns reads it.
struct heard {
  explicit heard(const std::optional<std::string>& answer) {
    REQUIRE(answer);
    bytes = *answer;
    ldns_pkt* p = nullptr;
    REQUIRE(ldns_wire2pkt(&p, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()) ==
            LDNS_STATUS_OK);
    packet.reset(p);
    CHECK(ldns_pkt_qr(p));
    CHECK_FALSE(ldns_pkt_ra(p));
    CHECK(ldns_pkt_id(p) == 0x4711);
  }

  unsigned code() const { return ldns_pkt_get_rcode(packet.get()); }
  unsigned count(ldns_pkt_section s) const { return ldns_pkt_section_count(packet.get(), s); }
  /// The only record of a section.
  const ldns_rr* record(ldns_pkt_section s) const {
    REQUIRE(count(s) == 1);
    return ldns_rr_list_rr(s == LDNS_SECTION_ANSWER ? ldns_pkt_answer(packet.get())
                                                    : ldns_pkt_authority(packet.get()),
                           0);
  }
  /// "10.88.0.2" when the answer is that address and nothing else.
  std::string address() const {
    CHECK(code() == LDNS_RCODE_NOERROR);
    CHECK(ldns_pkt_aa(packet.get()));
    CHECK(count(LDNS_SECTION_AUTHORITY) == 0);
    const auto* const rr = record(LDNS_SECTION_ANSWER);
    CHECK(ldns_rr_ttl(rr) == 5);
    const auto* const b = ldns_rdf_data(ldns_rr_rdf(rr, 0));
    return ipv4{unsigned{b[0]} << 24 | unsigned{b[1]} << 16 | unsigned{b[2]} << 8 | b[3]}.str();
  }
  /// No record, and a SOA that says for how long.
  bool empty() const {
    const auto* const rr = record(LDNS_SECTION_AUTHORITY);
    return count(LDNS_SECTION_ANSWER) == 0 && ldns_pkt_aa(packet.get()) &&
           ldns_rr_get_type(rr) == LDNS_RR_TYPE_SOA && ldns_rr_ttl(rr) == 1 &&
           ldns_rdf2native_int32(ldns_rr_rdf(rr, 6)) == 1;
  }
  bool bare() const {
    return count(LDNS_SECTION_ANSWER) + count(LDNS_SECTION_AUTHORITY) == 0 &&
           !ldns_pkt_aa(packet.get());
  }

  struct deleter {
    void operator()(ldns_pkt* p) const { ldns_pkt_free(p); }
  };
  std::string bytes;
  std::unique_ptr<ldns_pkt, deleter> packet;
};

heard hear(std::string_view query, transport by = transport::udp) {
  return heard(answer(query, vms, by));
}

} // namespace

TEST_CASE("a VM's name has its address") {
  CHECK(hear(ask("web.vm")).address() == "10.88.0.2");
  CHECK(hear(ask("db.vm")).address() == "10.88.0.3");
  CHECK(hear(ask("db.vm"), transport::tcp).address() == "10.88.0.3");
}

TEST_CASE("names are compared without regard to case, and come back as they were asked") {
  const auto query = ask("wEb.Vm");
  const auto reply = hear(query);
  CHECK(reply.address() == "10.88.0.2");
  CHECK(reply.bytes.find(wire_name("wEb.Vm")) == header_size);
  // The record's owner is a pointer to the question.
  CHECK(reply.bytes.substr(query.size(), 2) == "\xc0\x0c");
}

TEST_CASE("what is below a VM's name is that VM") {
  CHECK(hear(ask("api.web.vm")).address() == "10.88.0.2");
  CHECK(hear(ask("a.b.c.WEB.vm")).address() == "10.88.0.2");
  CHECK(hear(ask("_http._tcp.web.vm", srv)).empty());
  CHECK(hear(ask("web.nobody.vm")).code() == LDNS_RCODE_NXDOMAIN);
}

TEST_CASE("another type of a VM's name is an empty answer, so that nobody asks elsewhere") {
  for (const auto t : {aaaa, mx, txt, https, ns, soa, ds}) {
    const auto reply = hear(ask("web.vm", t));
    CHECK(reply.code() == LDNS_RCODE_NOERROR);
    CHECK(reply.empty());
  }
}

TEST_CASE("a name that is no VM's does not exist, for a second") {
  for (const auto t : {a, aaaa, any}) {
    const auto reply = hear(ask("nobody.vm", t));
    CHECK(reply.code() == LDNS_RCODE_NXDOMAIN);
    CHECK(reply.empty());
  }
}

TEST_CASE("a label with a dot or a zero in it is no VM's") {
  CHECK(hear(head() + "\5a.web\2vm" + '\0' + number(a) + number(1)).code() == LDNS_RCODE_NXDOMAIN);
  const std::string zero("\4web\0\2vm\0", 9);
  CHECK(hear(head() + zero + number(a) + number(1)).code() == LDNS_RCODE_NXDOMAIN);
}

TEST_CASE("ANY is answered with the address alone") {
  CHECK(hear(ask("web.vm", any)).address() == "10.88.0.2");
}

TEST_CASE("vm itself has a SOA and a name server, and no address") {
  for (const auto t : {soa, any}) {
    const auto reply = hear(ask("VM", t));
    CHECK(reply.code() == LDNS_RCODE_NOERROR);
    CHECK(ldns_rr_get_type(reply.record(LDNS_SECTION_ANSWER)) == LDNS_RR_TYPE_SOA);
  }
  CHECK(ldns_rr_get_type(hear(ask("vm", ns)).record(LDNS_SECTION_ANSWER)) == LDNS_RR_TYPE_NS);
  const auto address = hear(ask("vm"));
  CHECK(address.code() == LDNS_RCODE_NOERROR);
  CHECK(address.empty());
}

TEST_CASE("a VM may be called ns: no name below vm is taken") {
  CHECK(hear(ask("ns.vm")).address() == "10.88.0.4");
}

TEST_CASE("what is not below vm is refused, so that a stub resolver asks its next server") {
  for (const auto* const name :
       {"", "example.org", "web", "vm.example.org", "webvm", "web.vm.lan"}) {
    const auto reply = hear(ask(name));
    CHECK(reply.code() == LDNS_RCODE_REFUSED);
    CHECK(reply.bare());
    CHECK(is_refusal(reply.bytes));
  }
  CHECK_FALSE(is_refusal(*answer(ask("web.vm"), vms, transport::udp)));
  CHECK_FALSE(is_refusal(""));
}

TEST_CASE("other classes, transfers and keys are refused") {
  CHECK(hear(ask("web.vm", a, 3)).code() == LDNS_RCODE_REFUSED);
  CHECK(hear(ask("web.vm", a, 255)).code() == LDNS_RCODE_REFUSED);
  for (const unsigned t : {249U, 250U, unsigned{ixfr}, unsigned{axfr}, 254U})
    CHECK(hear(ask("vm", t), transport::tcp).code() == LDNS_RCODE_REFUSED);
}

TEST_CASE("other opcodes are not implemented, and come back in the answer") {
  for (unsigned opcode = 1; opcode < 16; ++opcode) {
    const auto reply = hear(head(opcode << 11) + question("vm", soa));
    CHECK(reply.code() == LDNS_RCODE_NOTIMPL);
    CHECK(static_cast<unsigned>(ldns_pkt_get_opcode(reply.packet.get())) == opcode);
    CHECK(reply.bytes.size() == header_size);
  }
}

TEST_CASE("a malformed query is told so by a header") {
  const auto q = question("web.vm");
  const std::string pointer = "\xc0\x0c";
  const std::vector<std::string> malformed = {
      head(),
      head(0, 0),
      head(0, 2) + q + q,
      head(0, 1, 1) + q,
      head(0, 1, 0, 1) + q,
      head(0, 1, 0, 0, 1) + q,
      head(0, 1, 0, 0, 5) + q + opt_record(),
      head(0, 1, 0, 0, 2) + q + opt_record() + opt_record(),
      head(0, 1, 0, 0, 1) + q + "\1x" + opt_record(),
      head(0, 1, 0, 0, 1) + q + opt_record().substr(0, 10),
      head() + q.substr(0, q.size() - 1),
      head() + q + "x",
      head() + pointer + number(a) + number(1),
      head() + "\3web" + pointer + number(a) + number(1),
      head() + "\x40" + std::string(64, 'x') + q,
      head() + question(longest_below("web.vm") + "m"),
      head() + q + std::string(5000, '\0'),
  };
  for (const auto& query : malformed) {
    const auto reply = hear(query);
    CHECK(reply.code() == LDNS_RCODE_FORMERR);
    CHECK(reply.bytes.size() == header_size);
  }
}

TEST_CASE("a response is not answered, and nor is less than a header") {
  CHECK_FALSE(answer(head(0x8100) + question("web.vm"), vms, transport::udp));
  CHECK_FALSE(answer(head(0xf800), vms, transport::udp));
  CHECK_FALSE(answer("", vms, transport::udp));
  CHECK_FALSE(answer(head().substr(0, 11), vms, transport::udp));
  CHECK_FALSE(refusal(head(0x8100)));
  CHECK_FALSE(refusal("x"));
}

TEST_CASE("who may not ask is refused by a header, whatever it was") {
  for (const auto& query : {ask("web.vm"), head(), head() + "nonsense"}) {
    const heard reply(refusal(query));
    CHECK(reply.code() == LDNS_RCODE_REFUSED);
    CHECK(reply.bytes.size() == header_size);
  }
}

TEST_CASE("EDNS is answered with EDNS, and only then") {
  const auto plain = hear(ask("web.vm"));
  CHECK_FALSE(ldns_pkt_edns(plain.packet.get()));
  const auto with = hear(ask_edns("web.vm"));
  CHECK(with.address() == "10.88.0.2");
  CHECK(ldns_pkt_edns(with.packet.get()));
  CHECK(ldns_pkt_edns_udp_size(with.packet.get()) == 1232);
  CHECK_FALSE(ldns_pkt_edns_do(with.packet.get()));
  const auto secure = hear(ask_edns("web.vm", a, opt_record(4096, 0, true)));
  CHECK(ldns_pkt_edns_do(secure.packet.get()));
  const auto refused = hear(ask_edns("example.org"));
  CHECK(ldns_pkt_edns(refused.packet.get()));
}

TEST_CASE("an unknown version of EDNS is told which one is known") {
  const auto reply = hear(ask_edns("web.vm", a, opt_record(1232, 1)));
  CHECK(reply.code() == LDNS_RCODE_NOERROR);
  CHECK(ldns_pkt_edns_extended_rcode(reply.packet.get()) == 1);
  CHECK(ldns_pkt_edns_version(reply.packet.get()) == 0);
  CHECK(reply.bare());
}

TEST_CASE("other additional records and EDNS options are passed over") {
  const auto record = "\xc0\x0c" + number(250) + number(255) + number(0) + number(0) + number(3);
  CHECK(hear(head(0, 1, 0, 0, 2) + question("web.vm") + opt_record(512, 0, false, "options") +
             record + "abc")
            .address() == "10.88.0.2");
}

TEST_CASE("flags that belong to the asker come back") {
  const auto both = hear(head(0x0110) + question("web.vm"));
  CHECK(ldns_pkt_rd(both.packet.get()));
  CHECK(ldns_pkt_cd(both.packet.get()));
  const auto none = hear(head(0) + question("web.vm"));
  CHECK_FALSE(ldns_pkt_rd(none.packet.get()));
  CHECK_FALSE(ldns_pkt_cd(none.packet.get()));
}

TEST_CASE("the longest name that there is fits into 512 bytes") {
  const auto name = longest_below("web.vm");
  CHECK(name.size() == 253);
  CHECK(hear(ask(name)).address() == "10.88.0.2");
  const auto reply = hear(ask_edns(name, aaaa, opt_record(0)));
  CHECK(reply.empty());
  CHECK(reply.bytes.size() <= 512);
  CHECK_FALSE(ldns_pkt_tc(reply.packet.get()));
}

TEST_CASE("an answer that is too long for its way goes without records, and says that it was cut") {
  const auto bytes = ask_edns("web.vm");
  const auto q = read_query(bytes);
  REQUIRE(q);
  packet p(*read_header(bytes), LDNS_RCODE_NOERROR, *q);
  for (int i = 0; i < 100; ++i)
    p.add_address({0x0a580002}, 5);
  p.add_start(LDNS_SECTION_AUTHORITY, 1);
  const heard cut(p.encode(512));
  CHECK(ldns_pkt_tc(cut.packet.get()));
  CHECK(cut.bytes.size() < 100);
  CHECK(cut.bare());
  CHECK(cut.count(LDNS_SECTION_QUESTION) == 1);
  CHECK(ldns_pkt_edns(cut.packet.get()));
}

TEST_CASE("each prefix of a query, and each with one byte changed, is answered or passed over") {
  for (const auto& [name, query] : samples()) {
    for (std::size_t size = 0; size <= query.size(); ++size)
      static_cast<void>(answer(query.substr(0, size), vms, transport::udp));
    for (std::size_t at = 0; at < std::min<std::size_t>(query.size(), 64); ++at)
      for (unsigned value = 0; value < 256; ++value) {
        auto changed = query;
        changed[at] = static_cast<char>(value);
        const auto said = answer(changed, vms, transport::udp);
        const bool response = (changed.size() > 2 && (changed[2] & 0x80) != 0);
        REQUIRE(said.has_value() == !response);
        if (said)
          REQUIRE(said->size() <= 512);
      }
  }
}
