// Keys that somebody presses while a command does not read what was typed before them.
#include "tests/e2e/terminal_scene.hpp"

using namespace banger::test;

namespace {

// A line is short enough for a terminal that reads lines.
std::string pasted(std::size_t bytes) {
  const std::string line = std::string(62, 'p') + "\r";
  std::string all;
  while (all.size() < bytes)
    all += line;
  return all;
}

} // namespace

TEST_CASE("a paste into a command that does not read keeps nobody from leaving",
          "[vm][terminal][faults]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  at_terminal t(at(h, {"vm", "exec", "-t", "a", "--", "sh", "-c", "echo be''gun; sleep 1000"}));
  REQUIRE(t.sees("begun", boot_time));
  t.type(pasted(1 << 20));
  t.type("~.");
  CHECK(t.wait(short_time) == 129);
  CHECK(t.cooked());
}

TEST_CASE("a paste into a command that does not read keeps nobody from Ctrl-C",
          "[vm][terminal][faults]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  at_terminal t(at(h, {"vm", "shell", "a"}));
  REQUIRE(ready(t));
  for (const std::size_t bytes : {20'000, 300'000, 1'200'000}) {
    INFO(bytes);
    // A shell that has begun is in the foreground, and dies of the key as its sleep does.
    REQUIRE(says(t, "sh -c \"echo be''gun; exec sleep 1000\"", "begun"));
    t.type(pasted(bytes));
    t.type("\x03");
    // What was pasted is gone, as at every terminal, and the shell reads on.
    REQUIRE(says(t, "echo sta''tus $?", "status 130"));
  }
  t.resize({31, 97});
  CHECK(says(t, "stty size", "31 97"));
  t.type("exit 0\r");
  CHECK(t.wait(short_time) == 0);
}

TEST_CASE("a command in raw mode gets Ctrl-C as a byte in its place", "[vm][terminal][faults]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  at_terminal t(at(h, {"vm", "exec", "-t", "a", "--", "sh", "-c",
                       "stty raw -echo; echo be''gun; sleep 3; head -c 200001 | od -An -tx1 | "
                       "tail -n 1; stty sane"}));
  REQUIRE(t.sees("begun", boot_time));
  t.type(std::string(200'000, 'p') + "\x03");
  CHECK(t.sees(" 03", boot_time));
  CHECK(t.wait(short_time) == 0);
}
