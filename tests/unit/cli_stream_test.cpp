// The client's end of a stream: what goes through it, and how it ends.
#include "cli/signals.hpp"
#include "tests/unit/cli_scene.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fcntl.h>
#include <functional>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace banger;
using namespace banger::cli;
using namespace banger::cli::test;

TEST_CASE("output, errors and exit status come through, apart") {
  scene s;
  const auto end = s.run([](server_end& peer) {
    peer.opened();
    peer.data(stream_id::out, 0, "out\n");
    peer.data(stream_id::err, 0, "err\n");
    peer.send(frame_type::eof, stream_id::out, 4, "");
    peer.send(frame_type::eof, stream_id::err, 4, "");
    peer.exited(guest::exit_kind::exited, 42);
  });
  REQUIRE(end);
  CHECK(end->how == ending::exited);
  CHECK(end->value == 42);
  CHECK(s.got_out == "out\n");
  CHECK(s.got_err == "err\n");
}

TEST_CASE("a signal, a missing program and one that cannot run are told apart") {
  const auto ended = [](guest::exit_kind kind, std::uint32_t value) {
    scene s;
    const auto end = s.run([&](server_end& peer) { peer.exited(kind, value); });
    REQUIRE(end);
    CHECK(end->value == value);
    return end->how;
  };
  CHECK(ended(guest::exit_kind::signalled, 9) == ending::signalled);
  CHECK(ended(guest::exit_kind::not_found, 2) == ending::not_found);
  CHECK(ended(guest::exit_kind::not_runnable, 13) == ending::not_runnable);
}

TEST_CASE("the guest's words come with the end of a command that could not be executed") {
  scene s;
  const auto end = s.run([](server_end& peer) {
    peer.opened();
    peer.send(frame_type::failed, stream_id::in, 0,
              guest::encode(guest::failed_body{frame_type::exited, 2, "its interpreter"}));
    peer.exited(guest::exit_kind::not_runnable, 2);
  });
  REQUIRE(end);
  CHECK(end->how == ending::not_runnable);
  CHECK(end->why == "its interpreter");
}

TEST_CASE("100 MB go through input and output unharmed, within the window both ways") {
  constexpr std::size_t size = 100'000'000;
  const auto bytes = pattern(size);
  scene s;
  std::thread feed([&] {
    std::string_view rest(bytes);
    while (!rest.empty()) {
      const auto n = ::write(s.in.write.get(), rest.data(), rest.size());
      if (n <= 0)
        return;
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
    s.in.write.reset();
  });
  bool in_order = true;
  std::uint64_t eof_at = 0, outstanding = 0;
  const auto end = s.run([&](server_end& peer) {
    peer.opened();
    std::uint64_t taken = 0, sent = 0, acked = 0;
    bool eof = false;
    std::string held;
    while (!eof || !held.empty()) {
      const auto f = peer.next();
      if (!f)
        return;
      if (f->head.type == frame_type::ack && f->head.stream == stream_id::out)
        acked = f->head.offset;
      if (f->head.type == frame_type::eof) {
        eof = true;
        eof_at = f->head.offset;
      }
      if (f->head.type == frame_type::data) {
        in_order = in_order && f->head.offset == taken;
        taken += f->payload.size();
        held += f->payload;
      }
      outstanding = std::max<std::uint64_t>(outstanding, held.size());
      // What was echoed counts as consumed.
      while (!held.empty() && sent - acked < guest::window) {
        const auto n = std::min<std::uint64_t>(
            {held.size(), guest::max_payload, guest::window - (sent - acked)});
        peer.data(stream_id::out, sent, std::string_view(held).substr(0, n));
        sent += n;
        held.erase(0, n);
        peer.send(frame_type::ack, stream_id::in, sent, "");
      }
    }
    peer.exited(guest::exit_kind::exited, 0);
  });
  feed.join();
  REQUIRE(end);
  CHECK(in_order);
  CHECK(eof_at == size);
  CHECK(outstanding <= guest::window);
  CHECK(s.got_out.size() == size);
  CHECK((s.got_out == bytes));
}

TEST_CASE("a reader that stalls stops the acknowledgements, and loses nothing") {
  constexpr std::size_t size = 4 << 20;
  const auto bytes = pattern(size);
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
  pipe_ends out, err;
  std::atomic<std::uint64_t> acked_in_stall{0};
  std::atomic<bool> reading{false};
  std::string got;
  std::thread reader;
  std::thread server([&] {
    server_end peer{unique_fd(fds[1])};
    peer.opened();
    std::uint64_t sent = 0, acked = 0;
    while (sent < size) {
      while (sent < size && sent - acked < guest::window) {
        peer.data(stream_id::out, sent, std::string_view(bytes).substr(sent, guest::max_payload));
        sent += std::min<std::size_t>(guest::max_payload, size - sent);
      }
      if (sent == size)
        break; // the rest may be too little for an acknowledgement
      // The window is full; whatever still comes is for bytes that are in the pipe.
      pollfd more{fds[1], POLLIN, 0};
      if (!reading && ::poll(&more, 1, 200) == 0) {
        acked_in_stall = acked;
        reading = true;
        reader = std::thread([&got, fd = out.read.get()] { scene::collect(fd, got); });
      }
      const auto f = peer.next(frame_type::ack);
      if (!f)
        return;
      acked = f->head.offset;
    }
    peer.exited(guest::exit_kind::exited, 0);
  });
  const auto end = run_exec_stream(unique_fd(fds[0]), {-1, out.write.get(), err.write.get(), -1});
  server.join();
  out.write.reset();
  reader.join();
  REQUIRE(end);
  CHECK(acked_in_stall <= guest::window / 2);
  CHECK((got == bytes));
}

TEST_CASE("input that is never read does not keep us from ending") {
  scene s;
  const auto end = s.run([](server_end& peer) {
    peer.opened();
    peer.exited(guest::exit_kind::exited, 3);
  });
  REQUIRE(end);
  CHECK(end->value == 3);
}

TEST_CASE("input stops at the window when nobody consumes it") {
  scene s;
  std::atomic<bool> stop{false};
  std::thread feed([&] {
    const std::string block(65536, 'x');
    ::fcntl(s.in.write.get(), F_SETFL, O_NONBLOCK);
    while (!stop) {
      pollfd room{s.in.write.get(), POLLOUT, 0};
      if (::poll(&room, 1, 20) > 0 && ::write(s.in.write.get(), block.data(), block.size()) < 0)
        continue;
    }
  });
  std::uint64_t taken = 0;
  const auto end = s.run([&](server_end& peer) {
    peer.opened();
    while (taken < guest::window) {
      const auto f = peer.next(frame_type::data);
      if (!f)
        return;
      taken += f->payload.size();
    }
    peer.exited(guest::exit_kind::exited, 0);
    while (const auto f = peer.next())
      taken += f->payload.size();
  });
  stop = true;
  feed.join();
  REQUIRE(end);
  CHECK(taken == guest::window);
}

TEST_CASE("input that was closed is not read, input that ends is told with its length") {
  scene closed;
  closed.no_stdin = true;
  CHECK(closed.run([](server_end& peer) { peer.exited(guest::exit_kind::exited, 0); }));

  scene ended;
  REQUIRE(::write(ended.in.write.get(), "abc", 3) == 3);
  ended.in.write.reset();
  std::uint64_t at = 0;
  CHECK(ended.run([&](server_end& peer) {
    peer.opened();
    if (const auto f = peer.next(frame_type::eof))
      at = f->head.offset;
    peer.exited(guest::exit_kind::exited, 0);
  }));
  CHECK(at == 3);
}

TEST_CASE("a signal goes to the command, the third within a second gives up") {
  scene s;
  const signal_source source;
  s.signals = source.fd();
  s.in.write.reset();
  std::vector<std::uint32_t> heard;
  const auto end = s.run([&](server_end& peer) {
    peer.opened();
    CHECK(peer.next(frame_type::eof));
    for (const int number : {SIGTERM, SIGINT}) {
      ::kill(::getpid(), number);
      const auto f = peer.next(frame_type::signal);
      const auto body = f ? guest::decode<guest::signal_body>(f->payload) : std::nullopt;
      heard.push_back(body ? body->number : 0);
    }
    ::kill(::getpid(), SIGINT);
    while (peer.next()) {
    }
  });
  REQUIRE(end);
  CHECK(heard == std::vector<std::uint32_t>{SIGTERM, SIGINT});
  CHECK(end->how == ending::gave_up);
  CHECK(end->value == SIGINT);
}

TEST_CASE("signals that are more than a second apart are not impatience") {
  impatience patience;
  const auto t = impatience::clock::now();
  using namespace std::chrono_literals;
  CHECK_FALSE(patience.add(t));
  CHECK_FALSE(patience.add(t + 900ms));
  CHECK_FALSE(patience.add(t + 1800ms));
  CHECK(patience.add(t + 1850ms));
}

TEST_CASE("output that nobody reads any more ends the stream") {
  scene s;
  std::signal(SIGPIPE, SIG_IGN);
  s.out.read.reset();
  const auto end = s.run([](server_end& peer) {
    peer.opened();
    peer.data(stream_id::out, 0, "lost");
    while (peer.next()) {
    }
  });
  REQUIRE(end);
  CHECK(end->how == ending::output_closed);
}

TEST_CASE("errors that nobody reads are swallowed, and the command goes on") {
  scene s;
  std::signal(SIGPIPE, SIG_IGN);
  s.err.read.reset();
  bool swallowed = false;
  const auto end = s.run([&](server_end& peer) {
    peer.opened();
    std::uint64_t sent = 0;
    for (; sent < guest::window / 2; sent += 4096)
      peer.data(stream_id::err, sent, std::string(4096, 'x'));
    swallowed = peer.next(frame_type::ack).has_value();
    peer.data(stream_id::out, 0, "kept");
    peer.exited(guest::exit_kind::exited, 0);
  });
  REQUIRE(end);
  CHECK(end->how == ending::exited);
  CHECK(swallowed);
  CHECK(s.got_out == "kept");
}

TEST_CASE("output that cannot be written is our failure, with its reason") {
  scene s;
  s.out.write.reset(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  s.out.read.reset();
  const auto end = s.run([](server_end& peer) {
    peer.opened();
    peer.data(stream_id::out, 0, "x");
    while (peer.next()) {
    }
  });
  REQUIRE_FALSE(end);
  CHECK_THAT(describe(end.error()), Catch::Contains("No space left"));
}

TEST_CASE("a refusal of the guest is told in its words") {
  scene s;
  const auto end = s.run([](server_end& peer) {
    peer.send(frame_type::failed, stream_id::in, 0,
              guest::encode(guest::failed_body{frame_type::open, 12, "no memory for the command"}));
  });
  REQUIRE_FALSE(end);
  CHECK(end.error().code == errc::operation_failed);
  CHECK(end.error().why == "no memory for the command");
}

TEST_CASE("a connection that ends before the command is a loss, not a success") {
  scene s;
  const auto end = s.run([](server_end& peer) {
    peer.opened();
    peer.data(stream_id::out, 0, "half");
    peer.hang_up();
  });
  REQUIRE_FALSE(end);
  CHECK(end.error().code == errc::disconnected);
  CHECK(s.got_out == "half");
}

TEST_CASE("what is no frame, or a frame out of order, is refused") {
  const auto refused = [](std::function<void(server_end&)> play) {
    scene s;
    const auto end = s.run([&](server_end& peer) {
      play(peer);
      while (peer.next()) {
      }
    });
    REQUIRE_FALSE(end);
    return end.error().code;
  };
  CHECK(refused([](server_end& p) { p.raw(std::string(100, 'x')); }) == errc::bad_version);
  CHECK(refused([](server_end& p) { p.data(stream_id::out, 5, "gap"); }) == errc::bad_version);
  CHECK(refused([](server_end& p) { p.data(stream_id::in, 0, "in"); }) == errc::bad_version);
  CHECK(refused([](server_end& p) { p.send(frame_type::ack, stream_id::in, 9, ""); }) ==
        errc::bad_version);
  CHECK(refused([](server_end& p) { p.send(frame_type::grow, stream_id::in, 0, ""); }) ==
        errc::bad_version);
}

TEST_CASE("a log ends with its eof, and is cut off by nothing else") {
  scene whole;
  const auto end = whole.run(
      [](server_end& peer) {
        peer.data(stream_id::out, 0, "line 1\n");
        peer.data(stream_id::out, 7, "line 2\n");
        peer.send(frame_type::eof, stream_id::out, 14, "");
      },
      true);
  REQUIRE(end);
  CHECK(end->how == ending::log_end);
  CHECK(whole.got_out == "line 1\nline 2\n");

  scene cut;
  CHECK_FALSE(cut.run([](server_end& peer) { peer.data(stream_id::out, 0, "line 1\n"); }, true));
}
