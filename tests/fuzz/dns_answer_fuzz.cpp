// Any bytes as a query: the answer is its answer, is well-formed, and fits its way.
#include "actors/dns/answer.hpp"
#include "tests/unit/dns_queries.hpp"

#include <ldns/rbtree.h> // host2wire.h needs it

#include <ldns/wire2host.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace banger;
using namespace banger::dns;

namespace {

const zone vms = {{"web", {0x0a580002}}, {"db", {0x0a580003}}, {"a", {0x0a580004}}};

void check(std::string_view query, std::string_view said, std::size_t most) {
  const bool well = said.size() >= 12 && said.size() <= most &&
                    said.substr(0, 2) == query.substr(0, 2) && (said[2] & 0x80) != 0;
  ldns_pkt* read = nullptr;
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(said.data());
  if (!well || ldns_wire2pkt(&read, bytes, said.size()) != LDNS_STATUS_OK)
    std::abort();
  const auto code = ldns_pkt_get_rcode(read);
  const auto records = ldns_pkt_ancount(read) + ldns_pkt_nscount(read);
  const bool ours = code == LDNS_RCODE_NOERROR || code == LDNS_RCODE_NXDOMAIN;
  if (records > 1 || (!ours && records != 0) || ldns_pkt_qdcount(read) > 1)
    std::abort();
  ldns_pkt_free(read);
}

} // namespace

// The corpus begins with what the unit tests ask.
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  for (int i = 1; i < *argc; ++i) {
    const std::filesystem::path folder = (*argv)[i];
    if (!std::filesystem::is_directory(folder))
      continue;
    for (const auto& [name, bytes] : test::samples())
      std::ofstream(folder / ("sample-" + name), std::ios::binary) << bytes;
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view query(reinterpret_cast<const char*>(data), size);
  if (const auto said = answer(query, vms, transport::udp))
    check(query, *said, 512); // nothing that is said is longer
  if (const auto said = answer(query, vms, transport::tcp))
    check(query, *said, 512);
  if (const auto said = refusal(query))
    check(query, *said, 12);
  return 0;
}
