#include "privhelper/roles/log_budget.hpp"
#include "tests/support/catch.hpp"

using namespace banger::helper;
using namespace std::chrono_literals;

TEST_CASE("so many lines are written, then one a second, and the count of the others") {
  const log_budget::clock::time_point start{};
  log_budget budget(3, start);
  for (int i = 0; i < 3; ++i)
    CHECK(budget.next(start).write);
  for (int i = 0; i < 5; ++i)
    CHECK_FALSE(budget.next(start + 900ms).write);
  const auto one = budget.next(start + 1s);
  CHECK(one.write);
  CHECK(one.unsaid == 5);
  CHECK_FALSE(budget.next(start + 1999ms).write);
  CHECK(budget.next(start + 2s).unsaid == 1);
  for (int i = 0; i < 3; ++i) // never more than at the beginning
    CHECK(budget.next(start + 1h).write);
  CHECK_FALSE(budget.next(start + 1h).write);
}
