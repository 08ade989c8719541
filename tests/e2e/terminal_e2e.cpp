// Terminal sessions as somebody has them who sits at a terminal.
#include "tests/e2e/terminal_scene.hpp"
#include "tests/support/procfs.hpp"

#include <csignal>

using namespace banger::test;
using Catch::Contains;

TEST_CASE("a shell in a VM feels like one that is here", "[both][vm][terminal]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  at_terminal t(at(h, {"vm", "shell", "a"}), {33, 101});
  REQUIRE(ready(t));
  CHECK_FALSE(t.cooked());
  CHECK(says(t, "stty size", "33 101"));
  CHECK(says(t, "tty; echo \"$0 $SHELL [$TERM] $PWD\"", "-sh /bin/sh [xterm-256color] /root"));
  t.resize({50, 91});
  CHECK(says(t, "sleep 0.2; stty size", "50 91"));
  const std::string text = "gr\xc3\xbcn \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\xa6\x80";
  CHECK(says(t, "printf '%s|\\n' \"" + text + "\"", text + "|"));
  // Ctrl-C is for the command in the guest, not for us.
  CHECK(says(t, "echo go''ing; sleep 1000", "going"));
  t.look_for(milliseconds(300));
  t.type("\x03");
  CHECK(says(t, "echo still''-here", "still-here"));
  CHECK(says(t, "echo go''ing; sleep 1000", "going"));
  t.look_for(milliseconds(300));
  t.type("\x1a");
  CHECK(t.sees("Stopped"));
  t.type("fg\r");
  t.look_for(milliseconds(500));
  t.type("\x03");
  CHECK(says(t, "jobs; echo jobs''-done", "jobs-done"));
  CHECK(says(t, "echo go''ing; cat", "going"));
  t.look_for(milliseconds(300));
  t.type("\x1c");
  CHECK(t.sees("Quit"));
  t.type("exit 7\r");
  CHECK(t.wait(short_time) == 7);
  CHECK(t.cooked());
  CHECK_THAT(t.shown(), Contains("VM a is still running; banger vm stop a"));
}

TEST_CASE("a command of exec gets the terminal, and its end gives it back", "[vm][terminal]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  at_terminal t(at(h, {"vm", "exec", "-it", "a", "--env", "TERM=vt100", "--cwd", "/tmp", "--", "sh",
                       "-c", "stty size; echo $TERM $PWD; read word; echo got $word; exit 5"}));
  CHECK(t.sees("24 80\r\nvt100 /tmp\r\n", boot_time));
  t.type("it\r");
  CHECK(t.sees("got it\r\n"));
  CHECK(t.wait(short_time) == 5);
  CHECK(t.cooked());
  CHECK_THAT(t.shown(), !Contains("still running"));
  // A command without a terminal is none, also for somebody who has one.
  at_terminal pipes(at(h, {"vm", "exec", "a", "--", "sh", "-c", "test -t 0 || echo none"}));
  CHECK(pipes.sees("none"));
  CHECK(pipes.cooked());
  CHECK(pipes.wait(short_time) == 0);
  at_terminal none(at(h, {"vm", "exec", "-t", "a", "--", "no-such-program"}));
  CHECK(none.wait(short_time) == 127);
  CHECK_THAT(none.shown(), Contains("cannot run 'no-such-program'"));
  CHECK(none.cooked());
}

TEST_CASE("a terminal without a size has 24 rows of 80, and one without a name is dumb",
          "[vm][terminal]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  const words ask{"vm", "exec", "-t", "a", "--", "sh", "-c", "stty size; echo \"[$TERM]\""};
  at_terminal small(at(h, ask), {0, 0});
  CHECK(small.sees("24 80\r\n[xterm-256color]", boot_time));
  at_terminal narrow(at(h, ask), {7, 0});
  CHECK(narrow.sees("7 80"));
  auto unknown = at(h, ask);
  unknown.env.erase("TERM");
  at_terminal nameless(unknown);
  CHECK(nameless.sees("[dumb]"));
  at_terminal empty(at(h, ask, ""));
  CHECK(empty.sees("[dumb]"));
  at_terminal dumb(at(h, {"vm", "shell", "a"}, "dumb"));
  REQUIRE(ready(dumb));
  CHECK(says(dumb, "echo \"<$TERM>\"", "<dumb>"));
  for (auto* t : {&small, &narrow, &nameless, &empty})
    CHECK(t->wait(short_time) == 0);
}

TEST_CASE("two people in one VM have a terminal each", "[vm][terminal]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  at_terminal one(at(h, {"vm", "shell", "a"}), {20, 70}),
      two(at(h, {"vm", "shell", "a"}), {30, 90});
  REQUIRE(ready(one));
  REQUIRE(ready(two));
  CHECK(says(one, "stty size", "20 70"));
  CHECK(says(two, "stty size", "30 90"));
  CHECK(says(one, "echo from''-one > /tmp/note; tty", "/dev/pts/"));
  CHECK(says(two, "cat /tmp/note", "from-one"));
  CHECK(one.shown().find("from-one") == std::string::npos);
  one.type("exit 1\r");
  two.type("exit 2\r");
  CHECK(one.wait(short_time) == 1);
  CHECK(two.wait(short_time) == 2);
}

TEST_CASE("a flood neither stops Ctrl-C nor fills our memory", "[vm][terminal]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  at_terminal t(at(h, {"vm", "shell", "a"}));
  REQUIRE(ready(t));
  const auto before = status_number(t.pid(), "VmRSS");
  const auto calm = t.bytes_shown();
  t.type("yes\r");
  t.look_for(milliseconds(2000));
  CHECK(t.bytes_shown() > calm + 10'000);
  // A terminal that stalls: what is under way waits in the guest.
  t.read_output(false);
  t.look_for(milliseconds(2000));
  const auto after = status_number(t.pid(), "VmRSS");
  INFO("client RSS " << before << " KiB, flooded " << after << " KiB");
  CHECK(after - before < 4096);
  t.type("\x03");
  t.read_output(true);
  const auto begun = clock::now();
  CHECK(t.sees(prompt, milliseconds(5000)));
  CHECK(says(t, "echo calm''-again", "calm-again"));
  CHECK(clock::now() - begun < scaled(milliseconds(8000)));
  t.type("exit\r");
  CHECK(t.wait(short_time) == 0);
}

TEST_CASE("a shell goes on when its daemon is killed, at the size that the window has by then",
          "[both][vm][terminal][restart]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  at_terminal t(at(h, {"vm", "shell", "a"}), {24, 80});
  REQUIRE(ready(t));
  CHECK(says(t, "word=kept; echo se''t", "set"));
  t.signal(SIGSTOP); // so that the window changes while the connection is gone
  h.kill_daemon();
  t.resize({40, 111});
  t.signal(SIGCONT);
  CHECK(says(t, "echo $word-alive; stty size", "kept-alive\r\n40 111"));
  CHECK_FALSE(t.cooked());
  h.kill_daemon();
  t.type("exit 9\r");
  CHECK(t.wait(boot_time) == 9);
  CHECK(t.cooked());
}

TEST_CASE("when there is no way back to the daemon, the terminal is given back", "[vm][terminal]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  at_terminal t(at(h, {"vm", "shell", "a"}));
  REQUIRE(ready(t));
  const auto daemon = h.daemon_pid();
  REQUIRE(daemon > 0);
  // No daemon is started in a folder that others may enter.
  std::filesystem::permissions(h.runtime(), std::filesystem::perms(0770));
  ::kill(daemon, SIGKILL);
  CHECK(t.wait(boot_time) == 125);
  CHECK(t.cooked());
  CHECK_THAT(t.shown(), Contains("chmod 700"));
  std::filesystem::permissions(h.runtime(), std::filesystem::perms(0700));
  CHECK(h.list().size() == 1);
}

TEST_CASE("a guest that is switched off in a shell is told, and the terminal given back",
          "[vm][terminal]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  at_terminal t(at(h, {"vm", "shell", "a"}));
  REQUIRE(ready(t));
  t.type("poweroff\r");
  CHECK(t.wait(boot_time) == 125);
  CHECK(t.cooked());
  CHECK_THAT(t.shown(), Contains("the machine ended"));
  CHECK_THAT(t.shown(), !Contains("still running"));
  CHECK(h.eventually([&] { return h.show("a").at("state") == "stopped"; }));
  h.good({"vm", "start", "a"});
  CHECK(h.good({"vm", "exec", "a", "--", "echo", "back"}) == "back\n");
}
