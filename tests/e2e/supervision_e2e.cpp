// VM actors that die of bugs in a daemon that goes on.
#include "tests/support/catch.hpp"
#include "tests/support/home.hpp"
#include "tests/support/procfs.hpp"
#include "tests/vmm/script.hpp"

#include <csignal>

using namespace banger::test;
using Catch::Contains;

namespace {

struct crashing_home : home {
  explicit crashing_home(bool scripted) {
    env["BANGER_DEBUG_VERBS"] = "1";
    if (scripted)
      env["BANGER_QEMU"] = bin("scripted-vmm");
  }
  json actor(const std::string& vm) {
    for (const auto& row : read({"debug", "actors", "--json"}))
      if (row.at("kind") == "vm" && row.at("name") == vm)
        return row;
    return json{{"state", "not there"}, {"restarts", 0}};
  }
  void crash(const std::string& vm, int nth) {
    good({"debug", "crash", vm});
    REQUIRE(eventually([&] {
      const auto now = actor(vm);
      return now.at("restarts") == nth && now.at("state") == "ok";
    }));
  }
};

} // namespace

TEST_CASE("a VM whose actor dies goes on, and its next actor takes it over", "[none]") {
  crashing_home h(true);
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  h.good({"vm", "create", "--image", "tiny", "--name", "b"});
  const auto pid = h.show("a").at("pid");
  for (int i = 1; i <= 5; ++i) {
    h.good({"debug", "crash", "a"});
    // Said before it is back: it is held, not refused.
    CHECK(h.good({"vm", "exec", "a", "--", "echo", "here"}) == "here\n");
    CHECK(h.show("a").at("pid") == pid);
    CHECK(h.actor("a").at("restarts") == i);
  }
  CHECK(h.good({"vm", "exec", "b", "--", "echo", "here"}) == "here\n");
  h.good({"debug", "crash", "a"});
  REQUIRE(h.eventually([&] { return h.actor("a").at("state") == "gone"; }));
  CHECK(h.show("a").at("state") == "error");
  CHECK_THAT(h.banger({"vm", "exec", "a", "--", "true"}).err,
             Contains("died 6 times within 10 minutes"));
  CHECK(h.good({"vm", "exec", "b", "--", "echo", "here"}) == "here\n");
  h.good({"daemon", "stop"});
  CHECK(h.good({"vm", "exec", "a", "--", "echo", "here"}) == "here\n");
  CHECK(h.show("a").at("pid") == pid);
  h.good({"vm", "delete", "a", "b"});
}

TEST_CASE("an actor that dies in the middle of a start takes nothing with it but the start",
          "[none]") {
  crashing_home h(true);
  const auto hangs = banger::scripted::memory_for(banger::scripted::behaviour::never_boots);
  h.good({"vm", "create", "--image", "tiny", "--name", "b"});
  auto client = h.start(
      {"vm", "create", "--image", "tiny", "--name", "a", "--memory", std::to_string(hangs)});
  REQUIRE(h.eventually([&] { return h.actor("a").value("step", "") == "hello"; }));
  const auto pid = h.show("a").at("pid").get<pid_t>();
  h.good({"debug", "crash", "a"});
  CHECK(client.wait(short_time) == 1);
  CHECK_THAT(client.err(), Contains("the VM's actor failed") && Contains("(op-"));
  CHECK(h.eventually([&] { return h.list().size() == 1; }));
  CHECK_FALSE(alive(pid));
  CHECK(h.good({"vm", "exec", "b", "--", "echo", "here"}) == "here\n");
  h.good({"vm", "delete", "b"});
}

TEST_CASE("a command in a guest goes on when the VM's actor dies", "[vm]") {
  crashing_home h(false);
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  auto cat = h.start({"vm", "exec", "a", "--", "cat"}, input::pipe);
  cat.write("one\n");
  REQUIRE(cat.until([&] { return cat.out() == "one\n"; }, boot_time));
  h.crash("a", 1);
  cat.write("two\n");
  REQUIRE(cat.until([&] { return cat.out() == "one\ntwo\n"; }, boot_time));
  cat.end_input();
  CHECK(cat.wait(boot_time) == 0);
  h.good({"vm", "delete", "a"});
}
