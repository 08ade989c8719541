// What a machine does without an order: its guest reboots, its hypervisor halts it.
#include "tests/actor/conversation.hpp"

using namespace banger;
using namespace banger::test;

TEST_CASE_METHOD(conversation,
                 "a guest that reboots is started again, as an operation of its own") {
  auto vm = some_vm("otter", vm::state::running);
  vm.machine.process.pid = 17;
  wake(vm);
  client->send(otter, vm::machine_ended{{}, "bye", true});
  scheduler.run();
  REQUIRE(h.own.size() == 1);
  CHECK(h.own.front().what == vm::verb::reboot);
  CHECK(look().view.state == "running");
  CHECK(look().pid == 4711);
  CHECK(std::count(s.said.begin(), s.said.end(), "do shutdown") == 0);
  CHECK(std::count(s.said.begin(), s.said.end(), "do launch") == 1);
}

TEST_CASE_METHOD(conversation, "a reboot in the middle of an operation is done once, after it") {
  auto vm = some_vm("otter", vm::state::running);
  vm.machine.process.pid = 17;
  s.hangs = {"grow-disk"};
  wake(vm);
  vm::order set{"op-1", vm::verb::set};
  set.to.autostart = true;
  client->send(otter, vm::order_atom::value, set);
  client->send(otter, vm::machine_ended{{}, "bye", true});
  const bool stopped = GENERATE(false, true);
  if (stopped)
    order("op-2", vm::verb::stop);
  scheduler.run();
  CHECK(end_of("op-1") == errc::none);
  CHECK(h.own.size() == 1);
  CHECK(h.ends.size() == (stopped ? 3 : 2));
  CHECK(look().view.state == (stopped ? "stopped" : "running"));
  CHECK(std::count(s.said.begin(), s.said.end(), "do launch") == (stopped ? 0 : 1));
}

TEST_CASE_METHOD(conversation, "a guest that reboots again and again is left in error") {
  wake(some_vm("otter", vm::state::running));
  for (int i = 0; i < 6; ++i) {
    client->send(otter, vm::machine_ended{{}, "bye", true});
    scheduler.run();
    CHECK(look().view.state == (i < 5 ? "running" : "error"));
  }
  CHECK(look().last_error.find("rebooted 6 times within 10 minutes") != std::string::npos);
  CHECK(h.own.size() == 5);
}

TEST_CASE_METHOD(conversation, "a VM that is paused says why, and refuses commands with that") {
  wake(some_vm("otter", vm::state::running));
  client->send(otter, vm::machine_paused{"no space left on /vms"});
  scheduler.run();
  CHECK(look().view.state == "paused");
  CHECK(look().view.paused == "no space left on /vms");
  client->send(otter, messages::exec_atom::value,
               messages::exec_request{"otter", {"true"}, {}, {}, false});
  scheduler.run();
  failure why{errc::none, {}, {}, {}, {}};
  client->receive([&](const caf::error& e) { why = actor::from_error(e); },
                  caf::after(0s) >> [] { FAIL("no answer"); });
  CHECK(why.code == errc::unavailable);
  CHECK(why.why == "no space left on /vms");
  client->send(otter, vm::machine_paused{});
  scheduler.run();
  CHECK(look().view.state == "running");
}
