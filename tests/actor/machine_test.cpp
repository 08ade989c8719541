// The machine itself, as far as it needs neither hypervisor nor guest.
#include "tests/actor/stage.hpp"

#include <optional>

using namespace banger;
using namespace banger::test;

namespace {

struct workbench : stage {
  std::optional<work::pool> hands{1};
  vm::machine_room room;
  vm::machine_listener owner = keep(system.spawn([]() -> vm::machine_listener::behavior_type {
    return {[](const image::note&) {}, [](const vm::machine_ended&) {},
            [](const vm::machine_paused&) {}, [](vm::used_atom) {}};
  }));

  workbench() {
    // A disk that never has what is asked of it.
    const auto act = [](vm::build&, const std::stop_token& stop) -> expected<void> {
      while (!stop.stop_requested())
        std::this_thread::yield();
      return fail(errc::cancelled, "as the token says");
    };
    room.capabilities = {
        {"slow", {{{"slow-disk", "waiting"}, act, [](vm::build&) {}}}, {}, {}, {}}};
    room.images = images;
    room.workers = room.readers = room.flushers = &*hands;
  }
  ~workbench() {
    hands.reset();
    end_all();
  }
};

} // namespace

TEST_CASE_METHOD(workbench, "a step on the host that takes longer than it may has failed") {
  const auto machine = keep(vm::spawn_machine(system, room, owner));
  vm::step_request request{"op-1", "slow-disk", vm::verb::start,
                           std::make_shared<const vm::record>(some_vm("otter"))};
  request.at_most = 5s;
  client->send(machine, vm::do_atom::value, request);
  scheduler.run();
  scheduler.advance_time(4s);
  scheduler.run();
  client->receive([](const vm::record_ptr&) { FAIL("it cannot be done"); },
                  [](const caf::error&) { FAIL("it has time left"); },
                  caf::after(0s) >> [] { SUCCEED("it waits"); });
  scheduler.advance_time(2s);
  scheduler.run(); // the stop is asked for
  hands.reset();   // the job has ended
  scheduler.run();
  failure why{errc::none, {}, {}, {}, {}};
  client->receive([](const vm::record_ptr&) { FAIL("it cannot be done"); },
                  [&](const caf::error& e) { why = actor::from_error(e); },
                  caf::after(0s) >> [] { FAIL("no answer"); });
  CHECK(why.code == errc::timed_out);
  CHECK(why.what == "the step slow-disk took too long");
}
