// Looking at VMs: figures, listeners, signs of life, the console; and tidying up after a look.
#include "tests/e2e/scripted_home.hpp"
#include "tests/e2e/terminal_scene.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/procfs.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>

using namespace banger::test;
using banger::scripted::behaviour;
using Catch::Contains;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::vector<std::string> names_of(const json& vms) {
  std::vector<std::string> names;
  for (const auto& vm : vms)
    names.push_back(vm.at("name"));
  return names;
}

} // namespace

TEST_CASE("figures are of the process that runs, and of a stopped VM its disks are left",
          "[none]") {
  scripted_home h;
  h.create("a");
  h.create("b");
  h.good({"vm", "stop", "b"});
  const auto all = h.read({"vm", "stats", "--json"});
  REQUIRE(names_of(all) == words{"a", "b"});
  const auto pid = h.show("a").at("pid").get<pid_t>();
  CHECK(all[0].at("pid") == pid);
  CHECK(all[0].at("state") == "running");
  const auto rss = all[0].at("rss_bytes").get<std::int64_t>() / 1024;
  CHECK(std::abs(rss - status_number(pid, "VmRSS")) < 1024);
  CHECK(all[0].at("uptime_us").get<std::uint64_t>() < 60'000'000);
  for (const auto& vm : all) {
    INFO(vm);
    REQUIRE(vm.at("disks").size() == 2);
    CHECK(vm.at("disks")[1].at("name") == "work.img");
    CHECK(vm.at("disks")[1].at("bytes").get<std::uint64_t>() >
          vm.at("disks")[1].at("used_bytes").get<std::uint64_t>());
  }
  for (const char* figure : {"pid", "rss_bytes", "cpu_us", "cpu_percent", "uptime_us"})
    CHECK(all[1].at(figure) == 0);
  CHECK(names_of(h.read({"vm", "stats", "b", "a", "b", "--json"})) == words{"b", "a"});
  const auto some = h.banger({"vm", "stats", "a", "nobody"});
  CHECK(some.status == 1);
  CHECK_THAT(some.out, Contains("\na ") && Contains("running"));
  CHECK_THAT(some.err, Contains("there is no VM 'nobody'"));
}

TEST_CASE("figures again and again end with Ctrl-C, a line each for programs", "[none]") {
  scripted_home h;
  h.create("a");
  auto watcher = h.start({"vm", "stats", "--json", "--watch"});
  REQUIRE(watcher.until([&] { return lines_of(watcher.out()).size() >= 2; }, short_time));
  watcher.signal(SIGINT);
  CHECK(watcher.wait(short_time) == 0);
  const auto seen = lines_of(watcher.out());
  const auto first = json::parse(seen[0]), second = json::parse(seen[1]);
  CHECK(names_of(first) == words{"a"});
  CHECK(second[0].at("uptime_us").get<std::uint64_t>() >
        first[0].at("uptime_us").get<std::uint64_t>() + 1'000'000);
  // Since the look before, not since the VM began.
  CHECK(second[0].at("cpu_over_us").get<std::uint64_t>() <
        second[0].at("uptime_us").get<std::uint64_t>());
}

TEST_CASE("on a terminal the figures are drawn over the last ones", "[none][terminal]") {
  scripted_home h;
  h.create("a");
  at_terminal t(at(h, {"vm", "stats", "--watch"}));
  CHECK(t.sees("CPU TIME"));
  CHECK(t.sees("\x1b[2A\x1b[J"));
  CHECK(t.sees("running"));
  t.signal(SIGINT);
  CHECK(t.wait(short_time) == 0);
}

TEST_CASE("reads are answered while a start hangs", "[none]") {
  scripted_home h;
  auto client = h.start(scripted_home::creation("a", behaviour::never_boots));
  REQUIRE(h.eventually([&] {
    const auto vms = h.list();
    return !vms.empty() && vms[0].at("operation") == "hello";
  }));
  const auto stats = h.read({"vm", "stats", "a", "--json"});
  CHECK(stats[0].at("state") == "created");
  CHECK(stats[0].at("pid").get<pid_t>() > 0);
  const auto health = h.banger({"vm", "health", "a", "--json"});
  CHECK(health.status == 1);
  CHECK(json::parse(health.out)[0].at("verdict") == "silent");
  CHECK_THAT(health.err, Contains("VM a is silent") && Contains("banger vm console a"));
  auto console = h.start({"vm", "console", "a"});
  CHECK(console.until([&] { return console.out().find("never boots") != std::string::npos; },
                      short_time));
  CHECK(h.list()[0].at("operation") == "hello");
  client.signal(SIGINT);
  CHECK(client.wait(short_time) == 130);
  CHECK(console.wait(short_time) == 0);
}

TEST_CASE("listeners are told with the process, and where they are reached", "[none]") {
  scripted_home h;
  h.create("a");
  h.create("b");
  const auto table = h.good({"vm", "ports", "a"});
  CHECK_THAT(table, Contains("a   tcp    0.0.0.0    22    sshd      7    10.0.2.15:22\n"));
  CHECK_THAT(table, Contains("127.0.0.1  5432  postgres  9    -\n"));
  const auto both = h.read({"vm", "ports", "b", "a", "--json"});
  REQUIRE(names_of(both) == words{"b", "a"});
  CHECK(both[1].at("ports").size() == 3);
  CHECK(both[1].at("ports")[2].at("protocol") == "udp");
  h.good({"vm", "stop", "b"});
  const auto half = h.banger({"vm", "ports", "a", "b"});
  CHECK(half.status == 1);
  CHECK_THAT(half.out, Contains("sshd"));
  CHECK_THAT(half.err, Contains("VM b is not running") && Contains("banger vm start b"));
}

TEST_CASE("health is 0 only if every guest answers, and the silent ones are named", "[none]") {
  scripted_home h;
  h.create("well");
  h.create("mute", behaviour::answers_nothing);
  CHECK_THAT(h.good({"vm", "ping", "well"}), Contains("well  healthy"));
  const auto r = h.banger({"vm", "health", "well", "mute"});
  CHECK(r.status == 1);
  CHECK_THAT(r.out, Contains("well  healthy") && Contains("mute  silent"));
  CHECK_THAT(r.err, Contains("VM mute is silent") && Contains("did not answer within") &&
                        Contains("banger vm kill mute"));
  CHECK(r.took >= milliseconds(1900));
  h.good({"vm", "stop", "mute"});
  const auto stopped = h.banger({"vm", "health", "mute"});
  CHECK(stopped.status == 1);
  CHECK_THAT(stopped.err, Contains("VM mute is stopped") && Contains("banger vm start mute"));
  CHECK(h.banger({"vm", "ports", "well", "mute"}).status == 1);
}

TEST_CASE("a guest whose agent is too old to be asked is told so, and goes on", "[none]") {
  scripted_home h;
  h.create("a", behaviour::is_of_old);
  const auto pid = h.show("a").at("pid");
  const auto ports = h.banger({"vm", "ports", "a"});
  CHECK(ports.status == 1);
  CHECK_THAT(ports.err, Contains("too old") && Contains("stop and start the VM a"));
  CHECK_THAT(h.banger({"vm", "health", "a"}).err,
             Contains("VM a is unknown") && Contains("too old"));
  CHECK(h.good({"vm", "exec", "a", "--", "echo", "here"}) == "here\n");
  CHECK(h.show("a").at("pid") == pid);
}

TEST_CASE("a console ends with its VM, and Ctrl-C leaves the VM alone", "[none]") {
  scripted_home h;
  h.create("a");
  auto left = h.start({"vm", "console", "a"});
  REQUIRE(left.until([&] { return left.out() == "scripted machine: good\n"; }, short_time));
  left.signal(SIGINT);
  CHECK(left.wait(short_time) == 0);
  CHECK_THAT(left.err(), Contains("Ctrl-C leaves it") && Contains("the VM runs on"));
  CHECK(h.show("a").at("state") == "running");
  auto stays = h.start({"vm", "console", "a"});
  REQUIRE(stays.until([&] { return !stays.out().empty(); }, short_time));
  h.good({"vm", "kill", "a"});
  CHECK(stays.wait(short_time) == 0);
  CHECK_THAT(stays.err(), Contains("the VM a has ended"));
  const auto refused = h.banger({"vm", "console", "a"});
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, Contains("VM a is not running"));
}

TEST_CASE("ps shows what runs, all, the last one, or only ids", "[none]") {
  scripted_home h;
  CHECK(h.good({"ps", "-q"}).empty());
  h.create("a");
  h.create("b");
  h.good({"vm", "stop", "b"});
  CHECK(names_of(h.read({"ps", "--json"})) == words{"a"});
  CHECK(names_of(h.read({"ps", "-a", "--json"})) == words{"a", "b"});
  CHECK(names_of(h.read({"ps", "--latest", "--json"})) == words{"b"});
  const auto all = h.list();
  CHECK(h.good({"ps", "-q"}) == all[0].at("id").get<std::string>() + "\n");
  CHECK(lines_of(h.good({"ps", "-aq"})).size() == 2);
  CHECK_THAT(h.good({"ps"}), Contains("a ") && !Contains("\nb "));
  CHECK(h.banger({"ps", "-q", "--json"}).status == 2);
}

TEST_CASE("prune deletes what is at rest, and nothing without a word of somebody", "[none]") {
  scripted_home h;
  h.create("runs");
  h.create("rests");
  h.good({"vm", "stop", "rests"});
  const auto refused = h.banger({"vm", "prune"});
  CHECK(refused.status == 2);
  CHECK_THAT(refused.err, Contains("banger vm prune -f"));
  CHECK(h.list().size() == 2);
  CHECK(h.good({"vm", "prune", "-f"}) == "rests\n");
  CHECK(names_of(h.list()) == words{"runs"});
  const auto nothing = h.banger({"vm", "prune", "-f"});
  CHECK(nothing.status == 0);
  CHECK(nothing.out.empty());
  CHECK_THAT(nothing.err, Contains("nothing to delete"));
}

TEST_CASE("prune asks at a terminal, and no is no", "[none][terminal]") {
  scripted_home h;
  h.create("runs");
  h.create("rests");
  h.good({"vm", "stop", "rests"});
  {
    at_terminal t(at(h, {"vm", "prune"}));
    CHECK(t.sees("rests"));
    CHECK(t.sees("for good? [y/N]"));
    t.type("n\r");
    CHECK(t.wait(short_time) == 1);
  }
  CHECK(h.list().size() == 2);
  at_terminal t(at(h, {"vm", "prune"}));
  CHECK(t.sees("[y/N]"));
  t.type("y\r");
  CHECK(t.wait(short_time) == 0);
  CHECK(names_of(h.list()) == words{"runs"});
}

TEST_CASE("prune spares a VM that was started between the question and the answer",
          "[none][terminal]") {
  scripted_home h;
  h.create("a");
  h.good({"vm", "stop", "a"});
  at_terminal t(at(h, {"vm", "prune"}));
  CHECK(t.sees("[y/N]"));
  h.good({"vm", "start", "a"});
  t.type("y\r");
  CHECK(t.sees("VM a is not at rest"));
  CHECK(t.wait(short_time) == 1);
  CHECK(h.show("a").at("state") == "running");
}

TEST_CASE("a real guest tells its listeners and how it is, and costs its host something", "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "box"});
  auto listener = h.start({"vm", "exec", "box", "--", "nc", "-l", "-p", "4711"});
  json found;
  REQUIRE(h.eventually([&] {
    const auto seen = h.read({"vm", "ports", "box", "--json"});
    for (const auto& p : seen[0].at("ports"))
      if (p.at("port") == 4711)
        found = p;
    return !found.is_null();
  }));
  CHECK(found.at("protocol") == "tcp");
  CHECK(found.at("process") == "nc");
  CHECK(found.at("endpoint") == "10.0.2.15:4711");
  const auto pid = std::to_string(found.at("pid").get<int>());
  CHECK(h.good({"vm", "exec", "box", "--", "cat", "/proc/" + pid + "/comm"}) == "nc\n");
  const auto health = h.read({"vm", "health", "box", "--json"})[0];
  CHECK(health.at("verdict") == "healthy");
  CHECK(health.at("uptime_us").get<std::uint64_t>() > 0);
  CHECK(health.at("memory_free_bytes").get<std::uint64_t>() <
        health.at("memory_bytes").get<std::uint64_t>());
  const auto stats = h.read({"vm", "stats", "box", "--json"})[0];
  CHECK(stats.at("cpu_us").get<std::uint64_t>() > 100'000);
  CHECK(stats.at("rss_bytes").get<std::uint64_t>() > (20u << 20));
  CHECK(stats.at("disks").size() == 2);
  h.good({"vm", "exec", "box", "--", "kill", pid});
  CHECK(listener.wait(short_time) == 143);
}
