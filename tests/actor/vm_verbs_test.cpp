// The verbs that change a VM, and those that end what it is doing.
#include "tests/actor/conversation.hpp"

#include <thread>

using namespace banger;
using namespace banger::test;

TEST_CASE_METHOD(conversation, "a restart is one operation: nothing gets between stop and start") {
  wake(some_vm("otter"));
  run("op-1", vm::verb::create);
  s.said.clear();
  order("op-2", vm::verb::restart);
  order("op-3", vm::verb::stop);
  scheduler.run();
  CHECK(s.said == std::vector<std::string>{"do shutdown", "do release", "do image", "do folder",
                                           "do root-disk", "do work-disk", "do launch", "do hello",
                                           "do configure", "do flush", "do shutdown",
                                           "do release"});
  CHECK(end_of("op-2") == errc::none);
  CHECK(look().last_start.size() == 8);
}

TEST_CASE_METHOD(conversation, "a restart whose start breaks undoes the start and not the stop") {
  wake(some_vm("otter"));
  run("op-1", vm::verb::create);
  s.said.clear();
  s.breaks_at = "launch";
  run("op-2", vm::verb::restart);
  CHECK(end_of("op-2") == errc::operation_failed);
  CHECK(std::count(s.said.begin(), s.said.end(), "undo shutdown") == 0);
  CHECK(s.said.back() == "undo image");
  CHECK(look().view.state == "error");
  CHECK(look().pid == 0);
}

TEST_CASE_METHOD(conversation, "a forced kill ends a start that hangs, and what waits behind it") {
  s.hangs = {"hello"};
  wake(some_vm("otter", vm::state::stopped));
  order("op-1", vm::verb::start);
  order("op-2", vm::verb::stop);
  scheduler.run();
  CHECK(look().view.operation == "hello");
  vm::order force{"op-3", vm::verb::kill};
  force.force = true;
  client->send(otter, vm::order_atom::value, force);
  scheduler.run();
  CHECK(end_of("op-1") == errc::cancelled);
  CHECK(end_of("op-2") == errc::cancelled);
  CHECK(end_of("op-3") == errc::none);
  CHECK(std::count(s.said.begin(), s.said.end(), "undo launch") == 1);
  CHECK(look().view.state == "stopped");
  CHECK(look().pid == 0);
}

TEST_CASE_METHOD(conversation, "a forced kill comes also where too many wait already") {
  s.hangs = {"hello"};
  wake(some_vm("otter", vm::state::stopped));
  for (int i = 0; i < 20; ++i)
    order("op-" + std::to_string(i), i == 0 ? vm::verb::start : vm::verb::stop);
  scheduler.run();
  CHECK(end_of("op-19") == errc::busy);
  vm::order force{"op-x", vm::verb::kill};
  force.force = true;
  client->send(otter, vm::order_atom::value, force);
  scheduler.run();
  CHECK(end_of("op-x") == errc::none);
  CHECK(end_of("op-15") == errc::cancelled);
  CHECK(look().view.state == "stopped");
}

TEST_CASE_METHOD(conversation, "a forced kill ends a stop that hangs") {
  wake(some_vm("otter"));
  run("op-1", vm::verb::create);
  s.hangs = {"shutdown"};
  order("op-2", vm::verb::stop);
  scheduler.run();
  vm::order force{"op-3", vm::verb::kill};
  force.force = true;
  client->send(otter, vm::order_atom::value, force);
  scheduler.run();
  CHECK(end_of("op-2") == errc::cancelled);
  CHECK(end_of("op-3") == errc::none);
  CHECK(s.said.back() == "do release");
  CHECK(look().view.state == "stopped");
}

TEST_CASE_METHOD(conversation,
                 "a forced kill of a VM that is being made leaves none, and succeeds") {
  s.hangs = {"hello"};
  wake(some_vm("otter"));
  order("op-1", vm::verb::create);
  scheduler.run();
  vm::order force{"op-2", vm::verb::kill};
  force.force = true;
  client->send(otter, vm::order_atom::value, force);
  scheduler.run();
  CHECK(end_of("op-1") == errc::cancelled);
  CHECK(end_of("op-2") == errc::none);
  CHECK(h.last.state == "deleted");
}

TEST_CASE_METHOD(conversation,
                 "a change is kept when all of it is done, and none of it otherwise") {
  wake(some_vm("otter", vm::state::stopped));
  vm::order set{"op-1", vm::verb::set};
  set.to.vcpu = 2;
  set.to.disk_bytes = 128 * MiB;
  s.breaks_at = "grow-disk";
  s.times = 1;
  client->send(otter, vm::order_atom::value, set);
  scheduler.run();
  CHECK(end_of("op-1") == errc::operation_failed);
  CHECK(s.said == std::vector<std::string>{"do grow-disk", "undo grow-disk"});
  CHECK(look().view.vcpu == 1);
  CHECK(look().view.state == "stopped");
  set.op = "op-2";
  client->send(otter, vm::order_atom::value, set);
  scheduler.run();
  CHECK(end_of("op-2") == errc::none);
  CHECK(look().view.vcpu == 2);
  CHECK(look().view.disk_bytes == 128 * MiB);
}

TEST_CASE_METHOD(conversation, "a change that was cut off by a crash is undone at the next start") {
  wake(some_vm("otter", vm::state::stopped), vm::recovery::revert);
  CHECK(s.said == std::vector<std::string>{"undo grow-disk"});
  CHECK(look().view.state == "stopped");
  CHECK(look().view.operation.empty());
}

TEST_CASE_METHOD(conversation,
                 "a change of a VM that runs, cut off by a crash, is undone and costs it nothing") {
  auto vm = some_vm("otter", vm::state::running);
  vm.machine.process.pid = 17;
  wake(vm, vm::recovery::revert);
  CHECK(s.said == std::vector<std::string>{"adopt"}); // its disk is in use, and cannot have grown
  CHECK(look().view.state == "running");
  CHECK(look().view.operation.empty());
  CHECK(look().pid == 17);
}

TEST_CASE_METHOD(conversation, "a restart that was cut off by a crash is carried through") {
  auto vm = some_vm("otter", vm::state::running);
  vm.machine.process.pid = 17;
  s.hangs = {"hello"};
  wake(vm, vm::recovery::restart);
  CHECK(h.own.back().what == vm::verb::restart); // so that another crash finds it journaled again
  s.hangs = {};
  client->send(host, vm::abort_atom::value);
  scheduler.run();
}

TEST_CASE_METHOD(conversation, "what a crash cut off of a restart is done in order") {
  auto vm = some_vm("otter", vm::state::running);
  vm.machine.process.pid = 17;
  wake(vm, vm::recovery::restart);
  CHECK(s.said.front() == "do shutdown");
  CHECK(s.said.back() == "do flush");
  CHECK(look().view.state == "running");
}

TEST_CASE_METHOD(conversation, "commands and touches count as use, reads do not") {
  wake(some_vm("otter"));
  run("op-1", vm::verb::create);
  const auto before = look().view.touched_ms;
  std::this_thread::sleep_for(2ms);
  CHECK(look().view.touched_ms == before);
  ask<messages::stream_ticket>(otter, messages::exec_atom::value,
                               messages::exec_request{"otter", {"true"}, {}, {}});
  const auto used = h.last.touched_ms;
  CHECK(used > before);
  std::this_thread::sleep_for(2ms);
  client->send(otter, vm::touch_atom::value);
  scheduler.run();
  CHECK(h.last.touched_ms > used);
}
