// Descriptors of taps go to the process that asked for them, once, and to nobody else.
#include "tests/hostile/scene.hpp"

#include <csignal>
#include <random>

using namespace banger;
using namespace banger::hostile;

namespace {

struct taps_scene {
  host h;
  helper_process helper{h};
  owner_process owner{h, helper}, other{h, helper};

  taps_scene() {
    REQUIRE(owner.ask("bridge br-fc 10.88.0.0/24")["code"] == "none");
    REQUIRE(owner.ask("policy 0")["code"] == "none");
  }

  static std::string order(owner_process& by, const std::string& tap) {
    const auto reply = by.ask("taps br-fc " + tap);
    REQUIRE(reply["code"] == "none");
    return reply["token"];
  }
  static std::string fetch(owner_process& by, const std::string& token) {
    return by.ask("fetch " + token + " 1")["code"];
  }
  /// Not longer than the offer lives, and some time for a slow machine.
  bool vanishes(const std::string& tap) {
    return helper.until([&] { return !test::has_link(h.space, tap); });
  }
};

bool refused(const std::string& code) { return code == "not_found" || code == "disconnected"; }

} // namespace

TEST_CASE("a token is worth nothing to another process of the owner, made up, or a second time") {
  if (!test::may_make_namespaces())
    return;
  taps_scene s;
  const auto token = s.order(s.owner, "tap-fc-a");
  CHECK(s.fetch(s.other, token) == "disconnected"); // nothing is offered to it
  const auto others = s.order(s.other, "tap-fc-b");
  CHECK(s.fetch(s.other, token) == "not_found");
  CHECK(s.fetch(s.owner, others) == "not_found");
  CHECK(s.fetch(s.owner, std::string(32, '0')) == "not_found");
  CHECK(s.fetch(s.owner, token) == "none"); // none of that spoilt it
  CHECK(refused(s.fetch(s.owner, token)));
  const auto third = s.order(s.owner, "tap-fc-c");
  CHECK(s.fetch(s.owner, token) == "not_found");
  CHECK(s.fetch(s.owner, third) == "none");
  CHECK(test::has_link(s.h.space, "tap-fc-a"));
  CHECK(test::has_link(s.h.space, "tap-fc-c"));
  CHECK(s.helper.logs("descriptors_refused", [&](const json& line) {
    return line["pid"] == s.other.pid() && line["uid"] == owner_uid;
  }));
}

TEST_CASE("a thousand garbage packets get no descriptor, and those that nobody fetches vanish") {
  if (!test::may_make_namespaces())
    return;
  taps_scene s;
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  const auto network = s.owner.ask("hello network")["pid"].get<pid_t>();
  const auto before = descriptors(network);
  s.order(s.owner, "tap-fc-a");
  const auto seen = s.owner.ask("garbage 1000 " + std::to_string(seed));
  INFO(seen.dump());
  CHECK(seen["said"] == 1000);
  CHECK(seen["handed"] == 0);
  CHECK(s.vanishes("tap-fc-a"));
  CHECK(s.helper.until([&] { return descriptors(network) == before; }));
  CHECK(s.fetch(s.owner, s.order(s.owner, "tap-fc-a")) == "none");
  CHECK(test::has_link(s.h.space, "tap-fc-a"));
  s.owner.ask("drop");
  CHECK(s.vanishes("tap-fc-a"));
}

TEST_CASE("a client killed in the middle of its order: it is finished, the next is served, and the "
          "taps go") {
  if (!test::may_make_namespaces())
    return;
  host h;
  helper_process helper(h,
                        {.role = "network", .failpoint = "helper/taps/before:stop", .state = {}});
  owner_process bystander(h, helper), victim(h, helper);
  REQUIRE(bystander.ask("bridge br-fc 10.88.0.0/24")["code"] == "none");
  REQUIRE(bystander.ask("policy 0")["code"] == "none");
  REQUIRE(victim.ask("hello network")["code"] == "none");
  victim.say("taps br-fc tap-fc-a tap-fc-b");
  REQUIRE(victim.until([&] { return stopped(helper.pid()); }));
  victim.signal(SIGKILL);
  CHECK(victim.wait() == 128 + SIGKILL);
  helper.signal(SIGCONT);
  CHECK(helper.logs("order_done", [](const json& line) { return line["verb"] == "taps"; }));
  CHECK(bystander.ask("hello network")["code"] == "none");
  CHECK(bystander.ask("taps br-fc tap-fc-c")["code"] == "none");
  CHECK(helper.until([&] { return h.our_links().size() == 1; })); // the bridge
  CHECK(bystander.ask("inventory")["links"] == 1);
}
