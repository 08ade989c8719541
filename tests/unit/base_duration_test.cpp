#include "messages/base/duration.hpp"
#include "messages/base/nearest.hpp"
#include "tests/support/catch.hpp"

using namespace banger;
using namespace std::chrono_literals;

TEST_CASE("durations are read as Go writes them") {
  CHECK(parse_duration("0") == 0ms);
  CHECK(parse_duration("90s") == 90s);
  CHECK(parse_duration("1h30m") == 90min);
  CHECK(parse_duration("1m1s1ms") == 61001ms);
  CHECK(parse_duration("87600h") == 87600h);
}

TEST_CASE("what is no duration is refused with the reason") {
  const auto why = [](const char* text) {
    const auto span = parse_duration(text);
    REQUIRE_FALSE(span);
    CHECK(span.error().code == errc::bad_request);
    return span.error().why;
  };
  CHECK(why("") == "it is empty");
  CHECK(why("90") == "a unit is missing");
  CHECK(why("8X") == "unknown unit 'X'");
  CHECK(why("-1s") == "a number is expected at '-1s'");
  CHECK(why("1.5h") == "unknown unit '.'");
  CHECK(why("1m1h") == "the larger unit comes first, and each only once");
  CHECK(why("1s1s") == "the larger unit comes first, and each only once");
  CHECK(why("87600h1s") == "more than ten years");
  CHECK(why("99999999999999999999s") == "too large");
}

TEST_CASE("durations are written as they are read") {
  for (const char* text : {"0", "1ms", "15m", "1h30m", "25h", "1m1s1ms"})
    CHECK(format_duration(*parse_duration(text)) == text);
}

TEST_CASE("the word that was meant is the one with the fewest edits, if they are few") {
  CHECK(nearest("lsit", {"list", "show"}) == "list");
  CHECK(nearest("log_levl", {"log_level", "idle_exit"}) == "log_level");
  CHECK(nearest("dc", {"ab", "cd"}) == "cd");
  CHECK(nearest("xy", {"ab", "cd"}).empty());
  CHECK(nearest("frobnicate", {"list", "show"}).empty());
  CHECK(nearest("", {"list"}).empty());
  CHECK(nearest(std::string(1000, 'x'), {"list"}).empty());
}
