// Lessons of the program before this one about daemons, clients and machines that end each other:
// docs/lessons.md has them all.
#include "tests/e2e/lessons_scene.hpp"
#include "tests/support/catch.hpp"

#include <csignal>
#include <thread>
#include <unistd.h>

using namespace banger::test;
using banger::scripted::behaviour;
using Catch::Contains;
namespace fs = std::filesystem;

TEST_CASE("lesson 1: a stop of Debian is its end, not a reboot, and keeps what was just written",
          "[vm][debian][user]") {
  home h(home::images::debian);
  const milliseconds systemd_time{240'000};
  REQUIRE(h.banger({"vm", "create", "--name", "a", "--wait", "boot"}, {}, systemd_time).status ==
          0);
  const auto vmm = h.show("a").at("pid").get<pid_t>();
  const auto sums =
      h.good({"vm", "exec", "a", "--", "sh", "-c",
              "for f in /root/f /var/f; do head -c 4000000 /dev/urandom > $f; done; cat /root/f "
              "/var/f | sha256sum"});
  REQUIRE(h.banger({"vm", "stop", "a"}, {}, systemd_time).status == 0);
  CHECK_FALSE(alive(vmm));
  CHECK_THAT(h.good({"vm", "logs", "a"}), Contains("reboot: Power down"));
  REQUIRE(h.banger({"vm", "start", "a"}, {}, systemd_time).status == 0);
  CHECK(h.good({"vm", "exec", "a", "--", "sh", "-c", "cat /root/f /var/f | sha256sum"}) == sums);
}

TEST_CASE("lesson 2: a stop is over when the machine has ended, not when a patience has",
          "[none]") {
  lesson_home h;
  h.create("a");
  const auto stopped = h.banger({"vm", "stop", "a"});
  CHECK(stopped.status == 0);
  CHECK(stopped.took < scaled(milliseconds(5000))); // the first patience is ten seconds
  CHECK(h.state_of("a") == "stopped");
}

TEST_CASE("lesson 3: a stop whose client is killed goes on to the end, whatever the guest does",
          "[none]") {
  lesson_home h;
  h.create("a", behaviour::ignores_quit);
  const auto vmm = h.vmm("a");
  auto client = h.start({"vm", "stop", "a"});
  REQUIRE(h.eventually([&] { return h.stage_of("vm.stop") == "shutdown"; }));
  client.signal(SIGKILL);
  client.wait(short_time);
  CHECK(alive(vmm));
  CHECK(h.eventually([&] { return h.state_of("a") == "stopped"; }, boot_time));
  CHECK_FALSE(alive(vmm));
  CHECK(h.show("a").at("last_error") == "");
}

TEST_CASE("lesson 4: a signal to the daemon and its whole process group ends no VM",
          "[both][none]") {
  lesson_home h;
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGKILL}) {
    INFO("signal " << signal);
    program by_hand;
    by_hand.argv = {bin("bangerd")};
    by_hand.env = h.env;
    child daemon(by_hand);
    REQUIRE(h.eventually([&] { return h.status().has_value(); }));
    const auto name = "v" + std::to_string(signal);
    h.create(name);
    const auto vmm = h.vmm(name);
    CHECK(::getsid(vmm) == vmm);
    CHECK(::getpgid(vmm) == vmm);
    ::kill(-daemon.pid(), signal);
    CHECK(daemon.wait(short_time) == (signal == SIGKILL ? 128 + SIGKILL : 0));
    CHECK(h.lives_on(name, vmm));
    h.good({"daemon", "stop"});
  }
  CHECK(h.read({"vm", "list", "--json"}).size() == 4);
}

TEST_CASE("lesson 5: a runtime folder that vanishes while no daemon runs takes no VM with it",
          "[none]") {
  lesson_home h;
  h.create("a");
  const auto vmm = h.vmm("a");
  h.good({"daemon", "stop"});
  fs::remove_all(h.runtime());
  CHECK(h.lives_on("a", vmm));
}

TEST_CASE("lesson 5: a runtime folder that vanishes under a daemon costs neither VMs nor commands",
          "[both][none]") {
  lesson_home h;
  h.create("a");
  const auto vmm = h.vmm("a"), daemon = h.daemon_pid();
  fs::remove_all(h.runtime());
  CHECK(h.eventually([&] { return !alive(daemon); })); // nobody could reach it
  CHECK(h.lives_on("a", vmm));
  CHECK(h.daemon_pid() != daemon);
}

TEST_CASE("lesson 5: a daemon that nobody can reach ends what it has begun before it goes",
          "[none]") {
  lesson_home h;
  h.create("a", behaviour::ignores_quit);
  const auto vmm = h.vmm("a"), daemon = h.daemon_pid();
  auto stop = h.start({"vm", "stop", "a"});
  REQUIRE(h.eventually([&] { return h.stage_of("vm.stop") == "shutdown"; }));
  fs::remove(h.runtime() / "bangerd.sock");
  CHECK(h.eventually([&] { return !alive(daemon); }, boot_time));
  CHECK(stop.wait(short_time) == 0); // its connection is older
  CHECK_FALSE(alive(vmm));
  CHECK(h.state_of("a") == "stopped");
}

TEST_CASE("lesson 5: a machine whose sockets vanished is never taken for one that has ended",
          "[none]") {
  lesson_home h;
  h.create("a");
  const auto vmm = h.vmm("a");
  const auto folder = h.folder("a");
  for (const auto* socket : {"qmp.sock", "agent.sock", "console.sock"})
    REQUIRE(fs::remove(folder / socket));
  CHECK(h.lives_on("a", vmm)); // this daemon has its connections
  h.good({"vm", "exec", "a", "--", "true"});
  h.kill_daemon();
  // The next one has none: it ends the machine before it says that it does not run.
  CHECK(h.eventually([&] { return h.state_of("a") != "running"; }));
  CHECK_FALSE(alive(vmm));
  CHECK(fs::exists(folder / "work.img"));
  h.good({"vm", "start", "a"});
  CHECK(h.answers("a"));
}

TEST_CASE("lesson 6: a process with a machine's command line is not taken for the machine",
          "[none]") {
  lesson_home h;
  h.create("a");
  const auto vmm = h.vmm("a");
  program likeness;
  likeness.argv = {"sh", "-c", "read never"};
  std::istringstream line(command_line(vmm));
  for (std::string word; std::getline(line, word, '\0');)
    likeness.argv.push_back(word);
  likeness.env = {{"PATH", "/usr/bin:/bin"}};
  likeness.in = input::pipe;
  child other(likeness);
  REQUIRE(h.eventually(
      [&] { return command_line(other.pid()).find(command_line(vmm)) != std::string::npos; }));
  h.kill_daemon();
  ::kill(vmm, SIGKILL);
  REQUIRE(h.eventually([&] { return !alive(vmm); }));
  CHECK(h.state_of("a") == "error");
  CHECK(h.show("a").at("pid") == 0);
  h.good({"vm", "start", "a"});
  h.good({"vm", "stop", "a"});
  h.good({"vm", "start", "a"});
  h.good({"vm", "kill", "a"});
  h.good({"vm", "delete", "a"});
  CHECK(other.running());
}

TEST_CASE("lesson 7: after a daemon that could not start the right one comes with the next command",
          "[none]") {
  lesson_home h;
  h.create("a");
  const auto vmm = h.vmm("a");
  h.good({"daemon", "stop"});
  h.env["BANGER_DAEMON"] = h.script("bangerd", "echo 'not this one' >&2; exit 1");
  const auto refused = h.banger({"vm", "list"});
  CHECK(refused.status != 0);
  CHECK_THAT(refused.err, Contains("the daemon did not start") && Contains("not this one"));
  h.env["BANGER_DAEMON"] = bin("bangerd");
  CHECK(h.lives_on("a", vmm));
}

TEST_CASE("lesson 9: a daemon is there when it answers, not when its process is", "[none]") {
  lesson_home h;
  h.env["BANGER_DAEMON"] =
      h.script("bangerd", "sleep 1; exec " + bin("bangerd").string() + " \"$@\"");
  CHECK(h.list().empty());
  h.good({"daemon", "stop"});
}

TEST_CASE("lesson 9: a VM runs when its guest answers, not when its hypervisor does", "[none]") {
  lesson_home h;
  h.good({"vm", "list"});
  auto client = h.start(h.creation("mute", behaviour::never_boots));
  REQUIRE(h.eventually([&] { return h.stage_of("vm.create") == "hello"; }));
  CHECK(alive(h.vmm("mute")));
  CHECK(h.state_of("mute") != "running");
  CHECK(h.banger({"vm", "exec", "mute", "--", "true"}).status == 125);
  CHECK(client.running());
  h.create("late", behaviour::boots_late);
  CHECK(h.answers("late"));
  h.good({"vm", "kill", "--force", "mute"});
  CHECK(client.wait(short_time) == 1);
}

TEST_CASE("lesson 17a: what was started again answers at once, and still when its client is gone",
          "[none]") {
  lesson_home h;
  h.create("a");
  for (const auto* verb : {"start", "restart"}) {
    INFO(verb);
    if (verb == std::string_view("start"))
      h.good({"vm", "stop", "a"});
    auto client = h.start({"vm", verb, "a"});
    CHECK(client.wait(short_time) == 0);
    const auto vmm = h.vmm("a");
    CHECK(h.lives_on("a", vmm));
    ::kill(-client.pid(), SIGKILL); // whoever may be left of it
    std::this_thread::sleep_for(milliseconds(1000));
    CHECK(h.lives_on("a", vmm));
  }
}

TEST_CASE("lesson 28: a VM outlives the client that made it and the daemon that began it",
          "[none]") {
  lesson_home h;
  auto client = h.start(h.creation("a")); // it starts the daemon, too
  REQUIRE(client.wait(short_time) == 0);
  ::kill(-client.pid(), SIGKILL);
  std::this_thread::sleep_for(milliseconds(1000));
  const auto vmm = h.vmm("a"), daemon = h.daemon_pid();
  CHECK(h.lives_on("a", vmm));
  for (const auto pid : {vmm, daemon}) {
    CHECK(::getsid(pid) != ::getsid(0));
    CHECK(::getpgid(pid) != client.pid());
  }
  ::kill(-::getpgid(daemon), SIGKILL);
  REQUIRE(h.eventually([&] { return !alive(daemon); }));
  CHECK(h.lives_on("a", vmm));
}
