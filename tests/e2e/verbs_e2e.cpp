// What the verbs do beside running commands: leaving VMs alone, ending them, waiting or not.
#include "tests/e2e/terminal_scene.hpp"

using namespace banger::test;
using Catch::Contains;

TEST_CASE("a terminal, or a shell, where there is no terminal is refused before anything is asked",
          "[terminal][none]") {
  home h;
  const auto refused = [&](const words& args, const std::string& says) {
    const auto r = h.banger(args);
    CHECK(r.status == 2);
    CHECK(r.out.empty());
    CHECK_THAT(r.err, Contains(says));
  };
  refused({"vm", "exec", "-t", "a", "--", "true"}, "standard input is not a terminal");
  refused({"vm", "exec", "-it", "a", "--", "true"}, "leave -t away");
  refused({"vm", "run", "--rm", "-t", "--", "true"}, "standard input is not a terminal");
  refused({"vm", "run", "--rm"}, "add it after --");
  refused({"vm", "run", "-it"}, "add it after --");
  refused({"vm", "shell", "a"}, "a shell needs a terminal");
  refused({"vm", "shell", "a", "--", "ls"}, "a shell takes no command");
  refused({"vm", "exec", "a"}, "banger vm shell a");
  refused({"vm", "run", "-d", "--rm"}, "--detach and --rm exclude each other");
  refused({"vm", "run", "-d", "--", "true"}, "--detach takes no command");
  refused({"vm", "run", "-d", "--env", "A=1"}, "they belong to a command");
  refused({"vm", "kill", "a", "--signal", "WINCH"}, "TERM, KILL, INT, HUP, QUIT, USR1, USR2, ABRT");
  refused({"vm", "kill"}, "VM is required");
  refused({"vm", "run", "--wait", "none", "--", "true"}, "agent, boot");
  refused({"vm", "exec", "a", "--escape", "ab", "--", "true"}, "--escape");
  // Nothing was asked, so there is no daemon.
  CHECK_FALSE(h.status());
}

TEST_CASE("a shell needs its output on a terminal, too", "[terminal][none]") {
  home h;
  auto local = at(h, {});
  local.argv = {"bash", "-c", bin("banger").string() + " vm shell a | cat; echo ${PIPESTATUS[0]}."};
  at_terminal t(local);
  CHECK(t.sees("a shell needs a terminal"));
  CHECK(t.sees("2."));
  CHECK(t.cooked());
}

TEST_CASE("a detached run leaves a VM, its name, and the way to it", "[both][vm][terminal]") {
  home h;
  const auto r = h.banger({"vm", "run", "-d", "--image", "tiny", "--name", "w"});
  CHECK(r.status == 0);
  CHECK(r.out == "w\n");
  CHECK_THAT(r.err, Contains("banger vm shell w") && Contains("banger vm exec w -- COMMAND"));
  CHECK(h.show("w").at("state") == "running");
  CHECK(h.good({"vm", "exec", "-i", "w", "--", "cat"}, "in") == "in");
  const auto quiet = h.banger({"vm", "run", "-dq", "--image", "tiny", "--name", "w"});
  CHECK(quiet.status == 125);
  CHECK_THAT(quiet.err, Contains("there is a VM w already"));
}

TEST_CASE("a run without a command is a shell, and --rm removes its VM when it ends",
          "[vm][terminal]") {
  home h;
  at_terminal t(at(h, {"vm", "run", "--rm", "--image", "tiny", "--name", "a"}));
  REQUIRE(ready(t));
  CHECK(says(t, "hostname; tty", "/dev/pts/"));
  t.type("exit 4\r");
  CHECK(t.wait(boot_time) == 4);
  CHECK(t.cooked());
  CHECK_THAT(t.shown(), !Contains("still running"));
  CHECK(h.list().empty());
}

TEST_CASE("a killed VM is stopped, keeps its disks, and starts without being waited for", "[vm]") {
  home h;
  const auto made = h.banger({"vm", "create", "--image", "tiny", "--name", "a", "--wait", "none"});
  CHECK(made.status == 0);
  CHECK(made.out == "a\n");
  CHECK_THAT(made.err, Contains("banger operations wait op-"));
  const auto op = made.err.substr(made.err.rfind("op-"), 9);
  CHECK(h.good({"operations", "wait", op}) == "a\n");
  h.good({"vm", "exec", "a", "--", "sh", "-c", "echo kept > /root/note; sync"});
  CHECK(h.good({"vm", "kill", "a"}) == "a\n");
  CHECK(h.show("a").at("state") == "stopped");
  const auto started = h.banger({"vm", "start", "a", "--wait", "none"});
  CHECK(started.status == 0);
  CHECK(started.out == "a\n");
  h.good({"operations", "wait", started.err.substr(started.err.rfind("op-"), 9)});
  CHECK(h.good({"vm", "exec", "a", "--", "cat", "/root/note"}) == "kept\n");
  CHECK(h.good({"vm", "kill", "a", "--signal", "sigterm"}) == "a\n");
  CHECK(h.show("a").at("state") == "stopped");
}
