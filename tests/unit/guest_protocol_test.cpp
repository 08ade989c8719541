#include "guest/order_parts.hpp"
#include "messages/guest/protocol.hpp"
#include "tests/support/catch.hpp"

#include <random>

using namespace banger::guest;

namespace {

std::string a_frame(frame_type type, std::string_view payload, std::uint32_t session = 0,
                    std::uint64_t offset = 0, stream_id stream = stream_id::in) {
  std::string bytes;
  encode(bytes, header{type, stream, session, 0, offset}, payload);
  return bytes;
}

std::string a_sync(std::uint64_t epoch) {
  return a_frame(frame_type::sync, encode(sync_body{epoch}));
}

configure_body a_configuration() {
  configure_body c;
  c.hostname = "box";
  c.machine_id = std::string(32, 'a');
  c.seed = std::string(32, '\xff');
  c.realtime_ns = 1'700'000'000'000'000'000u;
  c.disks = {{0, disk_role::base}, {1, disk_role::upper}, {2, disk_role::work}};
  c.mac = "52:54:00:aa:00:02";
  c.address = "10.0.2.15/24";
  c.gateway = "10.0.2.2";
  c.dns = {"10.0.2.3", ""};
  c.authorized_keys = {"ssh-ed25519 AAAA me"};
  return c;
}

} // namespace

TEST_CASE("a header comes back as it was written") {
  const auto bytes = a_frame(frame_type::data, "abc", 7, 1ull << 40, stream_id::err);
  CHECK(bytes.size() == header_size + 3);
  CHECK(bytes.substr(0, 2) == "bG");
  const auto h = decode_header(bytes);
  REQUIRE(h);
  CHECK(h->type == frame_type::data);
  CHECK(h->stream == stream_id::err);
  CHECK(h->session == 7);
  CHECK(h->length == 3);
  CHECK(h->offset == 1ull << 40);
}

TEST_CASE("any changed bit of a header is noticed") {
  const auto good = a_frame(frame_type::data, "abc", 7, 99, stream_id::out);
  for (std::size_t bit = 0; bit < header_size * 8; ++bit) {
    auto bytes = good;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    CHECK_FALSE(decode_header(bytes));
  }
}

TEST_CASE("a header with a type, stream or length outside the protocol is refused") {
  for (int type : {0, 24, 31, 45, 255})
    CHECK_FALSE(decode_header(a_frame(static_cast<frame_type>(type), "")));
  CHECK_FALSE(decode_header(a_frame(frame_type::data, "", 1, 0, static_cast<stream_id>(3))));
  std::string head(header_size, '\0');
  encode_header(head.data(), header{frame_type::data, stream_id::in, 1, max_payload, 0});
  CHECK(decode_header(head));
  encode_header(head.data(), header{frame_type::data, stream_id::in, 1, max_payload + 1, 0});
  CHECK_FALSE(decode_header(head));
  CHECK_FALSE(decode_header(std::string_view(head).substr(1)));
}

TEST_CASE("a payload that is too long is not sent at all") {
  CHECK(a_frame(frame_type::data, std::string(max_payload + 1, 'x')).empty());
  CHECK(a_frame(frame_type::data, std::string(max_payload, 'x')).size() ==
        header_size + max_payload);
}

TEST_CASE("a body comes back as it was written") {
  const auto sent = a_configuration();
  const auto got = decode<configure_body>(encode(sent));
  REQUIRE(got);
  CHECK(got->hostname == sent.hostname);
  CHECK(got->seed == sent.seed);
  CHECK(got->realtime_ns == sent.realtime_ns);
  REQUIRE(got->disks.size() == 3);
  CHECK(got->disks[2].index == 2);
  CHECK(got->disks[2].role == disk_role::work);
  CHECK(got->dns == sent.dns);
  CHECK(got->authorized_keys == sent.authorized_keys);
  CHECK(encode(*got) == encode(sent));
}

TEST_CASE("an answer about listeners comes back as it was sent, and the longest fits one frame") {
  ports_body sent;
  sent.number = 9;
  sent.left_out = 3;
  const listener_body longest{transport_protocol::udp, std::string(45, 'f'), 65535, 4'000'000,
                              std::string(15, 'p')};
  sent.listeners.assign(most_listeners, longest);
  const auto bytes = encode(sent);
  CHECK(bytes.size() <= max_payload);
  const auto got = decode<ports_body>(bytes);
  REQUIRE(got);
  CHECK(encode(*got) == bytes);
  CHECK(got->listeners.back().port == 65535);
  auto wrong = bytes;
  wrong[12] = 2; // no protocol has this number
  CHECK_FALSE(decode<ports_body>(wrong));
}

TEST_CASE("a clock and its correction come back as they were sent, others are refused") {
  const clock_body sent{7, 1'700'000'000'123'456'789u, clock_keeper::guest};
  const auto bytes = encode(sent);
  const auto got = decode<clock_body>(bytes);
  REQUIRE(got);
  CHECK(got->number == 7);
  CHECK(got->realtime_ns == sent.realtime_ns);
  CHECK(got->keeper == clock_keeper::guest);
  auto wrong = bytes;
  wrong.back() = 3;
  CHECK_FALSE(decode<clock_body>(wrong));
  const auto back = static_cast<std::uint64_t>(std::int64_t{-5});
  const auto order = decode<correction_body>(encode(correction_body{correction::slew, back}));
  REQUIRE(order);
  CHECK(order->how == correction::slew);
  CHECK(static_cast<std::int64_t>(order->delta_ns) == -5);
  auto unknown = encode(correction_body{});
  unknown.front() = 2;
  CHECK_FALSE(decode<correction_body>(unknown));
}

TEST_CASE("the bytes of a body are little endian, in the order of the fields") {
  open_body open;
  open.argv = {"ls"};
  open.tty = true;
  open.rows = 0x0102;
  const std::string expected("\1\0\0\0\2\0\0\0ls"
                             "\0\0\0\0"
                             "\0\0\0\0"
                             "\1\1\2\1\0\0",
                             24);
  CHECK(encode(open) == expected);
}

TEST_CASE("a body cut short, or with bytes left over, is refused") {
  const auto whole = encode(a_configuration());
  for (std::size_t size = 0; size < whole.size(); ++size)
    CHECK_FALSE(decode<configure_body>(std::string_view(whole).substr(0, size)));
  CHECK_FALSE(decode<configure_body>(whole + '\0'));
}

TEST_CASE("a count that the bytes cannot hold is refused, and costs no memory") {
  const std::string huge("\xff\xff\xff\xff", 4);
  CHECK_FALSE(decode<open_body>(huge));
  CHECK_FALSE(decode<open_body>(huge + std::string(100, '\0')));
}

TEST_CASE("a value outside its enumeration is refused") {
  CHECK_FALSE(decode<disk_body>(std::string("\0\0\0\0\5", 5)));
  CHECK(decode<disk_body>(std::string("\0\0\0\0\4", 5)));
  CHECK_FALSE(decode<exited_body>(std::string("\4\0\0\0\0", 5)));
  open_body open;
  auto bytes = encode(open);
  bytes[12] = 2; // has_stdin
  CHECK_FALSE(decode<open_body>(bytes));
}

TEST_CASE("frames come out whole, however the bytes are split") {
  std::string stream = a_sync(5);
  std::vector<std::string> payloads;
  for (std::size_t size : {0u, 1u, 23u, 24u, 25u, 4096u, 65536u}) {
    payloads.emplace_back(size, static_cast<char>('a' + payloads.size()));
    stream += a_frame(frame_type::data, payloads.back(), 1);
  }
  std::mt19937 random(1);
  for (const std::size_t most : {1u, 7u, 30u, 5000u, 200000u}) {
    parser p(frame_type::sync);
    std::vector<frame> frames;
    for (std::size_t at = 0; at < stream.size();) {
      const auto size = 1 + random() % most;
      p.feed(std::string_view(stream).substr(at, size));
      at += size;
      while (auto f = p.next())
        frames.push_back(std::move(*f));
    }
    REQUIRE(frames.size() == payloads.size() + 1);
    CHECK(decode<sync_body>(frames[0].payload)->epoch == 5);
    for (std::size_t i = 0; i < payloads.size(); ++i)
      CHECK(frames[i + 1].payload == payloads[i]);
    CHECK(p.buffered() == 0);
  }
}

TEST_CASE("whatever comes before the first frame of a conversation is dropped") {
  parser p(frame_type::hello);
  p.feed("boot noise bG and " + a_frame(frame_type::data, "tail of the last connection", 3));
  CHECK_FALSE(p.next());
  CHECK_FALSE(p.broken());
  p.feed(a_frame(frame_type::data, "x", 3).substr(10) +
         a_frame(frame_type::hello, "h").substr(0, 9));
  CHECK_FALSE(p.next());
  p.feed(a_frame(frame_type::hello, "h").substr(9));
  const auto first = p.next();
  REQUIRE(first);
  CHECK(first->head.type == frame_type::hello);
  CHECK(first->payload == "h");
}

TEST_CASE("noise without end is not kept") {
  parser p(frame_type::hello);
  for (int i = 0; i < 1000; ++i) {
    p.feed(std::string(1000, 'b'));
    CHECK_FALSE(p.next());
    CHECK(p.buffered() < header_size);
  }
}

TEST_CASE("a bad header breaks the conversation until it is begun again") {
  parser p(frame_type::sync);
  p.feed(a_sync(1) + "garbage that is longer than a header is");
  CHECK(p.next());
  CHECK_FALSE(p.broken());
  CHECK_FALSE(p.next());
  CHECK(p.broken());
  p.feed(a_sync(2));
  CHECK_FALSE(p.next());
  p.desync();
  p.feed(a_sync(3));
  const auto again = p.next();
  REQUIRE(again);
  CHECK(decode<sync_body>(again->payload)->epoch == 3);
}

TEST_CASE("an order in parts is put together, one at a time") {
  open_body order;
  order.argv = {"echo", std::string(100, 'x')};
  order.env = {"A=1"};
  const auto body = encode(order);
  const auto at = [&](frame_type type, std::uint32_t session, std::size_t from,
                      std::size_t size = std::string::npos) {
    header head;
    head.type = type;
    head.session = session;
    head.offset = from;
    return frame_view{head, std::string_view(body).substr(from, size)};
  };
  order_parts parts;
  SECTION("in one frame") { CHECK(parts.order(at(frame_type::open, 1, 0))->argv == order.argv); }
  SECTION("in three, with a whole one between them") {
    parts.take(at(frame_type::part, 1, 0, 10));
    parts.take(at(frame_type::part, 1, 10, 50));
    CHECK(parts.order(at(frame_type::open, 2, 0)));
    CHECK(parts.order(at(frame_type::open, 1, 60))->argv == order.argv);
    CHECK_FALSE(parts.order(at(frame_type::open, 1, 60)));
  }
  SECTION("begun anew, for the same and for another session") {
    parts.take(at(frame_type::part, 1, 0, 10));
    parts.take(at(frame_type::part, 1, 0, 20));
    parts.take(at(frame_type::part, 2, 0, 30));
    CHECK_FALSE(parts.order(at(frame_type::open, 1, 20)));
    CHECK(parts.order(at(frame_type::open, 2, 30))->env == order.env);
  }
  SECTION("with a gap") {
    parts.take(at(frame_type::part, 1, 0, 10));
    parts.take(at(frame_type::part, 1, 30, 10));
    CHECK_FALSE(parts.order(at(frame_type::open, 1, 40)));
  }
  SECTION("without its begin") { CHECK_FALSE(parts.order(at(frame_type::open, 1, 40))); }
  SECTION("longer than anything that can be executed") {
    const std::string piece(max_payload, 'x');
    header head;
    head.type = frame_type::part;
    head.session = 1;
    for (; head.offset <= max_open; head.offset += piece.size())
      parts.take({head, piece});
    head.type = frame_type::open;
    CHECK_FALSE(parts.order({head, piece}));
  }
}
