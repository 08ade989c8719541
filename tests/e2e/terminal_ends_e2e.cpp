// The ways out of a terminal session: each gives the terminal back as it was.
#include "tests/e2e/terminal_scene.hpp"
#include "tests/support/procfs.hpp"

#include <csignal>
#include <unistd.h>

using namespace banger::test;
using Catch::Contains;

namespace {

bool runs_in(home& h, const std::string& vm, const std::string& what) {
  const auto r = run(h.command({"vm", "exec", vm, "--", "ps", "-o", "args"}), {}, boot_time);
  return r.out.find(what) != std::string::npos;
}

// A shell that is hung up takes a command with it once that is its foreground job, which it is when
// it can be seen.
bool sleeps(home& h, at_terminal& t, const std::string& time) {
  return says(t, "echo go''ing; sleep " + time, "going") &&
         h.eventually([&] { return runs_in(h, "a", "sleep " + time); });
}

// A tmux of its own, with one window "x".
class multiplexer {
public:
  explicit multiplexer(home& h) : home_(h) {}
  ~multiplexer() {
    (*this)({"kill-server"});
    std::filesystem::remove(home_.top() / "tmux");
  }
  multiplexer(const multiplexer&) = delete;
  multiplexer& operator=(const multiplexer&) = delete;

  std::string operator()(const words& args) {
    auto p = home_.command({});
    p.argv = {"tmux", "-S", home_.top() / "tmux", "-f", "/dev/null"};
    p.argv.insert(p.argv.end(), args.begin(), args.end());
    p.env["TERM"] = "xterm-256color";
    p.env["SHELL"] = "/bin/sh"; // the test's user has none that would run anything
    return run(p, {}, short_time).out;
  }
  void type(const std::string& line) { (*this)({"send-keys", "-t", "x", line, "Enter"}); }
  bool shows(const std::string& text) {
    std::string pane;
    const bool seen = home_.eventually([&] {
      pane = (*this)({"capture-pane", "-p", "-t", "x"});
      return pane.find(text) != std::string::npos;
    });
    if (!seen)
      UNSCOPED_INFO("tmux shows:\n" << pane);
    return seen;
  }

private:
  home& home_;
};

} // namespace

TEST_CASE("whatever ends the client, the terminal is as it was and the session is over",
          "[vm][terminal]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  for (const int number : {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGSEGV}) {
    INFO("signal " << number);
    at_terminal t(at(h, {"vm", "shell", "a"}));
    const auto before = t.modes();
    REQUIRE(ready(t));
    CHECK(sleeps(h, t, "100" + std::to_string(number)));
    CHECK_FALSE(t.cooked());
    t.signal(number);
    CHECK(t.wait(short_time) == 128 + number);
    CHECK(t.cooked());
    CHECK(t.modes().c_lflag == before.c_lflag);
    CHECK(t.modes().c_iflag == before.c_iflag);
  }
  CHECK(h.eventually([&] { return !runs_in(h, "a", "-sh") && !runs_in(h, "a", "sleep 100"); }));
}

TEST_CASE("a window that is closed ends the session in the guest", "[vm][terminal]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  at_terminal t(at(h, {"vm", "shell", "a"}));
  REQUIRE(ready(t));
  CHECK(sleeps(h, t, "1000"));
  t.hang_up();
  CHECK(t.wait(short_time) == 128 + SIGHUP);
  CHECK(h.eventually([&] { return !runs_in(h, "a", "sleep 1000"); }));
}

TEST_CASE("after a newline ~. leaves, ~? helps and ~~ is a ~, unless --escape says otherwise",
          "[vm][terminal]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  at_terminal t(at(h, {"vm", "shell", "a"}));
  REQUIRE(ready(t));
  CHECK(says(t, "echo a~.b''c", "a~.bc")); // not at the beginning of a line
  t.type("~?");
  CHECK(t.sees("leave; what runs in the session is hung up"));
  CHECK(says(t, "~~/x; echo $?''.", "127."));
  // As with a line that is cut: who does not listen to HUP lives on.
  CHECK(says(t, "(trap '' HUP; exec sleep 2001) >/dev/null 2>&1 & echo o''ne", "one"));
  CHECK(sleeps(h, t, "2003"));
  const auto begun = clock::now();
  t.type("\r~.");
  CHECK(t.wait(short_time) == 129);
  CHECK(clock::now() - begun < scaled(milliseconds(3000)));
  CHECK(t.cooked());
  CHECK_THAT(t.shown(), Contains("left the session") && Contains("VM a is still running"));
  CHECK(h.eventually([&] { return !runs_in(h, "a", "sleep 2003"); }));
  CHECK(h.eventually([&] { return !runs_in(h, "a", "-sh"); }));
  CHECK(runs_in(h, "a", "sleep 2001"));

  at_terminal none(at(h, {"vm", "shell", "a", "--escape", "none", "-q"}));
  REQUIRE(ready(none));
  CHECK(says(none, "~.; echo st''ays", "stays"));
  CHECK(ready(none));
  none.type("\x04");
  none.wait(short_time);
  CHECK(none.cooked());
  CHECK_THAT(none.shown(), !Contains("still running"));

  at_terminal other(at(h, {"vm", "exec", "-t", "a", "--escape", "%", "--", "cat"}));
  CHECK(other.eventually_cooked(false, boot_time));
  other.type("~.\r");
  CHECK(other.sees("~.\r\n~."));
  other.type("%.");
  CHECK(other.wait(short_time) == 129);
}

TEST_CASE("a command that does not end when it is hung up is killed", "[vm][terminal]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  at_terminal t(at(h, {"vm", "exec", "-t", "a", "--", "sh", "-c",
                       "trap '' HUP TERM INT; echo st''ubborn; while :; do sleep 3004; done"}));
  REQUIRE(t.sees("stubborn", boot_time));
  t.type("\r~.");
  CHECK(t.wait(short_time) == 129);
  CHECK(h.eventually([&] { return !runs_in(h, "a", "sleep 3004"); }));
}

TEST_CASE("a session is suspended as a job of the local shell, and comes back raw and resized",
          "[vm][terminal]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  auto local = at(h, {});
  local.argv = {"bash", "--norc", "--noprofile", "-i"};
  local.env["PS1"] = "local> ";
  at_terminal t(local);
  REQUIRE(t.sees("local> "));
  t.type(bin("banger").string() + " vm shell a\r");
  REQUIRE(ready(t));
  t.type("\r");
  REQUIRE(ready(t));
  t.type("~\x1a");
  CHECK(t.sees("Stopped"));
  CHECK(t.sees("local> "));
  CHECK(says(t, "stty -a | tr ' ' '\\n' | grep -c '^-icanon'; echo lo''cal", "0\r\nlocal"));
  t.resize({44, 99});
  t.type("fg\r");
  t.look_for(milliseconds(300));
  CHECK(says(t, "stty size; echo in''-guest $(hostname)", "44 99\r\nin-guest a"));
  // The same from outside.
  const auto client = processes_with(h.top().string() + "/");
  for (const auto pid : client)
    if (command_line(pid).find("shell") != std::string::npos)
      ::kill(pid, SIGTSTP);
  CHECK(t.sees("Stopped"));
  CHECK(t.sees("local> "));
  t.type("fg\r");
  t.look_for(milliseconds(300));
  CHECK(says(t, "echo aga''in $(hostname)", "again a"));
  t.type("exit 3\r");
  CHECK(t.sees("local> "));
  CHECK(says(t, "echo status=$?''.", "status=3."));
  t.type("exit\r");
  CHECK(t.wait(short_time) >= 0);
}

TEST_CASE("a session works in tmux", "[vm][terminal]") {
  home h;
  if (::access("/usr/bin/tmux", X_OK) != 0)
    return skip("tmux is not installed");
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  multiplexer tmux(h);
  tmux({"start-server", ";", "set-option", "-g", "default-terminal", "screen", ";", "new-session",
        "-d", "-s", "x", "-x", "90", "-y", "30",
        bin("banger").string() + " vm shell a; echo ended $?; exec sleep 1000"});
  REQUIRE(tmux.shows(":~#"));
  tmux.type("stty size; echo $TERM");
  CHECK(tmux.shows("30 90"));
  CHECK(tmux.shows("screen"));
  tmux.type("echo go''ing; sleep 1000");
  CHECK(tmux.shows("going"));
  tmux({"send-keys", "-t", "x", "C-c"});
  tmux.type("echo gr\xc3\xbc''n");
  CHECK(tmux.shows("gr\xc3\xbcn"));
  tmux({"resize-window", "-t", "x", "-x", "100", "-y", "35"});
  tmux.type("stty size");
  CHECK(tmux.shows("35 100"));
  tmux.type("exit 6");
  CHECK(tmux.shows("ended 6"));
}
