// Descriptors that wait, in virtual time, and what is said about them.
#include "messages/handover/shelf.hpp"
#include "tests/support/catch.hpp"

#include <cerrno>
#include <fcntl.h>
#include <set>

using namespace banger;
using namespace banger::handover;
using namespace std::chrono_literals;

namespace {

const local::peer us{100, 1000}, other_process{101, 1000}, other_user{100, 1001};
const clock::time_point start{1h};

descriptors some(std::size_t count) {
  descriptors fds;
  for (std::size_t i = 0; i < count; ++i)
    fds.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  return fds;
}

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

} // namespace

TEST_CASE("a token gives what was put behind it once") {
  shelf s(5s, 100);
  const auto shown = s.put(some(3), us, start);
  REQUIRE(shown);
  CHECK(s.held() == 3);
  CHECK(s.expects(us, start));
  CHECK(s.take(*shown, us, start + 1s).size() == 3);
  CHECK(s.take(*shown, us, start + 1s).empty());
  CHECK(s.held() == 0);
  CHECK_FALSE(s.expects(us, start));
}

TEST_CASE("a token is worth nothing to another process or user, and stays good for the right one") {
  shelf s(5s, 100);
  const auto shown = s.put(some(1), us, start);
  CHECK(s.take(*shown, other_process, start).empty());
  CHECK(s.take(*shown, other_user, start).empty());
  CHECK_FALSE(s.expects(other_process, start));
  CHECK_FALSE(s.expects(other_user, start));
  CHECK(s.take(*shown, us, start).size() == 1);
}

TEST_CASE("what nobody comes for is closed after its time") {
  shelf s(5s, 100);
  auto fds = some(1);
  const int number = fds.front().get();
  const auto first = s.put(std::move(fds), us, start);
  const auto second = s.put(some(1), us, start + 2s);
  CHECK(s.next() == start + 5s);
  CHECK(s.expire(start + 4999ms).empty());
  CHECK(s.take(*first, us, start + 5s).empty());
  CHECK(is_open(number));
  CHECK(s.expire(start + 5s).size() == 1);
  CHECK_FALSE(is_open(number));
  CHECK(s.next() == start + 7s);
  CHECK(s.take(*second, us, start + 6s).size() == 1);
  CHECK(s.next() == clock::time_point::max());
}

TEST_CASE("what cannot be offered is closed, and told") {
  shelf s(5s, 100);
  auto fds = some(65);
  const int number = fds.front().get();
  CHECK(s.put(std::move(fds), us, start).error().code == errc::bad_request);
  CHECK_FALSE(is_open(number));
  CHECK(s.put({}, us, start).error().code == errc::bad_request);
  CHECK(s.put(some(1), {0, 1000}, start).error().code == errc::bad_request);
  descriptors hole = some(1);
  hole.emplace_back();
  CHECK(s.put(std::move(hole), us, start).error().code == errc::bad_request);
  CHECK(s.put(some(64), us, start));
  CHECK(s.put(some(37), us, start).error().code == errc::busy);
  CHECK(s.put(some(36), us, start));
}

TEST_CASE("tokens are 128 bits that do not repeat") {
  std::set<token> seen;
  for (int i = 0; i < 1000; ++i)
    CHECK(seen.insert(new_token().value()).second);
  CHECK(seen.begin()->str().size() == 32);
}

TEST_CASE("a request is a token and nothing else") {
  const std::string good = "0123456789abcdef0123456789abcdef";
  CHECK(parse_request(good)->str() == good);
  for (const auto& bad : {std::string(), good.substr(1), good + "0", good + "\n",
                          " " + good.substr(1), "0123456789ABCDEF0123456789abcdef" + std::string(),
                          std::string(32, '\0'), "g" + good.substr(1), std::string(64, '0')})
    CHECK_FALSE(parse_request(bad));
}

TEST_CASE("a reply says how many descriptors came along") {
  for (const std::size_t n : {1U, 10U, 64U})
    CHECK(parse_reply(reply_with(n)) == n);
  CHECK(parse_reply("-").error().code == errc::not_found);
  for (const auto* bad : {"", "+", "+0", "+01", "+65", "+-1", "+1x", "+ 1", "++1", "1", "--", "-1",
                          "+99999999999999999999999"})
    CHECK(parse_reply(bad).error().code == errc::bad_version);
}
