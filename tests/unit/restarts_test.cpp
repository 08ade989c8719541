// How often what died is made again.
#include "actors/vm/restarts.hpp"
#include "tests/support/catch.hpp"

using namespace banger::vm;
using namespace std::chrono_literals;

TEST_CASE("five restarts within ten minutes are allowed, the sixth is not") {
  restart_budget budget;
  const restart_budget::clock::time_point start{};
  for (int i = 0; i < 5; ++i)
    CHECK(budget.allow(start + i * 1min));
  CHECK_FALSE(budget.allow(start + 5min));
  CHECK_FALSE(budget.allow(start + 9min + 59s));
  CHECK(budget.restarts() == 5);
}

TEST_CASE("a death counts for ten minutes") {
  restart_budget budget;
  const restart_budget::clock::time_point start{};
  for (int i = 0; i < 50; ++i)
    CHECK(budget.allow(start + i * 2min + 1s));
  CHECK(budget.restarts() == 50);
}
