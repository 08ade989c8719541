// What becomes an event, and how it is told.
#include "actors/events/chronicle.hpp"
#include "messages/base/error.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

using namespace banger;
using namespace banger::events;
using Catch::Contains;
using messages::finished;
using messages::progress;

namespace {

std::string told(const std::vector<event>& all) {
  std::string text;
  for (const auto& e : all)
    text += e.what + (e.step.empty() ? "" : " " + e.step) + (e.state.empty() ? "" : " " + e.state) +
            " " + std::to_string(e.duration_us) + "\n";
  return text;
}

} // namespace

TEST_CASE("a step is told when it has ended, with the time from its first word to the next one's") {
  chronicle c;
  const auto begin = c.begun("op-1", "vm.start", "otter", 1000);
  CHECK(begin.what == "begin");
  CHECK(begin.actor == "vm/otter");
  CHECK(told(c.heard(progress{"op-1", "image", "", 10})).empty());
  CHECK(told(c.heard(progress{"op-1", "image", "half of it", 400})).empty());
  CHECK(told(c.heard(progress{"op-1", "launch", "", 510})) == "step image 500\n");
  CHECK(told(c.ended(finished{"op-1", {}, {}, {}}, 3000)) == "step launch 1490\nend done 2000\n");
  CHECK(c.running() == 0);
}

TEST_CASE("the last step has the time that was measured where it ran") {
  chronicle c;
  c.begun("op-1", "vm.start", "otter", 0);
  c.heard(progress{"op-1", "launch", "", 100});
  CHECK(told(c.ended(finished{"op-1", {}, {}, {{"launch", 77, true}}}, 500)) ==
        "step launch 77\nend done 500\n");
}

TEST_CASE("an end tells whether it failed or was cancelled, and why") {
  chronicle c;
  for (const auto& [code, state] :
       {std::pair{errc::timed_out, "failed"}, std::pair{errc::cancelled, "cancelled"}}) {
    c.begun("op-1", "image.build", "work", 0);
    const auto all = c.ended(
        finished{"op-1", {static_cast<std::uint8_t>(code), "it broke", "", "", ""}, {}, {}}, 5);
    REQUIRE(all.size() == 1);
    CHECK(all.front().state == state);
    CHECK(all.front().actor == "image/work");
    const auto line = nlohmann::json::parse(to_line(all.front(), 7, 123));
    CHECK(line.at("number") == 7);
    CHECK(line.at("time_ms") == 123);
    CHECK(line.at("error").at("what") == "it broke");
    CHECK(line.at("error").at("code") == std::string(to_string(code)));
  }
}

TEST_CASE("operations that run at the same time are told apart, unknown ones are not told") {
  chronicle c;
  c.begun("op-1", "vm.start", "otter", 0);
  c.begun("op-2", "vm.start", "heron", 0);
  c.heard(progress{"op-1", "a", "", 1});
  c.heard(progress{"op-2", "a", "", 2});
  const auto all = c.heard(progress{"op-1", "b", "", 3});
  REQUIRE(all.size() == 1);
  CHECK(all.front().actor == "vm/otter");
  CHECK(c.heard(progress{"op-9", "a", "", 1}).empty());
  CHECK(c.ended(finished{"op-9", {}, {}, {}}, 1).empty());
}

TEST_CASE("an event is one line whatever its texts hold, and says nothing that has no meaning") {
  event e;
  e.what = "state";
  e.actor = "vm/otter";
  e.state = "error";
  e.error = {7, "one\ntwo\"", std::string(100'000, 'x'), "\xff", ""};
  const auto line = to_line(e, 1, 2);
  CHECK(std::count(line.begin(), line.end(), '\n') == 1);
  CHECK(line.size() < 5000);
  CHECK_THAT(line, !Contains("duration_us") && !Contains("\"op\""));
  CHECK(nlohmann::json::parse(line).at("error").at("what") == "one\ntwo\"");
  CHECK(nlohmann::json::parse(lost_line(3, 4)).at("count") == 3);
}
