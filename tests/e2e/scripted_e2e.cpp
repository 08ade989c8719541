// Machines that misbehave, played by a scripted hypervisor: what a real guest does rarely, and
// never when it is wanted.
#include "tests/support/home.hpp"
#include "tests/support/procfs.hpp"
#include "tests/vmm/script.hpp"

#include <catch2/catch.hpp>

#include <csignal>

using namespace banger::test;
using banger::scripted::behaviour;
using Catch::Contains;

namespace {

struct scripted_home : home {
  scripted_home() { env["BANGER_QEMU"] = bin("scripted-vmm"); }

  words create(const std::string& name, behaviour how = behaviour::good) {
    const auto memory = std::to_string(banger::scripted::memory_for(how));
    return {"vm", "create", "--image", "tiny", "--name", name, "--memory", memory};
  }
  std::string stage_of(const std::string& kind) {
    for (const auto& o : read({"operations", "--json"}))
      if (o.at("kind") == kind && o.at("state") == "running")
        return o.at("stage");
    return {};
  }
};

} // namespace

TEST_CASE("a create is cancelled wherever its boot hangs, and leaves nothing", "[none]") {
  scripted_home h;
  h.good({"vm", "list"});
  for (const auto& [how, stage] : {std::pair{behaviour::never_boots, "hello"},
                                   std::pair{behaviour::hangs_in_configure, "configure"},
                                   std::pair{behaviour::never_is_booted, "boot"}}) {
    INFO(stage);
    auto order = h.create("a", how);
    order.insert(order.end(), {"--wait", "boot"});
    auto client = h.start(order);
    REQUIRE(h.eventually([&, at = std::string(stage)] { return h.stage_of("vm.create") == at; }));
    const auto pid = h.show("a").at("pid").get<pid_t>();
    CHECK(pid > 0);
    client.signal(SIGINT);
    CHECK(client.wait(short_time) == 130);
    CHECK(h.list().empty());
    CHECK_FALSE(alive(pid));
  }
}

TEST_CASE("a machine that fails in its boot is an error with the reason, and leaves nothing",
          "[none]") {
  scripted_home h;
  for (const auto how : {behaviour::dies_at_once, behaviour::dies_in_boot,
                         behaviour::dies_in_configure, behaviour::refuses_configure}) {
    INFO(banger::scripted::name_of(how));
    const auto made = h.banger(h.create("a", how));
    CHECK(made.status == 1);
    CHECK_THAT(made.err, Contains("(op-"));
    CHECK_THAT(made.err,
               Contains(how == behaviour::refuses_configure ? "as the script says"
                                                            : "the hypervisor ended unexpectedly"));
    CHECK(h.list().empty());
  }
}

TEST_CASE("a machine that ends by itself is noticed at once, and its reason told", "[none]") {
  scripted_home h;
  h.good(h.create("off", behaviour::leaves_by_itself));
  h.good(h.create("dead", behaviour::crashes));
  CHECK(h.eventually([&] { return h.show("off").at("state") == "stopped"; }));
  CHECK(h.eventually([&] { return h.show("dead").at("state") == "error"; }));
  CHECK(h.show("off").at("last_error") == "");
  CHECK_THAT(h.show("dead").at("last_error").get<std::string>(), Contains("ended unexpectedly"));
  h.good({"vm", "delete", "off", "dead"});
}

TEST_CASE("a stop ends whatever the guest does, rung by rung", "[none]") {
  scripted_home h;
  h.good(h.create("deaf", behaviour::ignores_stop));
  h.good(h.create("stone", behaviour::ignores_quit));
  const auto deaf = h.show("deaf").at("pid").get<pid_t>();
  const auto stone = h.show("stone").at("pid").get<pid_t>();
  h.good({"vm", "stop", "deaf", "stone"});
  CHECK_FALSE(alive(deaf));
  CHECK_FALSE(alive(stone));
  for (const auto* name : {"deaf", "stone"})
    CHECK(h.show(name).at("state") == "stopped");
}

TEST_CASE("a daemon that starts among twenty VMs takes every one of them over", "[restart][none]") {
  scripted_home h;
  std::map<std::string, json> pids;
  for (int i = 0; i < 20; ++i) {
    const auto name = "v" + std::to_string(i);
    h.good(h.create(name));
    pids[name] = h.show(name).at("pid");
  }
  h.kill_daemon();
  CHECK(h.list().size() == 20);
  for (const auto& [name, pid] : pids) {
    CHECK(h.good({"vm", "exec", name, "--", "echo", name}) == name + "\n");
    CHECK(h.show(name).at("pid") == pid);
  }
}

TEST_CASE("a command for a guest that never speaks to the next daemon is refused, and stop ends it",
          "[restart][none][user]") {
  scripted_home h;
  h.good(h.create("a", behaviour::forgets_its_host));
  h.kill_daemon();
  const auto refused = h.banger({"vm", "exec", "a", "--", "true"});
  CHECK(refused.status == 125);
  CHECK_THAT(refused.err, Contains("the guest's agent does not answer"));
  h.good({"vm", "stop", "a"});
  CHECK(h.show("a").at("state") == "stopped");
}
