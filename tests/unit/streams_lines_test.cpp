// Feeds of lines through the stream socket.
#include "actors/io/line_feed.hpp"
#include "io_house.hpp"

using namespace banger;
using namespace banger::io;
using namespace banger::io::test;

namespace {

std::string line(int i) { return "line " + std::to_string(i) + " " + std::string(200, '.') + "\n"; }

struct lines_house : house {
  explicit lines_house(std::size_t remembered = 1000)
      : feed(std::make_shared<line_feed>(loop, line_ring(remembered, 1'000'000), [](auto lost) {
          return "lost " + std::to_string(lost) + "\n";
        })) {}
  void tell(int from, int to) {
    for (int i = from; i < to; ++i)
      feed->append(line(i));
  }
  fake_client follow(std::size_t after = 20) { return connect(server->offer_lines(feed, after)); }
  void settle() {
    for (int i = 0; i < 3; ++i)
      in_reactor(loop, [] {});
  }

  std::shared_ptr<line_feed> feed;
};

/// A client that takes what comes and acknowledges it.
struct reader {
  fake_client client;
  std::string seen;

  void until(const std::string& end) {
    while (seen.find(end) == std::string::npos) {
      const auto f = client.expect(frame_type::data);
      REQUIRE(f.head.offset == seen.size());
      seen += f.payload;
      client.send(frame_type::ack, 1, {}, stream_id::out, seen.size());
    }
  }
};

std::string lines(int from, int to) {
  std::string all;
  for (int i = from; i < to; ++i)
    all += line(i);
  return all;
}

} // namespace

TEST_CASE("a feed tells what it remembers, and ends if nobody follows") {
  lines_house h(5);
  h.tell(0, 8);
  auto client = h.connect(h.server->offer_lines(h.feed, std::nullopt));
  CHECK(client.expect(frame_type::data).payload == lines(3, 8));
  client.expect(frame_type::eof);
  auto empty_feed = std::make_shared<line_feed>(h.loop, line_ring(5, 100), nullptr);
  h.connect(h.server->offer_lines(empty_feed, std::nullopt)).expect(frame_type::eof);
}

TEST_CASE("who follows a feed gets the last lines and then every new one") {
  lines_house h;
  h.tell(0, 50);
  reader one{h.follow(), {}};
  one.until(line(49));
  CHECK(one.seen == lines(30, 50));
  h.tell(50, 60);
  one.until(line(59));
  CHECK(one.seen == lines(30, 60));
}

TEST_CASE(
    "a reader that stalls costs a bounded buffer, hears what he missed, and holds up nobody") {
  lines_house h;
  auto stalled = h.follow();
  reader quick{h.follow(), {}};
  h.settle();
  constexpr int all = 20'000;
  for (int i = 0; i < all; i += 100) {
    h.tell(i, i + 100);
    quick.until(line(i + 99)); // as fast as they come
  }
  CHECK(quick.seen == lines(0, all));
  CHECK(h.stats().buffered_bytes <= 128 * 1024);
  // Now he reads on: a gap, told at its place, then what is remembered.
  std::string seen;
  while (seen.find(line(all - 1)) == std::string::npos) {
    const auto f = stalled.expect(frame_type::data);
    seen += f.payload;
    stalled.send(frame_type::ack, 1, {}, stream_id::out, seen.size());
  }
  const auto gap = seen.find("lost ");
  REQUIRE(gap != std::string::npos);
  const auto lost = std::stoi(seen.substr(gap + 5));
  const auto before =
      std::count(seen.begin(), seen.begin() + static_cast<std::ptrdiff_t>(gap), '\n');
  CHECK(lost > 10'000);
  const auto next = static_cast<int>(before) + lost;
  CHECK(seen.substr(0, gap) == lines(0, static_cast<int>(before)));
  CHECK(seen.substr(seen.find('\n', gap) + 1) == lines(next, all));
}

TEST_CASE("a reader of a feed who leaves is forgotten") {
  lines_house h;
  auto client = h.follow();
  h.settle();
  CHECK(h.stats().open == 1);
  client.fd.reset();
  h.settle();
  h.tell(0, 10);
  h.settle();
  CHECK(h.stats().open == 0);
  h.tell(10, 20);
  CHECK(h.connect(h.server->offer_lines(h.feed, 1)).expect(frame_type::data).payload == line(19));
}
