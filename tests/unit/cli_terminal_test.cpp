// A stream whose command has a terminal: who gets the keys, and how the local terminal is left.
#include "cli/exit_codes.hpp"
#include "cli/raw_mode.hpp"
#include "cli/terminal_session.hpp"
#include "tests/unit/cli_scene.hpp"

#include <array>
#include <csignal>
#include <cstdlib>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

using namespace banger;
using namespace banger::cli;
using namespace banger::cli::test;

namespace {

// A terminal that nobody controls, and its user's side.
struct desk {
  desk() : user(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    REQUIRE(::unlockpt(user.get()) == 0);
    program.reset(::ioctl(user.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    REQUIRE(program);
  }
  bool raw() const {
    termios now{};
    ::tcgetattr(program.get(), &now);
    return (now.c_lflag & (ICANON | ECHO | ISIG)) == 0;
  }
  void type(std::string_view keys) const {
    CHECK(::write(user.get(), keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
  }
  void resize(std::uint16_t rows, std::uint16_t cols) const {
    winsize size{};
    size.ws_row = rows;
    size.ws_col = cols;
    ::ioctl(user.get(), TIOCSWINSZ, &size);
  }
  unique_fd user, program;
};

// The client at a desk, against `play`. What would come from a signalfd comes from a pipe.
struct sitting {
  desk at;
  pipe_ends signals, out;
  std::optional<int> output; ///< `out` otherwise
  terminal_session here{at.program.get(), default_escape};

  void signal(int number) const {
    signalfd_siginfo info{};
    info.ssi_signo = static_cast<std::uint32_t>(number);
    CHECK(::write(signals.write.get(), &info, sizeof info) == sizeof info);
  }
  expected<outcome> run(const std::function<void(server_end&)>& play) {
    ::fcntl(signals.read.get(), F_SETFL, O_NONBLOCK);
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    std::thread server([&, end = fds[1]] {
      server_end peer{unique_fd(end)};
      play(peer);
    });
    stream_ends ends{at.program.get(), output.value_or(out.write.get()), out.write.get(),
                     signals.read.get()};
    ends.terminal = &here;
    auto end = run_exec_stream(unique_fd(fds[0]), ends);
    server.join();
    return end;
  }
};

std::optional<guest::resize_body> next_size(server_end& peer) {
  const auto frame = peer.next(frame_type::resize);
  return frame ? guest::decode<guest::resize_body>(frame->payload) : std::nullopt;
}

std::uint32_t next_signal(server_end& peer) {
  const auto frame = peer.next(frame_type::signal);
  const auto body = frame ? guest::decode<guest::signal_body>(frame->payload) : std::nullopt;
  return body ? body->number : 0;
}

} // namespace

TEST_CASE("the terminal is the command's from its start to its end, and has a size all the time") {
  sitting s;
  bool raw_before = true, raw_meanwhile = false;
  std::array<guest::resize_body, 2> sizes;
  std::string keys;
  const auto end = s.run([&](server_end& peer) {
    raw_before = s.at.raw();
    peer.opened();
    sizes[0] = next_size(peer).value();
    raw_meanwhile = s.at.raw();
    s.at.type("a\x03\x1a\x1c");
    while (keys.size() < 4)
      keys += peer.next(frame_type::data)->payload;
    s.at.resize(50, 120);
    s.signal(SIGWINCH);
    sizes[1] = next_size(peer).value();
    peer.exited(guest::exit_kind::exited, 3);
  });
  REQUIRE(end);
  CHECK(end->value == 3);
  CHECK_FALSE(raw_before);
  CHECK(raw_meanwhile);
  CHECK(sizes[0].rows == 24); // the window had none
  CHECK(sizes[0].cols == 80);
  CHECK(sizes[1].rows == 50);
  CHECK(sizes[1].cols == 120);
  CHECK(keys == "a\x03\x1a\x1c");
  s.here.raw.leave();
  CHECK_FALSE(s.at.raw());
}

TEST_CASE("who leaves by an escape hangs the command up, and does not wait for ever") {
  for (const bool obeys : {true, false}) {
    sitting s;
    std::uint32_t number = 0;
    bool raw = true;
    const auto end = s.run([&](server_end& peer) {
      peer.opened();
      next_size(peer);
      s.at.type("~.");
      number = next_signal(peer);
      raw = s.at.raw();
      // What it still says is nobody's.
      peer.data(stream_id::out, 0, "last words");
      if (obeys)
        peer.exited(guest::exit_kind::signalled, SIGHUP);
      while (peer.next()) {
      }
    });
    REQUIRE(end);
    CHECK(number == SIGHUP);
    CHECK_FALSE(raw);
    CHECK(end->how == ending::left);
    CHECK(exit_code(*end) == 129);
    s.out.write.reset();
    std::string shown;
    scene::collect(s.out.read.get(), shown);
    CHECK(shown.empty());
  }
}

TEST_CASE("a signal from outside ends a terminal session, and is not the command's") {
  sitting s;
  std::uint32_t number = 0;
  const auto end = s.run([&](server_end& peer) {
    peer.opened();
    next_size(peer);
    s.signal(SIGTERM);
    number = next_signal(peer);
    peer.exited(guest::exit_kind::exited, 0);
    while (peer.next()) {
    }
  });
  REQUIRE(end);
  CHECK(number == SIGHUP);
  CHECK(exit_code(*end) == 128 + SIGTERM);
}

TEST_CASE("before the command has the terminal, Ctrl-C is for us") {
  sitting s;
  const auto end = s.run([&](server_end& peer) {
    s.signal(SIGINT);
    while (peer.next()) {
    }
  });
  REQUIRE(end);
  CHECK(exit_code(*end) == 130);
  CHECK_FALSE(s.at.raw());
}

TEST_CASE("a window that is closed is a line that is cut") {
  sitting s;
  const auto end = s.run([&](server_end& peer) {
    peer.opened();
    next_size(peer);
    s.at.user.reset();
    CHECK(next_signal(peer) == SIGHUP);
    peer.exited(guest::exit_kind::signalled, SIGHUP);
  });
  REQUIRE(end);
  CHECK(end->how == ending::gave_up);
  CHECK(exit_code(*end) == 129);
}

TEST_CASE("a window that is closed before the output came is a line that is cut") {
  sitting s;
  desk closed;
  s.output = closed.program.get();
  const auto end = s.run([&](server_end& peer) {
    peer.opened();
    next_size(peer);
    closed.user.reset();
    peer.data(stream_id::out, 0, "more");
    CHECK(next_signal(peer) == SIGHUP);
    peer.exited(guest::exit_kind::signalled, SIGHUP);
  });
  INFO((end ? "" : describe(end.error())));
  REQUIRE(end);
  CHECK(exit_code(*end) == 129);
}

TEST_CASE("a size or a signal that comes too late is not the end of the command") {
  sitting s;
  const auto end = s.run([&](server_end& peer) {
    peer.opened();
    for (const auto request : {frame_type::resize, frame_type::signal})
      peer.send(frame_type::failed, stream_id::in, 0,
                guest::encode(guest::failed_body{request, 25, "not a terminal"}));
    peer.exited(guest::exit_kind::exited, 6);
  });
  REQUIRE(end);
  CHECK(end->value == 6);
}

TEST_CASE("a command that was cut off is told in the words of the daemon, and no more") {
  sitting s;
  const auto end = s.run([&](server_end& peer) {
    peer.opened();
    peer.send(frame_type::failed, stream_id::in, 0,
              guest::encode(guest::failed_body{frame_type::open, 0, "the command was cut off"}));
  });
  REQUIRE_FALSE(end);
  CHECK(describe(end.error()) == "the command was cut off");
}

TEST_CASE("the terminal comes back when its holder goes, and when a signal kills the process") {
  const desk at;
  {
    raw_mode mode(at.program.get());
    CHECK_FALSE(at.raw());
    REQUIRE(mode.enter());
    CHECK(at.raw());
    mode.leave();
    CHECK_FALSE(at.raw());
    REQUIRE(mode.enter());
  }
  CHECK_FALSE(at.raw());
  const auto child = ::fork();
  if (child == 0) {
    raw_mode mode(at.program.get());
    if (!mode.enter() || !at.raw())
      ::_exit(1);
    std::abort();
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGABRT);
  CHECK_FALSE(at.raw());
}

TEST_CASE("what is no terminal cannot be raw, and has the usual size") {
  const pipe_ends pipe;
  raw_mode mode(pipe.read.get());
  CHECK_FALSE(mode.enter());
  CHECK(window_of(pipe.read.get()).rows == 24);
  const desk at;
  at.resize(0, 132);
  CHECK(window_of(at.program.get()).rows == 24);
  CHECK(window_of(at.program.get()).cols == 132);
}

TEST_CASE("keys are looked at while the guest takes none, and nothing that was typed is lost") {
  sitting s;
  const std::string line = std::string(63, 'p') + "\n";
  std::string typed, got;
  while (typed.size() < 700'000)
    typed += line;
  std::optional<guest::header> urgent;
  const auto end = s.run([&](server_end& peer) {
    peer.opened();
    next_size(peer);
    std::thread user([&] {
      for (std::size_t at = 0; at < typed.size();)
        if (const auto n = ::write(s.at.user.get(), typed.data() + at, typed.size() - at); n > 0)
          at += static_cast<std::size_t>(n);
      s.at.type("\x03");
    });
    user.join();
    // The window is full, and the key comes all the same.
    for (;;) {
      const auto frame = peer.next();
      if (!frame)
        return;
      if (frame->head.type == frame_type::data)
        got += frame->payload;
      if (frame->head.type == frame_type::urgent) {
        CHECK(frame->payload == "\x03");
        urgent = frame->head;
        break;
      }
    }
    CHECK(got.size() <= guest::window);
    while (got.size() <= typed.size()) {
      peer.ack(got.size());
      const auto frame = peer.next(frame_type::data);
      if (!frame)
        return;
      got += frame->payload;
    }
    s.at.type("\r~.");
    peer.next(frame_type::signal);
    peer.exited(guest::exit_kind::signalled, SIGHUP);
  });
  REQUIRE(end);
  CHECK(end->how == ending::left);
  REQUIRE(urgent);
  CHECK(urgent->offset == typed.size());
  CHECK(got == typed + "\x03");
}
