#include "messages/transport/frames.hpp"
#include "tests/support/catch.hpp"

#include <string>

using namespace banger::frames;
using namespace std::chrono_literals;

namespace {

std::string number(std::uint64_t value, std::size_t size) {
  std::string bytes;
  for (auto shift = size * 8; shift > 0; shift -= 8)
    bytes += static_cast<char>(value >> (shift - 8) & 0xff);
  return bytes;
}

std::span<const char> span(const std::string& bytes) { return {bytes.data(), bytes.size()}; }

node node_of(std::uint32_t pid) {
  const auto bytes =
      number(/* atom("default") */ 0x3e9aab9bac79ULL, 8) + number(pid, 4) + std::string(20, 'h');
  node id{};
  std::copy(bytes.begin(), bytes.end(), id.begin());
  return id;
}

std::string text_of(const node& id) { return {id.begin(), id.end()}; }

constexpr std::uint64_t here = 5;

struct talk {
  std::shared_ptr<claims> nodes = std::make_shared<claims>();
  limits bounds;
  guard::time_point now{};
  std::unique_ptr<guard> rules = make(77);

  std::unique_ptr<guard> make(std::uint32_t pid) {
    const auto all = std::make_shared<const targets>(
        targets{{here, {{"@<>+@str", shape::record({shape::text()})}}}});
    return std::make_unique<guard>(guard::setup{all, bounds, node_of(1), pid, nodes}, now);
  }

  ruling say(guard& to, operation what, std::string payload, std::uint64_t source = 0,
             std::uint64_t dest = 0, std::uint64_t id = 0, int flags = 0) {
    const auto head = number(static_cast<std::uint64_t>(what), 1) + number(0, 2) +
                      number(static_cast<std::uint64_t>(flags), 1) + number(payload.size(), 4) +
                      number(id, 8) + number(source, 8) + number(dest, 8);
    const auto first = to.on_header(span(head), now);
    return first.what == action::await ? to.on_payload(span(payload)) : first;
  }

  ruling greet(guard& to, std::uint32_t pid = 77) {
    return say(to, operation::client_handshake, text_of(node_of(pid)));
  }

  ruling tell(std::uint64_t source, const std::string& words) {
    return say(*rules, operation::direct_message,
               number(0, 3) + '\x08' + "@<>+@str" + static_cast<char>(words.size()) + words, source,
               here, 1ULL << 60);
  }

  ruling end(std::uint64_t source) {
    const auto error = number(0, 1) + number(0, 8) + number(0, 2) + '\x03' + "@<>";
    return say(*rules, operation::down_message, text_of(node_of(77)) + text_of(node_of(1)) + error,
               source);
  }
};

} // namespace

TEST_CASE("a length ends after five bytes and fits into 32 bits") {
  CHECK(reader(span("\x7f")).length() == 0x7f);
  CHECK(reader(span("\xff\xff\xff\xff\x0f")).length() == 0xffff'ffff);
  CHECK_FALSE(reader(span("\xff\xff\xff\xff\x1f")).length());
  CHECK_FALSE(reader(span("\x80\x80\x80\x80\x80\x01")).length());
  CHECK_FALSE(reader(span("\x80")).length());
}

TEST_CASE("bytes fit a shape if they are one value of it and nothing else") {
  const auto names = shape::record({shape::exact(9), shape::list(shape::text()), shape::fixed(1)});
  const auto good = number(9, 8) + '\x02' +
                    "\x01"
                    "a" +
                    "\x02"
                    "bc" +
                    '\x01';
  CHECK(fits(names, span(good), 10));
  CHECK(fits(names, span(good), 2));
  CHECK_FALSE(fits(names, span(good), 1));
  CHECK_FALSE(fits(names, span(good + 'x'), 10));
  CHECK_FALSE(fits(names, span(number(8, 8) + good.substr(8)), 10));
  for (std::size_t size = 0; size < good.size(); ++size)
    CHECK_FALSE(fits(names, span(good.substr(0, size)), 10));
}

TEST_CASE_METHOD(talk, "nothing passes before the handshake") {
  CHECK(tell(7, "x").what == action::close);
  CHECK(end(7).what == action::close);
}

TEST_CASE_METHOD(talk, "a handshake may be repeated once, with the same node") {
  CHECK(greet(*rules).what == action::pass);
  SECTION("same") {
    CHECK(greet(*rules).what == action::pass);
    CHECK(greet(*rules).what == action::close);
  }
  SECTION("other") { CHECK(greet(*rules, 78).what == action::close); }
}

TEST_CASE_METHOD(talk, "a node must name the process that the kernel names") {
  CHECK(greet(*rules, 78).what == action::close);
}

TEST_CASE_METHOD(talk, "one node has one living connection") {
  REQUIRE(greet(*rules).what == action::pass);
  auto other = make(77), elsewhere = make(0);
  CHECK(greet(*other).what == action::swallow);
  CHECK_FALSE(other->greeted());
  CHECK(greet(*elsewhere).what == action::close);
  rules->leave();
  CHECK(nodes->size() == 0);
  CHECK(greet(*make(77)).what == action::pass);
}

TEST_CASE_METHOD(talk, "the living senders of a connection are counted, the dead are not") {
  bounds.max_actors = 3;
  rules = make(77);
  greet(*rules);
  for (std::uint64_t id = 1; id <= 3; ++id)
    CHECK(tell(id, "x").what == action::pass);
  CHECK(tell(1, "again").what == action::pass);
  SECTION("one too many") { CHECK(tell(4, "x").what == action::close); }
  SECTION("one has ended") {
    CHECK(end(2).what == action::pass);
    CHECK(tell(4, "x").what == action::pass);
    CHECK(rules->actors() == 3);
  }
}

TEST_CASE_METHOD(talk, "frames are counted by the second") {
  bounds.frames_per_second = 10;
  rules = make(77);
  greet(*rules);
  for (int i = 0; i < 9; ++i)
    CHECK(tell(1, "x").what == action::pass);
  SECTION("too fast") { CHECK(tell(1, "x").what == action::close); }
  SECTION("after a pause") {
    now += 500ms;
    for (int i = 0; i < 5; ++i)
      CHECK(tell(1, "x").what == action::pass);
    CHECK(tell(1, "x").what == action::close);
  }
}

TEST_CASE_METHOD(talk,
                 "what goes to others is dropped, what goes to us and does not fit ends the talk") {
  greet(*rules);
  const auto words = number(0, 3) + '\x03' + "@<>";
  CHECK(say(*rules, operation::direct_message, words, 7, 99, 1ULL << 60).what == action::swallow);
  CHECK(say(*rules, operation::direct_message, words, 7, 99, 1ULL << 60, named_receiver).what ==
        action::swallow);
  CHECK(say(*rules, operation::direct_message, words, 7, here, 1ULL << 60).what == action::close);
}

TEST_CASE_METHOD(talk, "the reason of an end is a code with texts, or it is refused") {
  greet(*rules);
  const auto with = [&](const std::string& context) {
    return say(*rules, operation::down_message,
               text_of(node_of(77)) + text_of(node_of(1)) + number(1, 1) + number(0, 8) +
                   number(0, 2) + context,
               7)
        .what;
  };
  CHECK(with("\x08@<>+@str"
             "\x02"
             "hi") == action::pass);
  CHECK(with(std::string("\x0c@<>+@message") + number(0, 2) + "\x03@<>") == action::close);
  CHECK(with("\x03@<>more") == action::close);
}
