#include "actors/io/clock_rules.hpp"
#include "io_fakes.hpp"

using namespace banger;
using namespace banger::io;
using namespace banger::io::test;

namespace {

constexpr std::int64_t ms = 1'000'000;
constexpr std::int64_t noon = 1'700'000'000'000 * ms;

/// A guest that is `off` from the host, by a question that was answered after `took`.
clock_sample sample(std::int64_t off, std::int64_t took) {
  return {noon, noon + took, took, noon + took / 2 + off, guest::clock_keeper::host};
}

clock_decision upkeep(std::int64_t off, std::int64_t took) {
  return decide(sample(off, took), clock_cause::upkeep);
}

std::uint64_t wall_ns() {
  return static_cast<std::uint64_t>(
      std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count());
}

/// Answers the question that comes next.
std::uint64_t answer_clock(fake_agent& agent, std::int64_t off,
                           guest::clock_keeper keeper = guest::clock_keeper::host) {
  const auto question =
      guest::decode<guest::question_body>(agent.expect(frame_type::ask_clock).payload);
  REQUIRE(question);
  agent.send(frame_type::clock, 0,
             guest::encode(guest::clock_body{question->number,
                                             wall_ns() + static_cast<std::uint64_t>(off), keeper}));
  return question->number;
}

guest::correction_body correction_for(fake_agent& agent) {
  const auto body =
      guest::decode<guest::correction_body>(agent.expect(frame_type::correct_clock).payload);
  REQUIRE(body);
  return *body;
}

} // namespace

TEST_CASE("at boot a clock is stepped, however little it is off", "[faults]") {
  const auto off = GENERATE(-2'400 * ms, -5 * ms, 400 * ms);
  const auto d = decide(sample(off, 4 * ms), clock_cause::boot);
  CHECK(d.action == clock_action::step);
  CHECK(d.delta == -off);
  CHECK(d.settled);
  CHECK(decide(sample(ms / 2, 4 * ms), clock_cause::boot).action == clock_action::leave);
}

TEST_CASE("a sample with a long round trip is tried again, and moves only what is surely wrong",
          "[faults]") {
  for (const auto cause : {clock_cause::boot, clock_cause::jump}) {
    const auto unknown = decide(sample(-90 * ms, 200 * ms), cause);
    CHECK(unknown.action == clock_action::leave);
    CHECK_FALSE(unknown.settled);
    const auto far = decide(sample(-60'000 * ms, 200 * ms), cause);
    CHECK(far.action == clock_action::step);
    CHECK_FALSE(far.settled);
  }
}

TEST_CASE("after a jump a clock is stepped, and slewed if it is near", "[faults]") {
  const auto far = decide(sample(-60'000 * ms, 4 * ms), clock_cause::jump);
  CHECK(far.action == clock_action::step);
  CHECK(far.delta == 60'000 * ms);
  CHECK(far.settled);
  CHECK(decide(sample(60'000 * ms, 4 * ms), clock_cause::jump).delta == -60'000 * ms);
  const auto near = decide(sample(-30 * ms, 4 * ms), clock_cause::jump);
  CHECK(near.action == clock_action::slew);
  CHECK(near.delta == 30 * ms);
  // What is promised is 50 ms, wherever in the round trip the guest read it.
  CHECK(decide(sample(-35 * ms, 38 * ms), clock_cause::jump).action == clock_action::step);
}

TEST_CASE("else a clock is slewed, by no more than is known", "[faults]") {
  CHECK(upkeep(-10 * ms, 4 * ms).action == clock_action::slew);
  CHECK(upkeep(-10 * ms, 4 * ms).delta == 10 * ms);
  CHECK(upkeep(10 * ms, 4 * ms).delta == -10 * ms);
  CHECK(upkeep(10 * ms, 40 * ms).action == clock_action::leave);
  CHECK(upkeep(ms / 2, 0).action == clock_action::leave);
  CHECK(upkeep(150 * ms, 200 * ms).delta == -50 * ms);
  CHECK(upkeep(-150 * ms, 200 * ms).delta == 50 * ms);
  // Beyond what can be slewed it stood still, and nothing told.
  CHECK(upkeep(-200 * ms, 4 * ms).action == clock_action::step);
}

TEST_CASE("a clock that the guest keeps is left alone, whatever it says", "[faults]") {
  const auto keeper = GENERATE(guest::clock_keeper::ntp, guest::clock_keeper::guest);
  for (const auto cause : {clock_cause::boot, clock_cause::jump, clock_cause::upkeep}) {
    auto s = sample(-60'000 * ms, 4 * ms);
    s.keeper = keeper;
    CHECK(decide(s, cause).action == clock_action::leave);
    CHECK(decide(s, cause).settled);
  }
}

TEST_CASE("a sample in which the host's clock was set says nothing", "[faults]") {
  auto s = sample(0, 4 * ms);
  s.heard += 60'000 * ms;
  CHECK(decide(s, clock_cause::jump).action == clock_action::leave);
  CHECK_FALSE(decide(s, clock_cause::jump).settled);
  CHECK(decide(s, clock_cause::upkeep).action == clock_action::leave);
}

TEST_CASE("a clock from outside of all time does no harm", "[faults]") {
  for (const auto guest : {std::int64_t{0}, INT64_MAX}) {
    auto s = sample(0, 4 * ms);
    s.guest = guest;
    for (const auto cause : {clock_cause::boot, clock_cause::jump, clock_cause::upkeep})
      CHECK(decide(s, cause).action == clock_action::step);
  }
}

TEST_CASE("a booted guest's clock is right before it counts as configured", "[faults]") {
  reactor loop;
  fake_machine m(loop);
  m.agent->protocol = guest::protocol_version;
  m.agent->hello();
  REQUIRE(m.events.next<event::hello>());
  SECTION("it is asked, and stepped") {
    m.agent->send(frame_type::configured, 0, guest::encode(guest::configured_body{}));
    answer_clock(*m.agent, -2'400 * ms);
    const auto order = correction_for(*m.agent);
    CHECK(order.how == guest::correction::step);
    // The way of the answer is in it; on any machine that is no second.
    CHECK(std::abs(static_cast<std::int64_t>(order.delta_ns) - 2'400 * ms) < 1'000 * ms);
    CHECK(m.events.next<event::configured>());
  }
  SECTION("a guest that does not answer is not waited for") {
    m.agent->expect(frame_type::ask_clock);
    m.agent->send(frame_type::configured, 0, guest::encode(guest::configured_body{}));
    CHECK(m.events.next<event::configured>());
  }
  SECTION("a guest that cannot is no error") {
    m.agent->expect(frame_type::ask_clock);
    m.agent->send(frame_type::failed, 0,
                  guest::encode(guest::failed_body{frame_type::ask_clock, 1, "no"}));
    m.agent->send(frame_type::configured, 0, guest::encode(guest::configured_body{}));
    CHECK(m.events.next<event::configured>());
    CHECK_FALSE(m.events.next<event::refused>(50ms));
  }
  SECTION("an answer that was not asked for moves nothing") {
    const auto number = answer_clock(*m.agent, 0);
    m.agent->send(frame_type::clock, 0, guest::encode(guest::clock_body{number, 5, {}}));
    m.agent->send(frame_type::clock, 0, guest::encode(guest::clock_body{number + 7, 5, {}}));
    m.agent->send(frame_type::configured, 0, guest::encode(guest::configured_body{}));
    CHECK(m.events.next<event::configured>());
    m.link->poweroff();
    for (auto f = m.agent->receive(); f && f->head.type != frame_type::poweroff;
         f = m.agent->receive())
      // Of the one that was asked for, by the time that its way took.
      if (f->head.type == frame_type::correct_clock) {
        const auto body = guest::decode<guest::correction_body>(f->payload);
        CHECK(std::abs(static_cast<std::int64_t>(body->delta_ns)) < 1'000 * ms);
      }
  }
}

TEST_CASE("a guest that says twice that it is configured, and ends, leaves no timer", "[faults]") {
  reactor loop;
  {
    fake_machine m(loop);
    m.agent->protocol = guest::protocol_version;
    m.agent->hello();
    m.agent->expect(frame_type::ask_clock);
    for (int i = 0; i < 2; ++i)
      m.agent->send(frame_type::configured, 0, guest::encode(guest::configured_body{}));
    m.agent->send(frame_type::stopping, 0);
    REQUIRE(m.events.next<event::stopping>()); // it has heard both
    m.process.kill();
    CHECK(m.events.next<event::exited>());
  }
  std::promise<void> later;
  in_reactor(loop, [&] { loop.at(reactor::clock::now() + 1s, [&] { later.set_value(); }); });
  CHECK(later.get_future().wait_for(10s) == std::future_status::ready);
}

TEST_CASE("a guest of an older protocol is not asked for its clock", "[faults]") {
  reactor loop;
  fake_machine m(loop);
  m.agent->hello();
  m.agent->send(frame_type::configured, 0, guest::encode(guest::configured_body{}));
  CHECK(m.events.next<event::configured>());
  m.link->poweroff();
  m.agent->expect(frame_type::poweroff);
}

TEST_CASE("a guest that was stopped by its hypervisor is asked when it goes on", "[faults]") {
  reactor loop;
  fake_machine m(loop);
  m.agent->protocol = guest::protocol_version;
  m.agent->hello();
  answer_clock(*m.agent, 0, guest::clock_keeper::ntp);
  const std::string resumed = "{\"QMP\": {}}\r\n{\"event\": \"RESUME\", \"timestamp\": {}}\r\n";
  REQUIRE(::write(m.qmp.get(), resumed.data(), resumed.size()) > 0);
  answer_clock(*m.agent, -10'000 * ms);
  CHECK(correction_for(*m.agent).how == guest::correction::step);
}
