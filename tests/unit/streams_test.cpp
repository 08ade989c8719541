// What passes through the stream socket, and who may pass.
#include "io_house.hpp"

#include <sys/stat.h>
#include <thread>

using namespace banger;
using namespace banger::io;
using namespace banger::io::test;

TEST_CASE("the stream socket is for its owner only, and one daemon's only") {
  house h;
  struct stat s {};
  REQUIRE(::stat(h.socket.c_str(), &s) == 0);
  CHECK((s.st_mode & 0777) == 0600);
  const auto second = serve_streams(h.loop, h.socket);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == errc::already_exists);
  CHECK(serve_streams(h.loop, "/tmp/" + std::string(200, 'x')).error().code == errc::bad_request);
  h.server.reset();
  in_reactor(h.loop, [] {});
  CHECK_FALSE(std::filesystem::exists(h.socket));
  CHECK(serve_streams(h.loop, h.socket));
}

TEST_CASE("a socket left by a daemon that was killed is replaced") {
  house h;
  const auto stale = h.folder.path / "stale.sock";
  unique_fd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, stale.c_str(), sizeof address.sun_path - 1);
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  CHECK(serve_streams(h.loop, stale));
}

TEST_CASE("a command runs through a stream: input, output, signal, size, exit status") {
  house h;
  fake_machine m(h.loop);
  m.agent->hello();
  opened s(h, m);
  s.client.send(frame_type::data, 1, "hello", stream_id::in, 0);
  const auto data = m.agent->expect(frame_type::data);
  CHECK(data.payload == "hello");
  CHECK(data.head.session == s.session);
  m.agent->send(frame_type::ack, s.session, {}, stream_id::in, 5);
  CHECK(s.client.expect(frame_type::ack).head.offset == 5);
  s.client.send(frame_type::eof, 1, {}, stream_id::in, 5);
  m.agent->expect(frame_type::eof);
  s.client.send(frame_type::signal, 1, guest::encode(guest::signal_body{2}));
  m.agent->expect(frame_type::signal);
  s.client.send(frame_type::resize, 1, guest::encode(guest::resize_body{24, 80}));
  m.agent->expect(frame_type::resize);
  m.agent->send(frame_type::failed, s.session,
                guest::encode(guest::failed_body{frame_type::resize, 25, "not a terminal"}));
  s.client.expect(frame_type::failed); // not the end
  m.agent->send(frame_type::data, s.session, "out", stream_id::out, 0);
  CHECK(s.client.expect(frame_type::data).payload == "out");
  m.agent->send(frame_type::data, s.session, "err", stream_id::err, 0);
  CHECK(s.client.expect(frame_type::data).head.stream == stream_id::err);
  s.client.send(frame_type::ack, 1, {}, stream_id::out, 3);
  CHECK(m.agent->expect(frame_type::ack).head.offset == 3);
  CHECK(h.stats().open == 1);
  m.agent->send(frame_type::eof, s.session, {}, stream_id::out, 3);
  m.agent->send(frame_type::eof, s.session, {}, stream_id::err, 3);
  m.agent->send(frame_type::exited, s.session, exit_with(42));
  s.client.expect(frame_type::eof);
  s.client.expect(frame_type::eof);
  const auto exited = s.client.expect(frame_type::exited);
  CHECK(guest::decode<guest::exited_body>(exited.payload)->value == 42);
  CHECK_FALSE(s.client.receive()); // closed
  m.agent->expect(frame_type::close);
  CHECK(h.stats().open == 0);
}

TEST_CASE("frames that arrive in single bytes, on both sides, are relayed whole") {
  house h;
  fake_machine m(h.loop);
  m.agent->hello();
  opened s(h, m);
  std::string up, down;
  guest::encode(up, {frame_type::data, stream_id::in, 1, 0, 0}, "to the guest");
  guest::encode(down, {frame_type::data, stream_id::out, s.session, 0, 0}, "to the client");
  for (const char c : up)
    s.client.send_raw({&c, 1});
  CHECK(m.agent->expect(frame_type::data).payload == "to the guest");
  for (const char c : down)
    m.agent->send_raw({&c, 1});
  CHECK(s.client.expect(frame_type::data).payload == "to the client");
}

TEST_CASE("a token opens one stream, once, and not for long") {
  stream_limits limits;
  limits.token_life = 1s;
  house h(limits);
  fake_machine m(h.loop);
  m.agent->hello();
  const auto token = h.server->offer_exec(m.link, command("true")).token;
  CHECK(token.size() == 32);
  CHECK(token != h.server->offer_exec(m.link, command("true")).token);
  auto first = h.connect(token);
  m.agent->expect(frame_type::open);
  CHECK(h.connect(token).expect_end().find("token") != std::string::npos);
  const auto late = h.server->offer_exec(m.link, command("true")).token;
  std::this_thread::sleep_for(1200ms);
  CHECK(h.connect(late).expect_end().find("too old") != std::string::npos);
  CHECK(h.connect(std::string(32, '0')).expect_end().find("unknown") != std::string::npos);
  auto upper = h.server->offer_exec(m.link, command("true")).token;
  for (auto& c : upper)
    c = static_cast<char>(std::toupper(c));
  if (upper.find_first_of("ABCDEF") != std::string::npos)
    CHECK_FALSE(h.connect(upper).expect_end().empty());
  CHECK_FALSE(m.agent->receive(50ms)); // the guest heard of none of these
}

TEST_CASE("a connection that shows no token is closed, and their number is bounded") {
  stream_limits limits;
  limits.token_wait = 600ms;
  limits.connections = 2;
  house h(limits);
  auto a = h.connect("");
  auto b = h.connect("0123");
  auto third = h.connect("");
  CHECK(third.closed(500ms)); // at once
  CHECK(a.closed());
  CHECK(b.closed());
}

TEST_CASE("a client that goes away ends its command in the guest") {
  house h;
  fake_machine m(h.loop);
  m.agent->hello();
  opened s(h, m);
  CHECK(m.events.next<event::in_use>()->now);
  opened other(h, m);
  s.client.fd.reset();
  const auto close = m.agent->expect(frame_type::close);
  CHECK(close.head.session == s.session);
  m.agent->send(frame_type::data, other.session, "still here", stream_id::out, 0);
  CHECK(other.client.expect(frame_type::data).payload == "still here");
  other.client.send(frame_type::close, 1);
  CHECK(m.agent->expect(frame_type::close).head.session == other.session);
  CHECK_FALSE(other.client.receive());
  CHECK_FALSE(m.events.next<event::in_use>()->now); // told once, at the last one's end
}

TEST_CASE("the end of the machine or of its channel ends every stream with the reason") {
  const bool killed = GENERATE(true, false);
  house h;
  fake_machine m(h.loop);
  m.agent->hello();
  opened a(h, m);
  opened b(h, m);
  if (killed)
    m.process.kill();
  else
    m.agent->send_raw(std::string(100, 'x'));
  const auto why = a.client.expect_end();
  CHECK(why.find(killed ? "the machine ended" : "not a frame") != std::string::npos);
  CHECK(b.client.expect_end() == why);
  const auto token = h.server->offer_exec(m.link, command("true")).token;
  CHECK(h.connect(token).expect_end().find("no connection") != std::string::npos);
}

TEST_CASE("a command that cannot be opened is told to the client") {
  house h;
  fake_machine m(h.loop);
  m.agent->hello();
  auto client = h.connect(h.server->offer_exec(m.link, command("true")).token);
  const auto open = m.agent->expect(frame_type::open);
  m.agent->send(frame_type::failed, open.head.session,
                guest::encode(guest::failed_body{frame_type::open, 11, "no processes left"}));
  CHECK(client.expect_end() == "no processes left");
  auto large = command(std::string(guest::max_open, 'x'));
  CHECK(h.connect(h.server->offer_exec(m.link, large).token).expect_end().find("too long") !=
        std::string::npos);
}

TEST_CASE("a client that breaks the protocol loses its stream, and nobody else does") {
  house h;
  fake_machine m(h.loop);
  m.agent->hello();
  opened good(h, m);
  const std::string full(guest::max_payload, 'x');
  const auto frames = [](std::vector<std::pair<header, std::string>> list) {
    std::string bytes;
    for (const auto& [head, payload] : list)
      guest::encode(bytes, head, payload);
    return bytes;
  };
  std::string flood;
  for (std::size_t i = 0; i < 9; ++i) // 9 * 64 KiB > window
    guest::encode(flood, {frame_type::data, stream_id::in, 1, 0, i * full.size()}, full);
  for (const auto& bytes : {
           std::string(30, 'x'),
           flood,
           frames({{{frame_type::data, stream_id::in, 2, 0, 0}, "session"}}),
           frames({{{frame_type::data, stream_id::out, 1, 0, 0}, "stream"}}),
           frames({{{frame_type::data, stream_id::in, 1, 0, 9}, "gap"}}),
           frames({{{frame_type::eof, stream_id::in, 1, 0, 0}, ""},
                   {{frame_type::data, stream_id::in, 1, 0, 0}, "after eof"}}),
           frames({{{frame_type::ack, stream_id::out, 1, 0, 1}, ""}}),
           frames({{{frame_type::open, stream_id::in, 1, 0, 0}, ""}}),
           frames({{{frame_type::exited, stream_id::in, 1, 0, 0}, exit_with(0)}}),
           frames({{{frame_type::signal, stream_id::in, 1, 0, 0}, "x"}}),
           frames({{{frame_type::urgent, stream_id::in, 1, 0, 0}, "xy"}}),
       }) {
    opened bad(h, m);
    ::send(bad.client.fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    // A guest that does not read keeps the daemon from reading what is wrong.
    while (m.agent->receive()->head.type != frame_type::close) {
    }
    CHECK(bad.client.expect_end().find("client broke the protocol") != std::string::npos);
  }
  m.agent->send(frame_type::data, good.session, "fine", stream_id::out, 0);
  CHECK(good.client.expect(frame_type::data).payload == "fine");
}

TEST_CASE("a guest that exceeds the window loses that stream, and no other") {
  house h;
  fake_machine m(h.loop);
  m.agent->hello();
  opened bad(h, m);
  opened good(h, m);
  const std::string full(guest::max_payload, 'x');
  for (std::size_t i = 0; i < 9; ++i)
    m.agent->send(frame_type::data, bad.session, full, stream_id::out, i * full.size());
  CHECK(m.agent->expect(frame_type::close).head.session == bad.session);
  std::optional<frame> last;
  while (auto f = bad.client.receive())
    last = f;
  REQUIRE(last);
  CHECK(guest::decode<guest::failed_body>(last->payload)->text.find("window") != std::string::npos);
  m.agent->send(frame_type::data, good.session, "fine", stream_id::out, 0);
  CHECK(good.client.expect(frame_type::data).payload == "fine");
  m.agent->send(frame_type::data, good.session, "gap", stream_id::out, 100);
  CHECK(good.client.expect_end().find("gap") != std::string::npos);
}

TEST_CASE("a reader that stalls costs at most its windows while another stream flows") {
  house h;
  fake_machine m(h.loop);
  m.agent->hello();
  opened stalled(h, m);
  opened flowing(h, m);
  // All that the windows allow; first one byte each, stdout and stderr in turn: the worst case.
  std::string bytes;
  for (std::uint64_t at = 0; at < guest::window;) {
    const auto size = std::min<std::uint64_t>(at < 50'000 ? 1 : 10'000, guest::window - at);
    const auto length = static_cast<std::size_t>(size);
    guest::encode(bytes, {frame_type::data, stream_id::out, stalled.session, 0, at},
                  std::string(length, 'o'));
    guest::encode(bytes, {frame_type::data, stream_id::err, stalled.session, 0, at},
                  std::string(length, 'e'));
    at += size;
  }
  m.agent->send_raw(bytes);
  std::uint64_t flowed = 0;
  const std::string piece(30000, 'y');
  for (int i = 0; i < 300; ++i) {
    m.agent->send(frame_type::data, flowing.session, piece, stream_id::out, flowed);
    flowed += flowing.client.expect(frame_type::data).payload.size();
    flowing.client.send(frame_type::ack, 1, {}, stream_id::out, flowed);
    CHECK(m.agent->expect(frame_type::ack).head.offset == flowed);
  }
  CHECK(flowed == 300 * piece.size());
  const auto buffered = h.stats().buffered_bytes;
  CHECK(buffered > guest::window); // it was really stalled
  CHECK(buffered <= 2 * guest::window + 16 * 1024);
  m.agent->send(frame_type::eof, stalled.session, {}, stream_id::out, guest::window);
  m.agent->send(frame_type::eof, stalled.session, {}, stream_id::err, guest::window);
  m.agent->send(frame_type::exited, stalled.session, exit_with(0));
  std::array<std::uint64_t, 3> at{};
  for (;;) { // wakes up, and finds every byte in its place
    const auto f = stalled.client.receive();
    REQUIRE(f);
    if (f->head.type == frame_type::exited)
      break;
    auto& next = at[static_cast<std::size_t>(f->head.stream)];
    REQUIRE(f->head.offset == next);
    next += f->payload.size();
    const char byte = f->head.stream == stream_id::out ? 'o' : 'e';
    REQUIRE(f->payload.find_first_not_of(byte) == std::string::npos);
  }
  CHECK(at[1] == guest::window);
  CHECK(at[2] == guest::window);
}

TEST_CASE("an ack for bytes that still wait in the daemon does not open the window") {
  house h;
  fake_machine m(h.loop);
  m.agent->hello();
  opened s(h, m);
  const std::string full(guest::max_payload, 'x');
  for (std::size_t i = 0; i < 8; ++i)
    m.agent->send(frame_type::data, s.session, full, stream_id::out, i * full.size());
  m.agent->send(frame_type::stopping, 0);
  REQUIRE(m.events.next<event::stopping>());
  s.client.send(frame_type::ack, 1, {}, stream_id::out, guest::window);
  CHECK(m.agent->expect(frame_type::close).head.session == s.session);
}

TEST_CASE("a guest that does not read its input stops the client, not the daemon's memory") {
  house h;
  fake_machine m(h.loop);
  m.agent->hello();
  std::deque<opened> all;
  for (int i = 0; i < 8; ++i)
    all.emplace_back(h, m);
  const std::string full(guest::max_payload, 'x');
  for (auto& s : all) { // each within its window; a blocked client is one that the daemon stopped
    std::string bytes;
    for (std::size_t i = 0; i < 8; ++i)
      guest::encode(bytes, {frame_type::data, stream_id::in, 1, 0, i * full.size()}, full);
    std::size_t sent = 0;
    for (int tries = 0; sent < bytes.size() && tries < 20;) {
      const auto n =
          ::send(s.client.fd.get(), bytes.data() + sent, bytes.size() - sent, MSG_DONTWAIT);
      if (n > 0)
        sent += static_cast<std::size_t>(n);
      else
        in_reactor(h.loop, [&] { ++tries; });
    }
  }
  const auto sessions = h.stats();
  CHECK(sessions.open == 8);
  CHECK(sessions.buffered_bytes <= 1024 * 1024);
  CHECK(m.agent->expect(frame_type::data).payload.size() == full.size()); // flows on when it reads
  for (int i = 0; i < 7; ++i)
    m.agent->expect(frame_type::data);
}

TEST_CASE("an urgent key goes to a guest that knows it, and to no other", "[faults]") {
  house h;
  fake_machine m(h.loop);
  const bool knows = GENERATE(true, false);
  m.agent->protocol = knows ? guest::urgent_since : guest::urgent_since - 1;
  m.agent->hello();
  REQUIRE(m.events.next<event::hello>());
  if (knows)
    m.agent->expect(frame_type::ask_clock);
  opened one(h, m);
  one.client.send(frame_type::urgent, 1, "\x03");
  one.client.send(frame_type::data, 1, "x");
  if (knows)
    CHECK(m.agent->expect(frame_type::urgent).payload == "\x03");
  CHECK(m.agent->expect(frame_type::data).payload == "x");
}

TEST_CASE("commands that no client fetches hold no more than their share of memory") {
  stream_limits limits;
  limits.token_bytes = 1'000'000;
  house h(limits);
  fake_machine m(h.loop);
  m.agent->protocol = guest::protocol_version;
  m.agent->hello();
  REQUIRE(m.events.next<event::hello>());
  m.agent->expect(frame_type::ask_clock);
  const auto large = command(std::string(400'000, 'x'));
  const auto first = h.server->offer_exec(m.link, large).token;
  const auto second = h.server->offer_exec(m.link, large).token;
  const auto third = h.server->offer_exec(m.link, large).token;
  CHECK(h.connect(first).expect_end().find("token") != std::string::npos);
  auto client = h.connect(second);
  CHECK(m.agent->expect(frame_type::part).head.offset == 0);
  // What was fetched makes room: the third is not dropped for the next one.
  h.server->offer_exec(m.link, large);
  auto late = h.connect(third);
  for (int opened = 0; opened < 2;) {
    const auto f = m.agent->receive();
    REQUIRE(f);
    opened += f->head.type == frame_type::open ? 1 : 0;
  }
}
