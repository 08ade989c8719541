// How bytes become frames, and how they wait: without a machine.
#include "actors/io/agent_channel.hpp"
#include "actors/io/frames.hpp"
#include "io_fakes.hpp"

using namespace banger;
using namespace banger::io;
using namespace banger::io::test;

namespace {

std::string hello_bytes(std::uint64_t epoch, const std::string& agent = "fake") {
  guest::hello_body body;
  body.agent = agent;
  body.epoch = epoch;
  return encoded(frame_type::hello, 0, guest::encode(body));
}

} // namespace

TEST_CASE("frames come out whole however the bytes were cut") {
  std::string bytes;
  std::size_t expected = 0;
  for (const std::size_t size : {0U, 1U, 23U, 24U, 25U, 300U, 4096U}) {
    bytes += encoded(frame_type::data, 7, std::string(size, 'x'), stream_id::out, expected);
    expected += size;
  }
  for (std::size_t cut = 1; cut < bytes.size(); cut += cut < 200 ? 1 : 97) {
    frame_reader reader;
    std::size_t frames = 0, payload = 0;
    const frame_reader::on_frame count = [&](const header& h, std::string_view p) {
      CHECK(h.offset == payload);
      payload += p.size();
      ++frames;
      return true;
    };
    REQUIRE(reader.feed(std::string_view(bytes).substr(0, cut), count) == got::some);
    REQUIRE(reader.feed(std::string_view(bytes).substr(cut), count) == got::some);
    CHECK(frames == 7);
    CHECK(payload == expected);
    CHECK(reader.buffered() == 0);
  }
  frame_reader reader;
  std::size_t frames = 0;
  for (const char c : bytes)
    REQUIRE(reader.feed({&c, 1}, [&](const header&, std::string_view) { return ++frames > 0; }) ==
            got::some);
  CHECK(frames == 7);
}

TEST_CASE("our hello is found behind anything, and only with our epoch") {
  const std::uint64_t epoch = 0x1122334455667788;
  std::string fake; // claims to be long, and holds ours inside
  header h;
  h.type = frame_type::hello;
  guest::encode(fake, h, std::string(9000, 'b'));
  fake.resize(guest::header_size);
  for (const std::string& noise :
       {std::string(), std::string("garbage bG bbbb"), hello_bytes(0), hello_bytes(epoch + 1), fake,
        encoded(frame_type::data, 3, "cut in the middle").substr(9), std::string(200000, 'b'),
        std::string("b")}) {
    hello_search whole(epoch);
    const auto found = whole.feed(noise + hello_bytes(epoch, "ours") + "rest");
    REQUIRE(found);
    CHECK(found->agent == "ours");
    CHECK(whole.rest() == "rest");
    if (noise.size() > 1000)
      continue;
    hello_search bytewise(epoch);
    std::optional<guest::hello_body> late;
    for (const char c : noise + hello_bytes(epoch, "ours")) {
      REQUIRE_FALSE(late);
      late = bytewise.feed({&c, 1});
    }
    CHECK(late);
  }
}

TEST_CASE("a byte queue gives back what it got, in pieces of any size") {
  byte_queue q;
  std::string in, out;
  for (int round = 0; round < 200; ++round) {
    std::string piece(static_cast<std::size_t>(round * 997 % 70000), static_cast<char>(round));
    q.append(piece);
    in += piece;
    while (q.size() > 100000) {
      iovec v[3];
      const auto n = q.front(v, 3, 90001);
      std::size_t taken = 0;
      for (std::size_t i = 0; i < n; ++i) {
        out.append(static_cast<const char*>(v[i].iov_base), v[i].iov_len);
        taken += v[i].iov_len;
      }
      REQUIRE(taken > 0);
      REQUIRE(taken <= 90001);
      q.drop(taken);
    }
  }
  CHECK(out == in.substr(0, out.size()));
  CHECK(q.size() == in.size() - out.size());
}
