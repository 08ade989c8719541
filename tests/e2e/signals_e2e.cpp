// Signals that a client is sent, may not hear, or gets from its terminal, as a shell's jobs do.
#include "tests/e2e/terminal_scene.hpp"

#include <csignal>
#include <sys/types.h>

using namespace banger::test;
using Catch::Contains;

namespace {

// A shell at a terminal, with job control. SCRIPT calls banger as $0.
program job(const home& h, const std::string& script) {
  auto p = at(h, {});
  p.argv = {"/bin/sh", "-mc", script, p.argv.front()};
  return p;
}

bool says(child& c, const std::string& text) {
  return c.until([&] { return c.out().find(text) != std::string::npos; }, boot_time);
}

} // namespace

TEST_CASE("a client that was told to ignore HUP does not die of it", "[vm][faults]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  auto p = h.command({"vm", "exec", "a", "--", "sh", "-c", "echo begun; sleep 2; exit 7"});
  p.argv.insert(p.argv.begin(), "nohup");
  child client(p);
  REQUIRE(says(client, "begun"));
  client.signal(SIGHUP);
  CHECK(client.wait(short_time) == 7);
}

TEST_CASE("a client in the background of its terminal lives and ends as elsewhere",
          "[vm][terminal][faults]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  at_terminal reads(job(h, "\"$0\" vm exec a -- sh -c 'sleep 2; exit 7' & wait $!; echo ended $?"));
  reads.type("x\r");
  CHECK(reads.sees("ended 7"));
  at_terminal killed(
      job(h, "\"$0\" vm exec a -- sleep 100 & sleep 2; kill $!; wait $!; echo ended $?"));
  killed.type("x\r");
  CHECK(killed.sees("ended 143"));
  at_terminal writes(
      job(h, "stty tostop; \"$0\" vm exec a -- sh -c 'echo out; exit 7' & wait $!; echo ended $?"));
  CHECK(writes.sees("ended 7"));
  at_terminal shell(job(h, "\"$0\" vm shell a & sleep 2; kill $!; wait $!; echo ended $?"));
  shell.type("x\r");
  CHECK(shell.sees("ended 143"));
  CHECK(shell.cooked());
}

TEST_CASE("a session in the background takes its terminal up when it comes to the front",
          "[vm][terminal][faults]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  at_terminal t(job(h, "\"$0\" vm shell a & sleep 2; echo be''fore; read -r x; fg; echo ended $?"));
  REQUIRE(t.sees("before"));
  CHECK(t.cooked());
  t.type("\r");
  CHECK(t.eventually_cooked(false, boot_time));
  CHECK(says(t, "echo he''re", "here"));
  t.type("exit 5\r");
  CHECK(t.sees("ended 5"));
}

TEST_CASE("a guest that does not answer keeps no client from its end", "[vm][faults]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  child begun(h.command({"vm", "exec", "a", "--", "sh", "-c", "echo begun; sleep 100"}));
  REQUIRE(says(begun, "begun"));
  const auto hypervisor = h.show("a").at("pid").get<pid_t>();
  ::kill(hypervisor, SIGSTOP);
  child refused(h.command({"vm", "exec", "a", "--", "true"}));
  CHECK(refused.until([&] { return refused.err().find("does not answer") != std::string::npos; },
                      short_time));
  refused.signal(SIGTERM);
  CHECK(refused.wait(short_time) == 143);
  begun.signal(SIGTERM);
  CHECK(begun.wait(short_time) == 143);
  CHECK_THAT(begun.err(), Contains("banger vm kill a"));
  ::kill(hypervisor, SIGCONT);
}
