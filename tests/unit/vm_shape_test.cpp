#include "actors/vm/capability.hpp"
#include "tests/support/catch.hpp"

using namespace banger;
using namespace banger::vm;

namespace {

build bridged_build(const host& site) {
  const record vm{*vm_id::parse("0123456789ab"),
                  *vm_name::parse("otter"),
                  {*image_name::parse("tiny"), 1, 256, 64 * MiB, false, false},
                  state::stopped,
                  {},
                  {},
                  1,
                  {}};
  build b{vm, site, {}, {}, {}, {}, {}, {}};
  b.port = bridge_port{"192.0.2.1", "52:54:00:00:00:01", nullptr};
  return b;
}

} // namespace

TEST_CASE("each start reads what may have changed since the last: name servers, entropy",
          "[faults]") {
  int asked = 0;
  host site;
  site.name_servers = [&] {
    return std::vector<std::string>{"198.51.100." + std::to_string(++asked)};
  };
  auto first = bridged_build(site), second = bridged_build(site);
  shape(first, standard_capabilities());
  shape(second, standard_capabilities());
  CHECK(first.guest.dns == std::vector<std::string>{"198.51.100.1"});
  CHECK(second.guest.dns == std::vector<std::string>{"198.51.100.2"});
  CHECK(first.guest.seed.size() == 64);
  CHECK(first.guest.seed != second.guest.seed);
}

TEST_CASE("name servers that were configured are not asked for", "[faults]") {
  host site;
  site.dns = {"203.0.113.9"};
  site.name_servers = [] { return std::vector<std::string>{"198.51.100.1"}; };
  auto b = bridged_build(site);
  shape(b, standard_capabilities());
  CHECK(b.guest.dns == site.dns);
}
