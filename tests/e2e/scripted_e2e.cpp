// Machines that misbehave, played by a scripted hypervisor: what a real guest does rarely, and
// never when it is wanted.
#include "tests/e2e/scripted_home.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/procfs.hpp"

#include <csignal>

using namespace banger::test;
using banger::scripted::behaviour;
using Catch::Contains;

TEST_CASE("a create is cancelled wherever its boot hangs, and leaves nothing", "[none]") {
  scripted_home h;
  h.good({"vm", "list"});
  for (const auto& [how, stage] : {std::pair{behaviour::never_boots, "hello"},
                                   std::pair{behaviour::hangs_in_configure, "configure"},
                                   std::pair{behaviour::never_is_booted, "boot"}}) {
    INFO(stage);
    auto order = h.creation("a", how);
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
    const auto made = h.banger(h.creation("a", how));
    CHECK(made.status == 1);
    CHECK_THAT(made.err, Contains("(op-"));
    CHECK_THAT(made.err,
               Contains(how == behaviour::refuses_configure ? "as the script says"
                                                            : "the hypervisor ended unexpectedly"));
    CHECK(h.list().empty());
  }
}

TEST_CASE("a machine that ends by itself is noticed at once, and its reason told", "[both][none]") {
  scripted_home h;
  h.create("off", behaviour::leaves_by_itself);
  h.create("dead", behaviour::crashes);
  CHECK(h.eventually([&] { return h.show("off").at("state") == "stopped"; }));
  CHECK(h.eventually([&] { return h.show("dead").at("state") == "error"; }));
  CHECK(h.show("off").at("last_error") == "");
  CHECK_THAT(h.show("dead").at("last_error").get<std::string>(), Contains("ended unexpectedly"));
  h.good({"vm", "delete", "off", "dead"});
}

TEST_CASE("a stop ends whatever the guest does, rung by rung", "[none]") {
  scripted_home h;
  h.create("deaf", behaviour::ignores_stop);
  h.create("stone", behaviour::ignores_quit);
  const auto deaf = h.show("deaf").at("pid").get<pid_t>();
  const auto stone = h.show("stone").at("pid").get<pid_t>();
  h.good({"vm", "stop", "deaf", "stone"});
  CHECK_FALSE(alive(deaf));
  CHECK_FALSE(alive(stone));
  for (const auto* name : {"deaf", "stone"})
    CHECK(h.show(name).at("state") == "stopped");
}

TEST_CASE("a forced kill ends a create or a start that hangs, and a stop", "[none]") {
  scripted_home h;
  h.good({"vm", "list"});
  auto create = h.start(h.creation("a", behaviour::never_boots));
  REQUIRE(h.eventually([&] { return h.stage_of("vm.create") == "hello"; }));
  h.good({"vm", "kill", "--force", "a"});
  CHECK(create.wait(short_time) == 1);
  CHECK(h.list().empty());
  h.create("b", behaviour::ignores_quit);
  const auto pid = h.show("b").at("pid").get<pid_t>();
  auto stop = h.start({"vm", "stop", "b"});
  REQUIRE(h.eventually([&] { return h.stage_of("vm.stop") == "shutdown"; }));
  const auto begun = clock::now();
  h.good({"vm", "kill", "--force", "b"});
  CHECK(clock::now() - begun < milliseconds(5000));
  CHECK(stop.wait(short_time) == 1);
  CHECK_THAT(stop.err(), Contains("cancelled"));
  CHECK(h.show("b").at("state") == "stopped");
  CHECK_FALSE(alive(pid));
}

TEST_CASE("a VM is made without a start, renamed, changed, and started later", "[none]") {
  scripted_home h;
  auto make = h.creation("a");
  make.emplace_back("--no-start");
  h.good(make);
  CHECK(h.show("a").at("state") == "created");
  CHECK(h.show("a").at("pid") == 0);
  h.good({"vm", "rename", "a", "b"});
  h.good({"vm", "set", "b", "--autostart", "--disk-size", "9G"});
  CHECK(h.banger({"vm", "set", "b", "--disk-size", "8G"}).status == 1);
  CHECK(h.banger({"vm", "set", "b"}).status == 2);
  CHECK(h.banger({"vm", "set", "b", "--nat", "--no-nat"}).status == 2);
  h.good({"vm", "start", "b"});
  h.good({"vm", "rename", "b", "c"});
  const auto c = h.show("c");
  CHECK(c.at("state") == "running");
  CHECK(c.at("autostart") == true);
  CHECK(c.at("disk_bytes") == 9ULL << 30U);
  CHECK(h.banger({"vm", "show", "a"}).status == 1);
  h.create("a");
  const auto taken = h.banger({"vm", "rename", "a", "c"});
  CHECK(taken.status == 1);
  CHECK_THAT(taken.err, Contains("there is a VM c already"));
}

TEST_CASE("several VMs in one command are told in their order, and good ones proceed",
          "[both][none]") {
  scripted_home h;
  for (const auto* name : {"alpha", "alto", "beta"})
    h.create(name);
  const auto r = h.banger({"vm", "restart", "beta", "al", "nobody", "alpha", "beta"});
  CHECK(r.status == 1);
  CHECK(r.out == "beta\nalpha\n");
  CHECK_THAT(r.err, Contains("'al' fits several VMs") && Contains("there is no VM 'nobody'"));
  CHECK(h.show("alto").at("state") == "running");
}

TEST_CASE("after a restart of the host a VM starts with it, if it was told to and ran",
          "[restart][none]") {
  scripted_home h;
  h.create("on");
  h.create("off");
  h.create("resting");
  h.good({"vm", "set", "on", "resting", "--autostart"});
  h.good({"vm", "stop", "resting"});
  const auto on = h.show("on").at("pid").get<pid_t>(), off = h.show("off").at("pid").get<pid_t>();
  h.kill_daemon();
  for (const auto pid : {on, off})
    ::kill(pid, SIGKILL);
  // As it would be if these had run under another boot of the host.
  h.edit_database("UPDATE vms SET runtime_json = json_set(runtime_json, '$.boot_id', 'earlier')"
                  " WHERE name <> 'resting'");
  h.good({"vm", "list"});
  CHECK(h.eventually([&] { return h.show("on").at("state") == "running"; }));
  CHECK(h.show("on").at("pid") != on);
  CHECK(h.show("off").at("state") == "error");
  CHECK(h.show("resting").at("state") == "stopped");
}

TEST_CASE("a daemon that starts among twenty VMs takes every one of them over", "[restart][none]") {
  scripted_home h;
  std::map<std::string, json> pids;
  for (int i = 0; i < 20; ++i) {
    const auto name = "v" + std::to_string(i);
    h.create(name);
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
  h.create("a", behaviour::forgets_its_host);
  h.kill_daemon();
  const auto refused = h.banger({"vm", "exec", "a", "--", "true"});
  CHECK(refused.status == 125);
  CHECK_THAT(refused.err, Contains("the guest's agent does not answer"));
  h.good({"vm", "stop", "a"});
  CHECK(h.show("a").at("state") == "stopped");
}

TEST_CASE("a hypervisor that hangs under two daemons is not given up, and its VM speaks again",
          "[restart][none][user]") {
  scripted_home h;
  h.create("a");
  const auto hypervisor = h.show("a").at("pid").get<pid_t>();
  ::kill(hypervisor, SIGSTOP);
  h.kill_daemon();
  // Until the connections of the next daemon wait in line, and no more are taken.
  const auto refused = h.banger({"vm", "exec", "a", "--", "true"});
  CHECK(refused.status == 125);
  CHECK(h.show("a").at("state") == "running");
  h.kill_daemon();
  CHECK(h.show("a").at("state") == "running");
  ::kill(hypervisor, SIGCONT);
  CHECK(h.eventually([&] { return h.banger({"vm", "exec", "a", "--", "true"}).status == 0; }));
  CHECK(h.show("a").at("pid") == hypervisor);
}

TEST_CASE("a hypervisor that hangs while a daemon takes it over is ended by a stop",
          "[restart][none][user]") {
  scripted_home h;
  h.create("a");
  const auto hypervisor = h.show("a").at("pid").get<pid_t>();
  ::kill(hypervisor, SIGSTOP);
  h.kill_daemon();
  h.good({"vm", "stop", "a"});
  CHECK(h.show("a").at("state") == "stopped");
  CHECK(h.eventually([&] { return ::kill(hypervisor, 0) != 0; })); // once it is reaped
}
