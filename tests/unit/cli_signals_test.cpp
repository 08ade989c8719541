// Signals that the client gets: for the command, for itself, or for nobody.
#include "cli/exit_codes.hpp"
#include "cli/signals.hpp"
#include "tests/unit/cli_scene.hpp"

#include <chrono>
#include <csignal>
#include <unistd.h>

using namespace banger;
using namespace banger::cli;
using namespace banger::cli::test;
using guest::frame_type;
using guest::stream_id;

TEST_CASE("before the command has begun a signal is for us") {
  scene s;
  const signal_source source;
  s.signals = source.fd();
  const auto end = s.run([&](server_end& peer) {
    ::kill(::getpid(), SIGTERM);
    while (peer.next()) {
    }
  });
  REQUIRE(end);
  CHECK(exit_code(*end) == 128 + SIGTERM);
}

TEST_CASE("a guest that does not confirm a signal is left after 5 s, after a word of it") {
  scene s;
  const signal_source source;
  s.signals = source.fd();
  s.in.write.reset();
  const auto begun = std::chrono::steady_clock::now();
  const auto end = s.run([&](server_end& peer) {
    peer.opened();
    CHECK(peer.next(frame_type::eof));
    ::kill(::getpid(), SIGTERM);
    while (peer.next()) {
    }
  });
  REQUIRE(end);
  CHECK(exit_code(*end) == 128 + SIGTERM);
  CHECK(s.silences == 1);
  CHECK(std::chrono::steady_clock::now() - begun >= std::chrono::seconds(5));
}

TEST_CASE("a command may take its time to end when its guest confirms the signal") {
  scene s;
  const signal_source source;
  s.signals = source.fd();
  s.in.write.reset();
  const auto end = s.run([&](server_end& peer) {
    peer.opened();
    CHECK(peer.next(frame_type::eof));
    ::kill(::getpid(), SIGTERM);
    CHECK(peer.next(frame_type::signal));
    peer.ack(0);
    CHECK(peer.silent(6000));
    peer.exited(guest::exit_kind::exited, 7);
  });
  REQUIRE(end);
  CHECK(end->value == 7);
  CHECK(s.silences == 0);
}

TEST_CASE("a signal that was ignored when we started stays ignored") {
  struct sigaction ignore {};
  struct sigaction before {};
  ignore.sa_handler = SIG_IGN;
  for (const int number : {SIGHUP, SIGINT, SIGTERM, SIGQUIT}) {
    INFO(number);
    ::sigaction(number, &ignore, &before);
    const signal_source source;
    ::raise(number);
    CHECK_FALSE(source.next());
    ::sigaction(number, &before, nullptr);
  }
}
