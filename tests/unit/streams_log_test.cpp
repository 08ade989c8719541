// Logs through the stream socket.
#include "actors/io/console_log.hpp"
#include "io_house.hpp"

#include <thread>

using namespace banger;
using namespace banger::io;
using namespace banger::io::test;

TEST_CASE("a log is sent whole, the older file first, and ends like a command") {
  house h;
  const auto file = h.folder.path / "console.log";
  auto log = console_log::open(file, 300'000);
  std::string all;
  for (int i = 0; all.size() < 550'000; ++i) {
    const auto line = "line " + std::to_string(i) + "\n";
    log->append(line);
    all += line;
  }
  auto client = h.connect(h.server->offer_log(file, false));
  std::string seen;
  std::uint64_t unacknowledged = 0;
  bool ended = false;
  while (auto f = client.receive(200ms)) {
    ended = f->head.type == frame_type::exited;
    if (f->head.type != frame_type::data)
      continue;
    CHECK(f->head.offset == seen.size());
    seen += f->payload;
    unacknowledged += f->payload.size();
    CHECK(unacknowledged <= guest::window);
    if (unacknowledged < guest::window)
      continue;
    unacknowledged = 0;
    client.send(frame_type::ack, 1, {}, stream_id::out, seen.size());
  }
  CHECK(ended);
  CHECK(seen == all);
  auto none = h.connect(h.server->offer_log(h.folder.path / "none.log", false));
  none.expect(frame_type::eof);
  none.expect(frame_type::eof);
  none.expect(frame_type::exited);
}

TEST_CASE("a followed log goes on across rotations until it is removed") {
  house h;
  const auto folder = h.folder.path / "vm";
  std::filesystem::create_directory(folder);
  const auto file = folder / "console.log";
  auto client = h.connect(h.server->offer_log(file, true)); // before there is a file
  in_reactor(h.loop, [] {});
  auto log = console_log::open(file, 1000);
  std::string all, seen;
  const auto catch_up = [&] {
    while (seen.size() < all.size()) {
      const auto f = client.expect(frame_type::data);
      REQUIRE(f.head.offset == seen.size());
      seen += f.payload;
      client.send(frame_type::ack, 1, {}, stream_id::out, seen.size());
    }
  };
  for (int i = 0; i < 300; ++i) {
    const auto line = "line " + std::to_string(i) + "\n";
    log->append(line);
    all += line;
    if (i % 20 == 0)
      catch_up();
  }
  catch_up();
  CHECK(seen == all);
  CHECK(h.stats().open == 1);
  std::filesystem::remove_all(folder);
  client.expect(frame_type::eof);
  client.expect(frame_type::eof);
  client.expect(frame_type::exited);
  auto lost = h.connect(h.server->offer_log(file, true));
  CHECK(lost.expect_end().find("cannot follow") != std::string::npos);
}

TEST_CASE("a client that follows a log and leaves is forgotten") {
  house h;
  const auto file = h.folder.path / "console.log";
  console_log::open(file)->append("one\n");
  auto client = h.connect(h.server->offer_log(file, true));
  CHECK(client.expect(frame_type::data).payload == "one\n");
  client.fd.reset();
  in_reactor(h.loop, [] {});
  in_reactor(h.loop, [] {});
  CHECK(h.stats().open == 0);
}

TEST_CASE("a console begins with its last lines, goes on, and ends when its process has ended") {
  house h;
  const auto file = h.folder.path / "console.log";
  auto log = console_log::open(file);
  for (int i = 0; i < 1000; ++i)
    log->append("line " + std::to_string(i) + "\n");
  sleeper process;
  auto client = h.connect(h.server->offer_console(file, process.pidfd()));
  const auto first = client.expect(frame_type::data).payload;
  CHECK(first.size() <= 4096);
  CHECK(first.size() > 4000);
  CHECK(first.rfind("line ", 0) == 0);
  CHECK(first.substr(first.size() - 9) == "line 999\n");
  log->append("and more\n");
  CHECK(client.expect(frame_type::data).payload == "and more\n");
  process.kill();
  log->append("last words\n"); // read from the console a moment later
  CHECK(client.expect(frame_type::data).payload == "last words\n");
  client.expect(frame_type::eof);
  client.expect(frame_type::eof);
  client.expect(frame_type::exited);
}

TEST_CASE("a client that leaves a console is forgotten, before and after its process has ended") {
  for (const bool ended : {false, true}) {
    house h;
    const auto file = h.folder.path / "console.log";
    console_log::open(file)->append("one\n");
    sleeper process;
    auto client = h.connect(h.server->offer_console(file, process.pidfd()));
    CHECK(client.expect(frame_type::data).payload == "one\n");
    if (ended) {
      process.kill();
      std::this_thread::sleep_for(50ms);
    }
    client.fd.reset();
    in_reactor(h.loop, [] {});
    in_reactor(h.loop, [] {});
    CHECK(h.stats().open == 0);
  }
}
