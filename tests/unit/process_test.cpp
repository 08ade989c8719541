#include "actors/storage/process.hpp"

#include "tests/unit/storage_scratch.hpp"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <map>
#include <thread>
#include <unistd.h>

using namespace banger;
using namespace banger::storage;
using banger::test::code;
using banger::test::why;
using namespace std::chrono_literals;

namespace {

command shell(std::string script) { return {.argv = {"sh", "-c", std::move(script)}}; }

} // namespace

TEST_CASE("a program's status and streams come back") {
  const auto end = run_any(shell("echo out; echo err >&2; exit 42"));
  REQUIRE(end);
  CHECK(end->status == 42);
  CHECK(end->out == "out\n");
  CHECK(end->err == "err\n");
}

TEST_CASE("arguments reach the program as they are") {
  const auto end = run({.argv = {"printf", "%s|", "a b", "$HOME", "'"}});
  REQUIRE(end);
  CHECK(end->out == "a b|$HOME|'|");
}

TEST_CASE("a failure carries the last line of stderr") {
  const auto end = run(shell("echo first >&2; echo 'the reason' >&2; echo >&2; exit 1"));
  REQUIRE(code(end) == errc::operation_failed);
  CHECK(end.error().why == "the reason");
  CHECK(run(shell("exit 3")).error().why == "exit status 3");
  CHECK(run(shell("kill -9 $$")).error().why == "ended by signal 9");
}

TEST_CASE("a program that is not there is told with its remedy") {
  const auto end = run({.argv = {"no-such-program-here"}, .remedy = "do this"});
  REQUIRE(code(end) == errc::unavailable);
  CHECK(end.error().remedy == "do this");
  CHECK(code(run({})) == errc::bad_request);
}

TEST_CASE("programs of the administrator are found by users too") {
  CHECK_FALSE(find_program("mke2fs").empty());
  CHECK(find_program("/bin/sh") == "/bin/sh");
  CHECK(find_program("/nowhere/sh").empty());
}

TEST_CASE("the deadline ends the program and what it has started") {
  const test::scratch s;
  auto c = shell("sleep 100 & echo $! > pid; wait");
  c.cwd = s.top();
  c.deadline = 300ms;
  CHECK(code(run(c)) == errc::timed_out);
  const auto pid = std::stoi(test::slurp(s / "pid"));
  // A zombie that init has not reaped yet still has a number, and a signal takes a moment.
  const auto ended = [&] {
    const auto state = test::slurp("/proc/" + std::to_string(pid) + "/stat");
    return state.empty() || state.find(") Z") != std::string::npos;
  };
  for (int i = 0; i < 500 && !ended(); ++i)
    std::this_thread::sleep_for(10ms);
  CHECK(ended());
}

TEST_CASE("a program that ignores the polite signal is killed") {
  auto c = shell("trap '' TERM; echo ready; while :; do sleep 0.1; done");
  std::stop_source source;
  c.on_line = [&](std::string_view line) {
    if (line == "ready")
      source.request_stop();
  };
  CHECK(code(run(c, source.get_token())) == errc::cancelled);
}

TEST_CASE("a stop that came before the start starts nothing") {
  const test::scratch s;
  std::stop_source source;
  source.request_stop();
  CHECK(code(run({.argv = {"touch", s / "made"}}, source.get_token())) == errc::cancelled);
  CHECK(test::names_in(s.top()).empty());
}

TEST_CASE("output beyond the bound is dropped and the program still ends") {
  auto c = shell("head -c 3000000 /dev/zero; echo done >&2");
  c.max_output = 1000;
  const auto end = run(c);
  REQUIRE(end);
  CHECK(end->out.size() == 1000);
  CHECK(end->err == "done\n");
}

TEST_CASE("a grandchild that keeps the streams open does not hold the caller") {
  const auto begun = std::chrono::steady_clock::now();
  const auto end = run(shell("sleep 5 & echo early"));
  REQUIRE(end);
  CHECK(end->out == "early\n");
  CHECK(std::chrono::steady_clock::now() - begun < 4s);
}

TEST_CASE("descriptors of the daemon do not reach the program") {
  const test::scratch s;
  test::put(s / "leaky", "");
  const int leaky = ::open((s / "leaky").c_str(), O_RDONLY); // not close-on-exec
  const auto end = run({.argv = {"ls", "-l", "/proc/self/fd"}});
  ::close(leaky);
  REQUIRE(end);
  CHECK(end->out.find("leaky") == std::string::npos);
}

TEST_CASE("environment and input are those that were given") {
  const test::scratch s;
  test::put(s / "in", "from a file");
  const int in = ::open((s / "in").c_str(), O_RDONLY | O_CLOEXEC);
  auto c = shell("echo \"$BANGER_X $LC_ALL\"; cat; pwd");
  c.env = {"BANGER_X=1"};
  c.cwd = "/";
  c.input = in;
  const auto end = run(c);
  ::close(in);
  REQUIRE(end);
  CHECK(end->out == "1 C\nfrom a file/\n");
}

TEST_CASE("what the shell of the daemon had in its environment does not reach a program",
          "[faults]") {
  const auto with = [](const std::map<std::string, std::string>& hostile) {
    for (const auto& [name, value] : hostile)
      ::setenv(name.c_str(), value.c_str(), 1);
    const auto end = run({.argv = {"/usr/bin/env"}});
    for (const auto& [name, value] : hostile)
      if (name != "PATH")
        ::unsetenv(name.c_str());
    REQUIRE(end);
    return "\n" + end->out;
  };
  const std::string path = std::getenv("PATH");
  const auto said = with({{"LANG", "tr_TR.UTF-8"},
                          {"LC_ALL", "no_such"},
                          {"LC_NUMERIC", "de_DE"},
                          {"PERL5OPT", "-Mnone"},
                          {"TAR_OPTIONS", "--none"},
                          {"TMPDIR", "/none"},
                          {"http_proxy", "http://proxy:1"},
                          {"PATH", ".:bin::" + path}});
  ::setenv("PATH", path.c_str(), 1);
  for (const auto* gone : {"tr_TR", "no_such", "de_DE", "-Mnone", "--none", "/none"})
    CHECK_THAT(said, !Catch::Contains(gone));
  CHECK_THAT(said, Catch::Contains("\nLC_ALL=C\n") &&
                       Catch::Contains("\nhttp_proxy=http://proxy:1\n") &&
                       Catch::Contains("\nPATH=" + path + ":/usr/sbin"));
}

TEST_CASE("lines are told while the program runs") {
  std::vector<std::string> lines;
  auto c = shell("echo one; echo two; printf rest");
  c.on_line = [&](std::string_view line) { lines.emplace_back(line); };
  REQUIRE(run(c));
  CHECK(lines == std::vector<std::string>{"one", "two"});
}
