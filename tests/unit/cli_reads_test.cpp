// The verbs that look at VMs: what is understood, and how it is told.
#include "cli/options.hpp"
#include "cli/print.hpp"
#include "cli/values.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

using namespace banger;
using namespace banger::cli;
using namespace banger::messages;
using nlohmann::json;
using refs = std::vector<std::string>;

namespace {

surroundings at_terminal(bool typed) {
  surroundings around;
  around.host = {8, 16 * GiB};
  around.typed_input = typed;
  return around;
}

template <class T>
T understood(const refs& words) {
  auto what = parse(words, at_terminal(true));
  INFO((what ? "" : describe(what.error())));
  REQUIRE(what.has_value());
  REQUIRE(std::holds_alternative<T>(*what));
  return std::get<T>(*what);
}

vm_stats running_otter() {
  vm_stats vm;
  vm.id = "4f2a00000001";
  vm.name = "otter";
  vm.state = "running";
  vm.pid = 77;
  vm.uptime_us = 12'340'000;
  vm.cpu_us = 2'500'000;
  vm.cpu_tenths = 123;
  vm.cpu_over_us = 2'000'000;
  vm.rss_bytes = 96ull << 20;
  vm.memory_mib = 256;
  vm.disks = {{"upper.img", 4ull << 30, 1ull << 20}, {"work.img", 4ull << 30, 3ull << 20}};
  return vm;
}

} // namespace

TEST_CASE("stats are of all VMs unless some are named") {
  CHECK(understood<stats_options>({"vm", "stats"}).refs.empty());
  const auto some = understood<stats_options>({"vm", "stats", "a", "b", "--watch", "--json"});
  CHECK(some.refs == refs{"a", "b"});
  CHECK(some.watch);
  CHECK(some.json);
}

TEST_CASE("ports, health and console want to know of which VM") {
  CHECK(understood<ports_options>({"vm", "ports", "a", "--json"}).refs == refs{"a"});
  CHECK(understood<health_options>({"vm", "health", "a", "b"}).refs == refs{"a", "b"});
  CHECK(understood<health_options>({"vm", "ping", "a"}).refs == refs{"a"});
  CHECK(understood<console_options>({"vm", "console", "a"}).ref == "a");
  for (const char* verb : {"ports", "health", "console"})
    CHECK_FALSE(parse({"vm", verb}, at_terminal(true)));
  CHECK_FALSE(parse({"vm", "console", "a", "b"}, at_terminal(true)));
}

TEST_CASE("ps shows what runs unless it is asked for more") {
  const auto plain = understood<ps_options>({"ps"});
  CHECK_FALSE((plain.all || plain.latest || plain.quiet || plain.json));
  CHECK(understood<ps_options>({"ps", "-a"}).all);
  CHECK(understood<ps_options>({"ps", "-aq"}).quiet);
  CHECK(understood<ps_options>({"ps", "--latest", "--json"}).latest);
  const auto refused = parse({"ps", "-q", "--json"}, at_terminal(true));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::bad_request);
}

TEST_CASE("prune without somebody to ask wants to be told") {
  CHECK_FALSE(understood<prune_options>({"vm", "prune"}).force);
  CHECK(understood<prune_options>({"vm", "prune", "-f"}).force);
  const auto refused = parse({"vm", "prune"}, at_terminal(false));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::bad_request);
  CHECK(refused.error().remedy == "`banger vm prune -f` deletes without asking");
  CHECK(parse({"vm", "prune", "-f"}, at_terminal(false)));
  CHECK_FALSE(parse({"vm", "prune", "-f", "a"}, at_terminal(false)));
}

TEST_CASE("folders without a record are pruned by id, and only when that was said", "[faults]") {
  const auto some = understood<prune_options>({"vm", "prune", "--orphans", "-f", "0a1b", "0c"});
  CHECK(some.orphans);
  CHECK(some.ids == refs{"0a1b", "0c"});
  CHECK(understood<prune_options>({"vm", "prune", "--orphans"}).ids.empty());
  const auto word = parse({"vm", "prune", "-f", "box"}, at_terminal(true));
  REQUIRE_FALSE(word);
  CHECK_THAT(word.error().remedy, Catch::Contains("vm delete"));
  const auto unasked = parse({"vm", "prune", "--orphans"}, at_terminal(false));
  REQUIRE_FALSE(unasked);
  CHECK(unasked.error().remedy == "`banger vm prune --orphans -f` deletes without asking");
}

TEST_CASE("adopt takes an id and perhaps a name", "[faults]") {
  const auto asked = understood<adopt_options>({"vm", "adopt", "0a1b", "--name", "box"});
  CHECK(asked.request.id == "0a1b");
  CHECK(asked.request.name == "box");
  CHECK_FALSE(parse({"vm", "adopt"}, at_terminal(true)));
  CHECK_FALSE(parse({"vm", "adopt", "0a1b", "--name", "Box!"}, at_terminal(true)));
}

TEST_CASE("the status names folders without a record, and says nothing where there are none",
          "[faults]") {
  daemon_status status;
  CHECK_THAT(status_page(status, ""), !Catch::Contains("rphan"));
  CHECK(json::parse(status_json(status, false)).at("orphans").empty());
  status.orphans = {{"0a1b2c3d4e5f", "/vms/0a1b2c3d4e5f", 5 * MiB, 0, "box", "tiny", ""},
                    {"1a1b2c3d4e5f", "/vms/1a1b2c3d4e5f", 0, 0, "", "", "it has no vm.json"},
                    {"2a1b2c3d4e5f", "/vms/2a1b2c3d4e5f", 0, 77, "web", "tiny", ""}};
  const auto page = status_page(status, "");
  CHECK_THAT(page,
             Catch::Contains("3 (folders that the database does not know)") &&
                 Catch::Contains("0a1b2c3d4e5f  box   tiny   5 MiB  /vms/0a1b2c3d4e5f  -\n") &&
                 Catch::Contains("it has no vm.json\n") &&
                 Catch::Contains("its hypervisor runs, pid 77\n") &&
                 Catch::Contains("banger vm adopt ID"));
  const auto orphan = json::parse(status_json(status, false)).at("orphans").at(0);
  CHECK(orphan == json{{"id", "0a1b2c3d4e5f"},
                       {"folder", "/vms/0a1b2c3d4e5f"},
                       {"used_bytes", 5 * MiB},
                       {"pid", 0},
                       {"name", "box"},
                       {"image", "tiny"},
                       {"problem", ""}});
}

TEST_CASE("the table of figures says nothing where nothing runs, but shows the disks") {
  auto stopped = running_otter();
  stopped.name = "heron";
  stopped.state = "stopped";
  stopped.pid = 0;
  CHECK(stats_table({running_otter(), stopped}) ==
        "NAME   STATE    CPU     CPU TIME  RSS     MEM      DISK            UPTIME\n"
        "otter  running  12.3 %  2.50 s    96 MiB  256 MiB  4 MiB of 8 GiB  12.34 s\n"
        "heron  stopped  -       -         -       256 MiB  4 MiB of 8 GiB  -\n");
  CHECK(stats_table({}) == "NAME  STATE  CPU  CPU TIME  RSS  MEM  DISK  UPTIME\n");
}

TEST_CASE("figures as JSON carry every field, on one line if there are more to come") {
  const auto list = json::parse(stats_json({running_otter()}));
  REQUIRE(list.is_array());
  CHECK(list[0]["cpu_percent"] == 12.3);
  CHECK(list[0]["cpu_us"] == 2'500'000);
  CHECK(list[0]["cpu_over_us"] == 2'000'000);
  CHECK(list[0]["pid"] == 77);
  CHECK(list[0]["rss_bytes"] == 96ull << 20);
  CHECK(list[0]["disks"][1]["name"] == "work.img");
  CHECK(list[0]["disks"][1]["used_bytes"] == 3ull << 20);
  CHECK(json::parse(stats_json({})).empty());
  const auto line = stats_json({running_otter()}, true);
  CHECK(line.find('\n') == line.size() - 1);
  CHECK(json::parse(line) == list);
}

TEST_CASE("the table of listeners names the way to each, and cannot move the cursor") {
  const vm_ports vm{"4f2a00000001",
                    "otter",
                    {{"tcp", "0.0.0.0", 22, "sshd", 7, "10.0.2.15:22"},
                     {"udp", "::1", 53, "na\x1b[2Jme", 0, ""},
                     {"tcp", "::", 80, "", 0, "10.0.2.15:80"}},
                    0};
  CHECK(ports_table({vm}) == "VM     PROTO  ADDRESS  PORT  PROCESS   PID  ENDPOINT\n"
                             "otter  tcp    0.0.0.0  22    sshd      7    10.0.2.15:22\n"
                             "otter  udp    ::1      53    na?[2Jme  -    -\n"
                             "otter  tcp    ::       80    -         -    10.0.2.15:80\n");
  const auto list = json::parse(ports_json({vm}));
  CHECK(list[0]["ports"][0]["endpoint"] == "10.0.2.15:22");
  CHECK(list[0]["ports"][1]["port"] == 53);
  CHECK(list[0]["left_out"] == 0);
}

TEST_CASE("the table of health shows what a guest said, and who is silent") {
  vm_health well;
  well.name = "otter";
  well.verdict = "healthy";
  well.answer_us = 1'500;
  well.uptime_us = 5'000'000;
  well.load_1 = 5;
  well.load_5 = 110;
  well.memory_bytes = 256ull << 20;
  well.memory_free_bytes = 200ull << 20;
  vm_health silent;
  silent.name = "heron";
  silent.verdict = "silent";
  silent.why = "no answer";
  CHECK(health_table({well, silent}) ==
        "VM     HEALTH   ANSWER  UPTIME  LOAD            FREE\n"
        "otter  healthy  1.5 ms  5.00 s  0.05 1.10 0.00  200 MiB of 256 MiB\n"
        "heron  silent   -       -       -               -\n");
  const auto list = json::parse(health_json({well, silent}));
  CHECK(list[0]["load"] == json({0.05, 1.1, 0.0}));
  CHECK(list[0]["answer_us"] == 1'500);
  CHECK(list[1]["verdict"] == "silent");
  CHECK(list[1]["why"] == "no answer");
}
