// Events and actors as people see them.
#include "cli/print.hpp"
#include "tests/support/catch.hpp"

#include <cstdlib>
#include <ctime>

using namespace banger::cli;
using banger::messages::actor_view;
using Catch::Contains;

TEST_CASE("an event is one line with time, actor and what happened") {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  CHECK(event_line(R"({"number":1,"time_ms":1000000000007,"event":"begin","op":"op-1",)"
                   R"("kind":"vm.start","actor":"vm/otter"})") ==
        "2001-09-09 01:46:40.007  vm/otter  start begins (op-1)\n");
  CHECK_THAT(event_line(R"({"time_ms":0,"event":"step","op":"op-1","kind":"vm.start",)"
                        R"("actor":"vm/otter","step":"launch","duration_us":12300})"),
             Contains("vm/otter  start: launch took 12.3 ms\n"));
  CHECK_THAT(
      event_line(R"({"time_ms":0,"event":"end","op":"op-1","kind":"vm.start","state":"failed",)"
                 R"("actor":"vm/otter","duration_us":2000000,)"
                 R"("error":{"code":"timed_out","what":"no boot","why":"x\ny","remedy":""}})"),
      Contains("start failed after 2.00 s (op-1): no boot: x?y"));
  CHECK_THAT(event_line(R"({"time_ms":0,"event":"state","actor":"vm/otter","state":"running"})"),
             Contains("vm/otter  is running\n"));
  CHECK_THAT(event_line(R"({"time_ms":0,"event":"lost","count":12})"),
             Contains("12 events were lost"));
}

TEST_CASE("what is no event is shown as it is, on one line and without control characters") {
  CHECK(event_line("not json\x1b[2J") == "not json?[2J\n");
  CHECK(event_line("[1]") == "[1]\n");
  CHECK_THAT(event_line(R"({"event":7,"time_ms":"x"})"), Contains("1970"));
}

TEST_CASE("an actor that does not answer is told so, with what is known of it") {
  actor_view stuck;
  stuck.kind = "vm";
  stuck.name = "otter";
  stuck.state = "silent";
  stuck.queued = 2;
  stuck.op = "op-1";
  stuck.step = "hello";
  stuck.step_age_us = 3'000'000;
  stuck.last_error = "one\ntwo";
  const auto text = actors_table({stuck});
  CHECK_THAT(text, Contains("vm/otter  does not answer  2       op-1       hello  3.00 s"));
  CHECK_THAT(text, Contains("one\n"));
  CHECK_THAT(actors_json({stuck}), Contains("\"step_age_us\": 3000000"));
}
