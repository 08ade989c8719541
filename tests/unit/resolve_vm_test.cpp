#include "actors/vms/resolve.hpp"

#include "messages/base/names.hpp"
#include "tests/support/catch.hpp"

#include <deque>

using namespace banger;
using namespace banger::vms;

namespace {

const std::vector<known_vm> all = {
    {"aaaaaaaaaaaa", "web"}, {"abbbbbbbbbbb", "web-db"}, {"cccccccccccc", "aaaa"}};

}

TEST_CASE("an exact name wins over a prefix of another") {
  CHECK(resolve(all, "web") == "aaaaaaaaaaaa");
}

TEST_CASE("an exact id wins over a name that looks like its prefix") {
  CHECK(resolve(all, "aaaaaaaaaaaa") == "aaaaaaaaaaaa");
  CHECK(resolve(all, "aaaa") == "cccccccccccc");
}

TEST_CASE("a prefix that fits one VM only stands for it") {
  CHECK(resolve(all, "web-") == "abbbbbbbbbbb");
  CHECK(resolve(all, "ccc") == "cccccccccccc");
}

TEST_CASE("a prefix that fits several is refused by their names") {
  const auto found = resolve(all, "a");
  REQUIRE_FALSE(found);
  CHECK(found.error().code == errc::ambiguous);
  CHECK(found.error().why == "web, web-db, aaaa");
}

TEST_CASE("what fits nothing, the empty reference too, is not found") {
  CHECK(resolve(all, "zzz").error().code == errc::not_found);
  CHECK(resolve(all, "").error().code == errc::not_found);
  CHECK(resolve({}, "a").error().code == errc::not_found);
}

TEST_CASE("made-up names are valid, and free even when all pairs are taken") {
  std::vector<known_vm> taken;
  std::deque<std::string> names;
  for (std::uint64_t i = 0; i < 600; ++i) {
    const auto& name = names.emplace_back(make_up_name(7, taken));
    REQUIRE(vm_name::parse(name));
    for (const auto& vm : taken)
      REQUIRE(vm.name != name);
    taken.push_back({"id", name});
  }
}
