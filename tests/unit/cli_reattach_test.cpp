// A stream whose daemon went away goes on with the next one: no byte is lost, none comes twice.
#include "tests/unit/cli_scene.hpp"

using namespace banger;
using namespace banger::cli;
using namespace banger::cli::test;

namespace {

// A command whose connections are played one after the other.
struct chain {
  std::vector<std::function<void(server_end&)>> acts;
  std::vector<stream_position> asked; ///< by the client, for each new connection
  pipe_ends in, out, err;
  std::string got_out, got_err;

  expected<outcome> run() {
    std::vector<std::thread> servers;
    std::size_t next = 0;
    const auto connect = [&] {
      int fds[2];
      REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
      servers.emplace_back([act = acts[next++], end = fds[1]] {
        server_end peer{unique_fd(end)};
        act(peer);
      });
      return unique_fd(fds[0]);
    };
    const auto again = [&](const stream_position& at) -> expected<unique_fd> {
      asked.push_back(at);
      if (next == acts.size())
        return fail(errc::not_found, "the command is gone");
      return connect();
    };
    std::thread read_out([&] { scene::collect(out.read.get(), got_out); });
    std::thread read_err([&] { scene::collect(err.read.get(), got_err); });
    auto first = connect();
    auto end = run_exec_stream(std::move(first),
                               {in.read.get(), out.write.get(), err.write.get(), -1}, again);
    out.write.reset();
    err.write.reset();
    for (auto* t : {&read_out, &read_err})
      t->join();
    for (auto& t : servers)
      t.join();
    return end;
  }
};

void ack_input(server_end& peer, std::uint64_t at) {
  peer.send(frame_type::ack, stream_id::in, at, {});
}

// What comes on stdin until its eof, from `at` on.
std::string take_input(server_end& peer, std::uint64_t at) {
  std::string all;
  while (auto f = peer.next()) {
    if (f->head.type != frame_type::data && f->head.type != frame_type::eof)
      continue;
    CHECK(f->head.offset == at + all.size());
    if (f->head.type == frame_type::eof)
      return all;
    all += f->payload;
    ack_input(peer, at + all.size());
  }
  return all;
}

} // namespace

TEST_CASE("a lost connection is replaced, and output goes on where it was") {
  chain c;
  c.in.write.reset();
  c.acts = {[](server_end& peer) {
              peer.opened();
              peer.data(stream_id::out, 0, "one ");
              peer.data(stream_id::err, 0, "warning");
              peer.raw("half a frame");
              peer.hang_up();
            },
            [](server_end& peer) {
              peer.opened();
              ack_input(peer, 0);
              peer.data(stream_id::out, 4, "two");
              peer.exited(guest::exit_kind::exited, 7);
            }};
  const auto end = c.run();
  REQUIRE(end);
  CHECK(end->value == 7);
  CHECK(c.got_out == "one two");
  CHECK(c.got_err == "warning");
  REQUIRE(c.asked.size() == 1);
  CHECK(c.asked[0].out == 4);
  CHECK(c.asked[0].err == 7);
}

TEST_CASE("input that the guest had not consumed is sent again, its end included") {
  chain c;
  const auto all = pattern(200'000);
  std::thread writer([&] {
    std::size_t at = 0;
    while (at < all.size())
      if (const auto n = ::write(c.in.write.get(), all.data() + at, all.size() - at); n > 0)
        at += static_cast<std::size_t>(n);
    c.in.write.reset();
  });
  std::string rest;
  const std::uint64_t consumed = 70'000;
  c.acts = {[&](server_end& peer) {
              peer.opened();
              while (auto f = peer.next())
                if (f->head.type == frame_type::eof)
                  break;
              ack_input(peer, 10'000);
              peer.hang_up();
            },
            [&](server_end& peer) {
              peer.opened();
              ack_input(peer, consumed);
              rest = take_input(peer, consumed);
              peer.exited(guest::exit_kind::exited, 0);
            }};
  const auto end = c.run();
  writer.join();
  REQUIRE(end);
  CHECK(rest == all.substr(consumed));
}

TEST_CASE("after a lost connection no input is sent before the guest has said where it stands") {
  chain c;
  std::optional<guest::frame> early;
  bool silent = false;
  c.acts = {[](server_end& peer) {
              peer.opened();
              peer.hang_up();
            },
            [&](server_end& peer) {
              peer.opened();
              REQUIRE(::write(c.in.write.get(), "hello", 5) == 5);
              silent = peer.silent(100);
              ack_input(peer, 0);
              early = peer.next(frame_type::data);
              peer.exited(guest::exit_kind::exited, 0);
            }};
  REQUIRE(c.run());
  CHECK(silent);
  REQUIRE(early);
  CHECK(early->payload == "hello");
  CHECK(early->head.offset == 0);
}

TEST_CASE("a command that is gone when we come back is an error with that reason") {
  chain c;
  c.acts = {[](server_end& peer) {
    peer.opened();
    peer.hang_up();
  }};
  const auto end = c.run();
  REQUIRE_FALSE(end);
  CHECK(end.error().what == "the command is gone");
}

TEST_CASE("a daemon that dies of every stream is not asked for ever") {
  chain c;
  c.acts.assign(20, [](server_end& peer) { peer.hang_up(); });
  const auto end = c.run();
  REQUIRE_FALSE(end);
  CHECK(end.error().code == errc::disconnected);
  CHECK(c.asked.size() <= 4);
}

TEST_CASE("an acknowledgement of more than was sent is refused, also by the next daemon") {
  chain c;
  c.acts = {[](server_end& peer) {
              peer.opened();
              peer.hang_up();
            },
            [](server_end& peer) {
              peer.opened();
              ack_input(peer, 1);
            }};
  const auto end = c.run();
  REQUIRE_FALSE(end);
  CHECK(end.error().code == errc::bad_version);
}
