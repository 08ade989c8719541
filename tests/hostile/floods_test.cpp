// Too much of everything.
#include "tests/hostile/scene.hpp"
#include "tests/transport/peers.hpp"

#include <random>

using namespace banger;
using namespace banger::hostile;

namespace {

struct size_of_process {
  pid_t pid;
  std::int64_t rss = rss_kib(pid);
  std::size_t open = descriptors(pid);
};

constexpr std::int64_t few_mib = 6 * 1024;
/// As much as may wait for a client that does not read, and what an allocator keeps of it.
constexpr std::int64_t unsent = 64 * 1024;

pid_t pid_of(owner_process& owner, const std::string& role) {
  return owner.ask("hello " + role)["pid"].get<pid_t>();
}

void check_back_to(const size_of_process& before, helper_process& helper,
                   std::int64_t growth = few_mib) {
  const bool closed = helper.until([&] { return descriptors(before.pid) == before.open; });
  INFO(before.open << " descriptors before, " << descriptors(before.pid) << " now");
  CHECK(closed);
  const auto now = rss_kib(before.pid);
  INFO(before.rss << " KiB before, " << now << " now");
  CHECK((!test::size_tells || now < before.rss + growth));
}

} // namespace

TEST_CASE("a hundred connections that never finish their handshake keep nobody else out for long") {
  if (!test::may_make_namespaces())
    return;
  host h;
  helper_process helper(h);
  owner_process bystander(h, helper), crowd(h, helper);
  std::vector<size_of_process> before;
  for (const std::string role : {"network", "machine"}) {
    before.push_back({pid_of(bystander, role)});
    CHECK(crowd.ask("crowd " + role + " 100").contains("connections"));
    CHECK(descriptors(before.back().pid) < before.back().open + 70);
    CHECK(bystander.ask("hello " + role)["code"] == "none");
  }
  CHECK(crowd.ask("disperse")["closed"] == 200);
  for (const auto& one : before)
    check_back_to(one, helper);
  owner_process newcomer(h, helper);
  for (const std::string role : {"network", "machine"})
    CHECK(newcomer.ask("hello " + role)["code"] == "none");
}

TEST_CASE("whatever the owner keeps open, root gets in") {
  if (!test::may_make_namespaces())
    return;
  host h;
  helper_process helper(h);
  owner_process crowd(h, helper), root(h, helper, 0);
  for (const std::string role : {"network", "machine"}) {
    CHECK(crowd.ask("company " + role + " 70")["welcomed"] == 56); // 8 of 64 are not for him
    const auto about = root.ask("hello " + role);
    CHECK(about["code"] == "none");
  }
}

TEST_CASE("orders that are refused by the ten thousand do not fill the log") {
  if (!test::may_make_namespaces())
    return;
  host h;
  helper_process helper(h);
  owner_process owner(h, helper);
  REQUIRE(owner.ask("refusals 10000")["code"] == "none");
  std::size_t refused = helper.log("order_refused").size();
  CHECK(refused >= 2000);
  CHECK(refused < 2100);
  CHECK(helper.until([&] { // the next one tells how many were not written
    owner.ask("refusals 1");
    const auto spared = helper.log("log_spared");
    return !spared.empty() && spared.front()["lines"] > 7000;
  }));
}

TEST_CASE("more orders at once than may wait: all are answered, some with busy, and inventory "
          "meanwhile") {
  if (!test::may_make_namespaces())
    return;
  host h;
  helper_process helper(h);
  owner_process owner(h, helper);
  REQUIRE(owner.ask("bridge br-fc 10.88.0.0/16")["code"] == "none");
  const auto seen = owner.ask("storm 200");
  INFO(seen.dump());
  CHECK(seen["done"].get<int>() + seen["busy"].get<int>() == 204);
  CHECK(seen["busy"] > 0);
  CHECK(seen["done"] >= 64);
  CHECK(seen["other"] == 0);
  CHECK(seen["inventories"] == 8);
  CHECK(seen["before_the_last_order"] > 0);
  CHECK(owner.ask("policy 0 10.88.0.0/16")["code"] == "none");
}

TEST_CASE("ten thousand random frames on fresh connections leave the helper as it was") {
  if (!test::may_make_namespaces())
    return;
  host h;
  helper_process helper(h);
  owner_process bystander(h, helper), attacker(h, helper);
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  for (const auto* role : {"network", "machine"}) {
    const std::string frames = std::string("frames ") + role;
    attacker.ask(frames + " 1000 " + std::to_string(seed)); // what grows once
    const size_of_process before{pid_of(bystander, role)};
    const auto seen = attacker.ask(frames + " 5000 " + std::to_string(seed + 1));
    INFO(role << ": " << seen.dump());
    CHECK(seen["closed"] == 5000);
    CHECK(seen["welcomed"] > 4900);
    CHECK(bystander.ask(std::string("hello ") + role)["code"] == "none");
    check_back_to(before, helper);
  }
  CHECK(helper.running());
  CHECK(h.our_links().empty());
}

TEST_CASE("inventories that nobody waits for do not keep the next one waiting for long") {
  if (!test::may_make_namespaces())
    return;
  host h;
  helper_process helper(h);
  owner_process bystander(h, helper), attacker(h, helper);
  REQUIRE(bystander.ask("bridge br-fc 10.88.0.0/24")["code"] == "none");
  REQUIRE(bystander.ask("policy 250")["code"] == "none"); // which takes a while to list
  REQUIRE(bystander.ask("inventory")["code"] == "none");
  const size_of_process before{pid_of(bystander, "network")};
  for (int i = 0; i < 4; ++i)
    CHECK(attacker.ask("inventories 15000").contains("said"));
  std::string code;
  const auto answered = [&] {
    code = bystander.ask("inventory")["code"];
    return code != "busy"; // which is said at once
  };
  CHECK(helper.until(answered));
  CHECK(code == "none");
  check_back_to(before, helper, unsent);
}
