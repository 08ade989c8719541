// The agent in a guest whose processes are killed, itself among them.
#include "tests/e2e/systemd_scene.hpp"
#include "tests/support/catch.hpp"

using namespace banger::test;
using Catch::Contains;

namespace {

bool says(child& c, const std::string& text) {
  return c.until([&] { return c.out().find(text) != std::string::npos; }, boot_time);
}

// The agent is the one whose name begins with '@' and who holds the port.
std::string agent_pid(home& h) {
  return in_guest(h, "for p in /proc/[0-9]*; do if ls -l $p/fd 2> /dev/null | grep -q /dev/vport; "
                     "then echo ${p#/proc/}; fi; done");
}

// What a process has from the one that started it. A service ignores SIGPIPE, which is 1000.
const std::string inherited =
    "cat /proc/self/limits; grep -E '^(Umask|SigBlk|Cap|NoNewPrivs|Seccomp)' /proc/self/status; "
    "grep SigIgn /proc/self/status | tr 1 0; cut -d' ' -f19,41 /proc/self/stat; "
    "cat /proc/self/oom_score_adj /proc/self/coredump_filter /proc/self/timerslack_ns";

// The agent alone is killed: its commands end, what one of them left behind lives on.
void kill_alone(home& h) {
  in_guest(h, "setsid sleep 1001 > /dev/null 2>&1 < /dev/null &");
  child begun(h.command({"vm", "exec", "w", "--", "sh", "-c", "echo begun; sleep 1002"}));
  REQUIRE(says(begun, "begun"));
  const auto agent = agent_pid(h);
  REQUIRE_FALSE(agent.empty());
  h.banger({"vm", "exec", "w", "--", "kill", "-9", agent.substr(0, agent.size() - 1)});
  CHECK(begun.wait(short_time) == 125);
  CHECK(in_guest(h, "pgrep -fax 'sleep 100[12]' | cut -d' ' -f2-") == "sleep 1001\n");
  CHECK(in_guest(h, "systemctl is-system-running; systemctl is-active banger-agent") ==
        "running\nactive\n");
}

} // namespace

TEST_CASE("an agent that is killed in a guest with systemd comes back, and commands end",
          "[vm][debian][faults]") {
  home h(home::images::debian);
  REQUIRE(h.banger({"vm", "create", "--name", "w", "--wait", "boot"}, {}, systemd_time).status ==
          0);
  const auto boot = in_guest(h, "cat /proc/sys/kernel/random/boot_id");
  const auto service =
      h.good({"vm", "exec", "w", "--", "systemd-run", "--quiet", "--pipe", "sh", "-c", inherited});
  CHECK_THAT(service, Contains("524288"));
  CHECK(in_guest(h, inherited) == service);
  kill_alone(h);
  // The second time it is the successor that is killed.
  for (const std::string round : {"1", "2"}) {
    INFO("round " << round);
    const auto agent = agent_pid(h);
    child begun(h.command({"vm", "exec", "w", "--", "sh", "-c", "echo begun; sleep 1000"}));
    REQUIRE(says(begun, "begun"));
    child flood(h.command({"vm", "exec", "w", "--", "sh", "-c", "yes | head -c 1000000000"}));
    REQUIRE(says(flood, "y\ny\n"));
    const auto killer = h.banger({"vm", "exec", "w", "--", "sh", "-c", "kill -9 -1; sleep 1000"});
    CHECK(killer.status == 125);
    CHECK_THAT(killer.err, Contains("the command was cut off: the guest's agent ended"));
    CHECK(begun.wait(short_time) == 125);
    CHECK(flood.wait(short_time) == 125);
    CHECK(in_guest(h, "echo " + round + " >> /var/lines; echo " + round +
                          " >> /root/lines; cat "
                          "/proc/sys/kernel/random/boot_id") == boot);
    CHECK(agent_pid(h) != agent);
    CHECK(in_guest(h, "pgrep -cx sleep || true") == "0\n");
    const auto health = h.banger({"vm", "health", "w"});
    CHECK(health.status == 0);
  }
  CHECK(in_guest(h, inherited) == service);
  CHECK(in_guest(h, "env | grep -E '^(HOME|LOGNAME|PATH|PWD|SHELL|USER)=' | sort") ==
        in_guest(h, "su - root -c env | grep -E '^(HOME|LOGNAME|PATH|PWD|SHELL|USER)=' | sort"));
  CHECK_THAT(in_guest(h, "cat /proc/self/cgroup; cat /proc/self/oom_score_adj"),
             Contains("/banger/") && Contains("\n0\n"));
  CHECK(h.banger({"vm", "stop", "w"}, {}, systemd_time).status == 0);
  CHECK_THAT(h.good({"vm", "logs", "w"}), Contains("reboot: Power down"));
  REQUIRE(h.banger({"vm", "start", "w"}, {}, systemd_time).status == 0);
  CHECK(in_guest(h, "cat /var/lines /root/lines") == "1\n2\n1\n2\n");
}

TEST_CASE("kill -9 -1 in a guest whose PID 1 is the agent ends every command and no more",
          "[vm][faults]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "w"});
  child begun(h.command({"vm", "exec", "w", "--", "sh", "-c", "echo begun; sleep 1000"}));
  REQUIRE(says(begun, "begun"));
  const auto killer = h.banger({"vm", "exec", "w", "--", "sh", "-c", "kill -9 -1; exit 3"});
  CHECK(killer.status == 3);
  CHECK(begun.wait(short_time) == 137);
  CHECK(in_guest(h, "echo there >> /root/lines; pidof sleep || echo none") == "none\n");
  CHECK(h.banger({"vm", "health", "w"}).status == 0);
  h.good({"vm", "stop", "w"});
  h.good({"vm", "start", "w"});
  CHECK(in_guest(h, "cat /root/lines") == "there\n");
}

TEST_CASE("what a file needs and does not find is named", "[vm][faults]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "w"});
  in_guest(h,
           "cd /root; printf '#!/usr/bin/nosuch\\n' > a; printf '#!/bin/sh\\r\\necho\\r\\n' > b; "
           "echo 'echo hello' > c; printf '#!/no\\033[2Jsuch\\n' > d; chmod 755 a b c d");
  const auto fails = [&](const std::string& file) {
    const auto end = h.banger({"vm", "exec", "w", "--", "/root/" + file});
    CHECK(end.status == 126);
    return end.err;
  };
  CHECK_THAT(fails("a"), Contains("cannot run '/root/a' in the VM: its interpreter "
                                  "'/usr/bin/nosuch' does not exist\n"));
  CHECK_THAT(fails("b"), Contains("its first line ends with CR LF"));
  CHECK_THAT(fails("c"), Contains("it is a script without a #! line"));
  CHECK_THAT(fails("d"), Contains("'/no?[2Jsuch'"));
  CHECK(h.banger({"vm", "exec", "w", "--", "/root/e"}).status == 127);
}

TEST_CASE("a command has the limits of a login where PID 1 is the agent", "[vm][faults][user]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "w"});
  const auto own = in_guest(h, inherited);
  CHECK_THAT(own, Contains("524288") && Contains("Umask:\t0022\n") && Contains("\n0 0\n"));
  CHECK(h.good({"vm", "exec", "w", "--", "su", "-", "root", "-c", inherited}) == own);
  CHECK(in_guest(h, "env | grep -E '^(HOME|LOGNAME|PWD|SHELL|USER)=' | sort") ==
        in_guest(h, "su - root -c env | grep -E '^(HOME|LOGNAME|PWD|SHELL|USER)=' | sort"));
}
