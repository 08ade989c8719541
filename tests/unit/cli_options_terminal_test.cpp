// Terminals, detaching, signals and waiting, as they are asked for.
#include "cli/escape.hpp"
#include "cli/options.hpp"
#include "cli/values.hpp"
#include "tests/support/catch.hpp"

#include <cstring>

using namespace banger;
using namespace banger::cli;
using lines = std::vector<std::string>;

namespace {

surroundings with_term(const char* (*env)(const char*)) { return {{8, 16 * GiB}, env, {}, false}; }

const surroundings host = with_term([](const char* name) -> const char* {
  return std::strcmp(name, "TERM") == 0 ? "xterm-kitty" : nullptr;
});

template <class T>
T understood(const lines& words, const surroundings& around = host) {
  auto what = parse(words, around);
  INFO((what ? "" : describe(what.error())));
  REQUIRE(what.has_value());
  REQUIRE(std::holds_alternative<T>(*what));
  return std::get<T>(*what);
}

std::string refused(const lines& words, const surroundings& around = host) {
  const auto what = parse(words, around);
  REQUIRE_FALSE(what.has_value());
  CHECK(what.error().code == errc::bad_request);
  return describe(what.error());
}

} // namespace

TEST_CASE("a terminal is asked for by -t alone or with -i, and only then the guest hears of TERM") {
  for (const auto& flags : {lines{"-t"}, lines{"-it"}, lines{"-i", "--tty"}}) {
    lines words{"vm", "exec", "a"};
    words.insert(words.end(), flags.begin(), flags.end());
    words.insert(words.end(), {"--", "vi"});
    const auto exec = understood<exec_options>(words);
    CHECK(exec.request.tty);
    CHECK(exec.request.env == lines{"TERM=xterm-kitty"});
    CHECK(exec.escape == '~');
  }
  const auto plain = understood<exec_options>({"vm", "exec", "a", "-i", "--", "vi"});
  CHECK_FALSE(plain.request.tty);
  CHECK(plain.request.env.empty());
}

TEST_CASE("what --env says of a terminal wins, and an unknown terminal is a dumb one") {
  const auto env = [](lines flags, const surroundings& around) {
    lines words{"vm", "exec", "-t", "a"};
    words.insert(words.end(), flags.begin(), flags.end());
    words.insert(words.end(), {"--", "vi"});
    return understood<exec_options>(words, around).request.env;
  };
  CHECK(env({"--env", "TERM=vt100"}, host) == lines{"TERM=vt100"});
  const auto all = with_term([](const char* name) -> const char* {
    return std::strcmp(name, "TERM") == 0 ? "" : "truecolor";
  });
  CHECK(env({}, all) == lines{"TERM=dumb", "COLORTERM=truecolor"});
  CHECK(env({}, with_term([](const char*) -> const char* { return nullptr; })) ==
        lines{"TERM=dumb"});
}

TEST_CASE("a run without a command, and a shell, are login shells in a terminal") {
  const auto run = understood<run_options>({"vm", "run", "--cwd", "/tmp"});
  CHECK(run.command.argv.empty());
  CHECK(run.command.tty);
  CHECK(run.command.cwd == "/tmp");
  const auto shell = understood<exec_options>({"vm", "shell", "box", "-q", "--escape", "none"});
  CHECK(shell.request.ref == "box");
  CHECK(shell.request.argv.empty());
  CHECK(shell.request.tty);
  CHECK(shell.quiet);
  CHECK_FALSE(shell.escape);
}

TEST_CASE("a terminal that is not there is refused with what to do") {
  auto piped = host;
  piped.typed_input = false;
  CHECK(refused({"vm", "exec", "-t", "a", "--", "vi"}, piped) ==
        "--tty: standard input is not a terminal: the command's terminal is the one that we have "
        "here; leave -t away");
  CHECK_THAT(refused({"vm", "shell", "a"}, piped), Catch::Contains("banger vm exec a -- uname -a"));
  auto caught = host;
  caught.seen_output = false;
  CHECK_THAT(refused({"vm", "shell", "a"}, caught), Catch::Contains("needs a terminal"));
  CHECK(understood<exec_options>({"vm", "exec", "-t", "a", "--", "vi"}, caught).request.tty);
}

TEST_CASE("a detached run has no command, and does not go") {
  CHECK(understood<run_options>({"vm", "run", "-d", "--name", "w"}).detach);
  // Nobody needs a terminal for it.
  auto piped = host;
  piped.typed_input = piped.seen_output = false;
  CHECK(understood<run_options>({"vm", "run", "--detach"}, piped).detach);
  CHECK_THAT(refused({"vm", "run", "-d", "--rm"}), Catch::Contains("--rm exclude each other"));
  CHECK_THAT(refused({"vm", "run", "-d", "--", "x"}), Catch::Contains("takes no command"));
  for (const auto& flag : {lines{"-t"}, {"--env", "A=1"}, {"--cwd", "/"}, {"--escape", "none"}}) {
    lines words{"vm", "run", "-d"};
    words.insert(words.end(), flag.begin(), flag.end());
    CHECK_THAT(refused(words), Catch::Contains("they belong to a command"));
  }
}

TEST_CASE("signals are named in any case, with or without SIG, and only those that end something") {
  CHECK(signal_value("KILL"));
  CHECK(signal_value("sigterm"));
  CHECK(signal_value("SigUsr2"));
  for (const char* bad : {"", "SIG", "9", "STOP", "WINCH", "KILL|TERM", "SIGSIGTERM", "TERM "})
    CHECK_FALSE(signal_value(bad));
  CHECK(signal_value("STOP").error().why ==
        "it must be one of TERM, KILL, INT, HUP, QUIT, USR1, USR2, ABRT");
  const auto kill = understood<verb_options>({"vm", "kill", "b", "a", "--signal", "sigint"});
  CHECK(kill.verb == "kill");
  CHECK(kill.refs == lines{"b", "a"});
  CHECK(kill.signal == "sigint");
  CHECK(understood<verb_options>({"vm", "kill", "a"}).signal.empty());
  CHECK_THAT(refused({"vm", "stop", "a", "--signal", "KILL"}), Catch::Contains("--signal"));
}

TEST_CASE("waiting is for the agent, for the image's init, or not at all where that has a sense") {
  CHECK_FALSE(understood<create_options>({"vm", "create"}).request.until_booted);
  CHECK(understood<create_options>({"vm", "create", "--wait", "boot"}).request.until_booted);
  CHECK_FALSE(understood<create_options>({"vm", "create", "--wait=none"}).wait);
  CHECK(understood<create_options>({"vm", "create", "--wait=agent"}).wait);
  CHECK(understood<verb_options>({"vm", "start", "a", "--wait", "boot"}).until_booted);
  CHECK_FALSE(understood<verb_options>({"vm", "start", "a", "--wait", "none"}).wait);
  CHECK(understood<run_options>({"vm", "run", "--wait", "boot", "--", "x"}).request.until_booted);
  CHECK_THAT(refused({"vm", "run", "--wait", "none", "--", "x"}),
             Catch::Contains("it must be one of agent, boot"));
  CHECK_THAT(refused({"vm", "stop", "a", "--wait", "none"}), Catch::Contains("--wait"));
}

TEST_CASE("an escape is one character that has no other meaning for us, or none") {
  CHECK(*escape_value("%") == '%');
  CHECK_FALSE(escape_value("none")->has_value());
  for (const char* bad : {"", "ab", ".", "?", " ", "\x1b", "\xc3\xa9"})
    CHECK_FALSE(escape_value(bad));
}
