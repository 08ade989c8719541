// Strings that a hostile daemon may put into any field of an order.
#pragma once

#include "privhelper/rules/strong.hpp"
#include "tests/support/catch.hpp"

#include <string>
#include <vector>

namespace banger::test {

using namespace std::string_literals;

/// No field that is a name, an address or a path takes any of these.
inline const std::vector<std::string>& poison() {
  static const std::vector<std::string> all = {" ",
                                               "\0"s,
                                               "a\0b"s,
                                               "\n",
                                               "\x1b[2J",
                                               "\x7f",
                                               "..",
                                               "../x",
                                               "/",
                                               "/etc/passwd",
                                               "eth0",
                                               "br-fc\0"s,
                                               "br-fc-a\n",
                                               "br-fc-a;reboot",
                                               "br-fc-$(id)",
                                               "br-fc-%n",
                                               "br-fc-../../x",
                                               "tap-fc-a\0"s,
                                               "tap-fc-a/b",
                                               "tap-fc-a b",
                                               "tap-fc-\xc3\xa9",
                                               "10.88.0.0/24\n",
                                               "10.88.0.2\0"s,
                                               "10.88.0.2; drop table",
                                               "127.0.0.1:42069\0"s,
                                               "0123456789ab\0"s,
                                               "op-01234567890",
                                               "op-012345678g",
                                               "op-0123456789\0"s,
                                               "OP-0123456789",
                                               std::string(100, 'a'),
                                               std::string(70'000, '/'),
                                               std::string(1'000'000, 'x')};
  return all;
}

/// `check(order)` after each poison was put into the field that `at` gives.
template <class Order, class At, class Check>
void refuses_poison(Order order, At at, Check check, const std::string& field) {
  for (const auto& bad : poison()) {
    at(order) = bad;
    const auto read = check(order);
    INFO(field << " = " << helper::clean(bad));
    REQUIRE_FALSE(read);
    CHECK(read.error().code == errc::bad_request);
    CHECK(read.error().what.ends_with(" order: field " + field));
    CHECK(read.error().why.starts_with("it is "));
    for (const char c : describe(read.error()))
      REQUIRE((c >= 0x20 && c < 0x7f));
    CHECK(describe(read.error()).size() < 500);
  }
}

} // namespace banger::test
