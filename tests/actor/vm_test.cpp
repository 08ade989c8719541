// One VM, its machine and its directory, one message at a time.
#include "tests/actor/conversation.hpp"

using namespace banger;
using namespace banger::test;
using messages::finished;
using messages::progress;
using messages::vm_view;

namespace {

// A store that only writes down what it is told.
store::store_actor::behavior_type write_down(store::store_actor::pointer,
                                             std::vector<std::string>* words) {
  const auto state = [](const vm::record_ptr& r) { return std::string(to_string(r->now)); };
  return {
      [=](store::save_atom, const vm::record_ptr& r) { words->push_back("save " + state(r)); },
      [=](store::intend_atom, const store::intent& i) { words->push_back("intend " + i.step); },
      [=](store::settle_atom, const vm::record_ptr& r) { words->push_back("settle " + state(r)); },
      [=](store::erase_atom, const std::string&) { words->emplace_back("erase"); },
      [](store::find_atom, const std::string&) { return store::snapshot_ptr(); }};
}

const std::vector<std::string> whole_start = {"do image",     "do folder", "do root-disk",
                                              "do work-disk", "do launch", "do hello",
                                              "do configure", "do flush"};

} // namespace

TEST_CASE_METHOD(conversation,
                 "a create does its steps in order, tells each, and leaves the VM running") {
  wake(some_vm("otter"));
  run("op-1", vm::verb::create);
  CHECK(s.said == whole_start);
  CHECK(h.stages == std::vector<std::string>{"image", "folder", "root-disk", "work-disk", "launch",
                                             "hello", "configure", "flush"});
  CHECK(end_of("op-1") == errc::none);
  CHECK(h.last.state == "running");
  CHECK(look().pid == 4711);
  CHECK(h.ends.front().stages.size() == 8);
}

TEST_CASE_METHOD(
    conversation,
    "a create that breaks is undone in reverse, from the step that broke, and leaves no VM") {
  s.breaks_at = "launch";
  wake(some_vm("otter"));
  run("op-1", vm::verb::create);
  CHECK(s.said == std::vector<std::string>{"do image", "do folder", "do root-disk", "do work-disk",
                                           "do launch", "undo launch", "undo work-disk",
                                           "undo root-disk", "undo folder", "undo image"});
  CHECK(end_of("op-1") == errc::operation_failed);
  CHECK(h.ends.front().error.what == "launch broke");
  CHECK(h.ends.front().error.operation == "op-1");
  CHECK(h.last.state == "deleted");
}

TEST_CASE_METHOD(conversation, "a boot that hangs once is tried again, counted and shown") {
  s.breaks_at = "hello";
  s.breaks_with = errc::timed_out;
  s.times = 1;
  wake(some_vm("otter"));
  run("op-1", vm::verb::create);
  CHECK(end_of("op-1") == errc::none);
  CHECK(look().start_retries == 1);
  CHECK(std::count(h.stages.begin(), h.stages.end(), "retry") == 1);
  CHECK(std::count(s.said.begin(), s.said.end(), "do launch") == 2);
  CHECK(std::count(s.said.begin(), s.said.end(), "undo launch") == 1);
  CHECK(std::count(s.said.begin(), s.said.end(), "do root-disk") == 1);
}

TEST_CASE_METHOD(conversation, "a boot that hangs twice fails") {
  s.breaks_at = "hello";
  s.breaks_with = errc::timed_out;
  wake(some_vm("otter"));
  run("op-1", vm::verb::create);
  CHECK(end_of("op-1") == errc::timed_out);
  CHECK(h.last.state == "deleted");
}

TEST_CASE_METHOD(conversation, "a start waits for the image's init only when it is asked to") {
  wake(some_vm("otter"));
  client->send(otter, vm::order_atom::value, vm::order{"op-1", vm::verb::create, true});
  scheduler.run();
  CHECK(s.said.back() == "do boot");
  CHECK(end_of("op-1") == errc::none);
  CHECK(h.last.state == "running");
}

TEST_CASE_METHOD(conversation, "an init that is not done in time fails the wait, not the VM") {
  s.breaks_at = "boot";
  s.breaks_with = errc::timed_out;
  wake(some_vm("otter"));
  client->send(otter, vm::order_atom::value, vm::order{"op-1", vm::verb::create, true});
  scheduler.run();
  CHECK(end_of("op-1") == errc::timed_out);
  CHECK(h.ends.front().error.operation == "op-1");
  CHECK(h.last.state == "running");
  CHECK(look().pid == 4711);
  CHECK(s.said.back() == "do boot");
}

TEST_CASE_METHOD(conversation, "while an init is waited for the VM is recorded as running") {
  s.hangs = {"boot"};
  std::vector<std::string> journal;
  store = keep(system.spawn(write_down, &journal));
  wake(some_vm("otter"));
  client->send(otter, vm::order_atom::value, vm::order{"op-1", vm::verb::create, true});
  scheduler.run();
  CHECK(look().view.state == "running");
  CHECK(look().view.operation == "boot");
  CHECK(journal.back() == "settle running"); // a daemon that ends here leaves it alone
  // A cancel takes it back all the same, and says so in the journal before it begins.
  CHECK(ask<bool>(otter, messages::cancel_atom::value, std::string("op-1")));
  CHECK(end_of("op-1") == errc::cancelled);
  CHECK(h.last.state == "deleted");
  CHECK(std::count(s.said.begin(), s.said.end(), "undo launch") == 1);
  CHECK(journal.at(journal.size() - 2) == "intend boot");
  CHECK(journal.back() == "erase");
}

TEST_CASE_METHOD(conversation,
                 "a machine that ends while its init is waited for is kept, in error") {
  s.hangs = {"boot"};
  wake(some_vm("otter"));
  client->send(otter, vm::order_atom::value, vm::order{"op-1", vm::verb::create, true});
  scheduler.run();
  client->send(otter, vm::machine_ended{"the hypervisor ended unexpectedly", "panic"});
  client->send(host, vm::abort_atom::value); // the step fails after the end was told
  scheduler.run();
  CHECK(end_of("op-1") != errc::none);
  CHECK(look().view.state == "error");
  CHECK(look().pid == 0);
  CHECK(look().last_error.find("panic") != std::string::npos);
}

TEST_CASE_METHOD(conversation, "a kill ends the machine without asking the guest") {
  wake(some_vm("otter"));
  run("op-1", vm::verb::create);
  s.said.clear();
  run("op-2", vm::verb::kill);
  CHECK(s.said == std::vector<std::string>{"do kill", "do release"});
  CHECK(look().view.state == "stopped");
  CHECK(look().pid == 0);
}

TEST_CASE_METHOD(
    conversation,
    "a start that breaks leaves the VM in error with the reason, and delete still works") {
  s.breaks_at = "configure";
  wake(some_vm("otter", vm::state::stopped));
  run("op-1", vm::verb::start);
  CHECK(look().view.state == "error");
  CHECK(look().last_error.find("configure broke") != std::string::npos);
  run("op-2", vm::verb::remove);
  CHECK(end_of("op-2") == errc::none);
  CHECK(h.last.state == "deleted");
}

TEST_CASE_METHOD(conversation,
                 "a stop that arrives during a start waits for it, and show waits for neither") {
  s.hangs = {"hello"};
  wake(some_vm("otter"));
  order("op-1", vm::verb::create);
  order("op-2", vm::verb::stop);
  scheduler.run();
  CHECK(look().view.operation == "hello");
  CHECK(look().view.queued == 1);
  CHECK(h.ends.empty());
  CHECK(std::count(s.said.begin(), s.said.end(), "do shutdown") == 0);
}

TEST_CASE_METHOD(
    conversation,
    "a cancel ends the step that runs, undoes it, and the next operation gets its turn") {
  s.hangs = {"hello"};
  wake(some_vm("otter", vm::state::stopped));
  order("op-1", vm::verb::start);
  order("op-2", vm::verb::stop);
  scheduler.run();
  CHECK(ask<bool>(otter, messages::cancel_atom::value, std::string("op-1")));
  CHECK(end_of("op-1") == errc::cancelled);
  CHECK(end_of("op-2") == errc::none);
  CHECK(look().view.state == "stopped");
  CHECK(std::count(s.said.begin(), s.said.end(), "undo launch") == 1);
}

TEST_CASE_METHOD(conversation, "a cancel at any step of a create leaves nothing") {
  for (const auto& step :
       {"image", "folder", "root-disk", "work-disk", "launch", "hello", "configure", "flush"}) {
    conversation c;
    c.s.hangs = {step};
    c.wake(some_vm("otter"));
    c.run("op-1", vm::verb::create);
    CHECK(c.ask<bool>(c.otter, messages::cancel_atom::value, std::string("op-1")));
    CHECK(c.end_of("op-1") == errc::cancelled);
    CHECK(c.h.last.state == "deleted");
    CHECK(c.s.said.back() == "undo image");
  }
}

TEST_CASE_METHOD(conversation, "an operation that still waits is cancelled without being begun") {
  s.hangs = {"hello"};
  wake(some_vm("otter"));
  order("op-1", vm::verb::create);
  order("op-2", vm::verb::remove);
  scheduler.run();
  CHECK(ask<bool>(otter, messages::cancel_atom::value, std::string("op-2")));
  CHECK(end_of("op-2") == errc::cancelled);
  CHECK_FALSE(ask<bool>(otter, messages::cancel_atom::value, std::string("op-2")));
}

TEST_CASE_METHOD(conversation, "operations behind a delete are told that the VM is gone") {
  s.hangs = {"hello"};
  wake(some_vm("otter"));
  order("op-1", vm::verb::create);
  order("op-2", vm::verb::remove);
  order("op-3", vm::verb::start);
  scheduler.run();
  client->send(otter, messages::cancel_atom::value, std::string("op-1"));
  scheduler.run();
  CHECK(end_of("op-3") == errc::not_found);
}

TEST_CASE_METHOD(conversation, "the queue is bounded, and what does not fit is told so at once") {
  s.hangs = {"hello"};
  wake(some_vm("otter"));
  run("op-0", vm::verb::create);
  for (int i = 0; i < 17; ++i)
    order("op-b" + std::to_string(i), vm::verb::stop);
  scheduler.run();
  CHECK(end_of("op-b16") == errc::busy);
  CHECK(look().view.queued == 15);
}

TEST_CASE_METHOD(
    conversation,
    "a guest that powers itself off is stopped, one that dies is in error with the reason") {
  for (const bool orderly : {true, false}) {
    conversation c;
    c.wake(some_vm("otter", vm::state::running));
    c.client->send(c.otter,
                   vm::machine_ended{orderly ? "" : "the hypervisor ended unexpectedly", "panic"});
    c.scheduler.run();
    CHECK(c.look().view.state == (orderly ? "stopped" : "error"));
    CHECK((c.look().last_error.find("panic") != std::string::npos) != orderly);
    CHECK(c.look().pid == 0);
  }
}

TEST_CASE_METHOD(conversation, "exec reaches a running VM only") {
  wake(some_vm("otter", vm::state::stopped));
  client->send(otter, messages::exec_atom::value,
               messages::exec_request{"otter", {"true"}, {}, {}, false});
  scheduler.run();
  bool refused = false;
  client->receive(
      [&](const caf::error& e) { refused = actor::from_error(e).code == errc::not_running; },
      caf::after(0s) >> [] { FAIL("no answer"); });
  CHECK(refused);
  run("op-1", vm::verb::start);
  const auto ticket = ask<messages::stream_ticket>(
      otter, messages::exec_atom::value, messages::exec_request{"otter", {"true"}, {}, {}, false});
  CHECK(ticket.token == "token");
}

TEST_CASE_METHOD(conversation,
                 "a daemon start adopts what runs and sweeps or removes what was cut off") {
  SECTION("adopt") {
    wake(some_vm("otter", vm::state::running), vm::recovery::adopt);
    CHECK(s.said == std::vector<std::string>{"adopt"});
    CHECK(look().view.state == "running");
  }
  SECTION("sweep") {
    wake(some_vm("otter", vm::state::created), vm::recovery::sweep);
    CHECK(s.said == std::vector<std::string>{"do kill", "do release"});
    CHECK(look().view.state == "stopped");
  }
  SECTION("remove") {
    wake(some_vm("otter", vm::state::created), vm::recovery::remove);
    CHECK(s.said == std::vector<std::string>{"do kill", "do release", "do files"});
    CHECK(h.last.state == "deleted");
  }
  SECTION("it ended while nobody watched") {
    wake(some_vm("otter", vm::state::running), vm::recovery::stopped);
    CHECK(look().view.state == "error");
    CHECK_FALSE(look().last_error.empty());
  }
}

TEST_CASE_METHOD(conversation, "a create whose hypervisor does not end keeps the VM, in error") {
  s.breaks_at = "hello";
  s.stays = "launch";
  wake(some_vm("otter"));
  run("op-1", vm::verb::create);
  CHECK(s.said.back() == "undo launch"); // its disks and its folder are in use
  CHECK(look().view.state == "error");
  CHECK(look().pid == 4711);
  CHECK_THAT(look().last_error, Catch::Contains("hello broke"));
  CHECK_THAT(look().last_error, Catch::Contains("could not be undone: it does not end"));
  s.said.clear();
  run("op-2", vm::verb::remove);
  CHECK(end_of("op-2") == errc::none);
  CHECK(s.said == std::vector<std::string>{"do kill", "do release", "do files"});
}

TEST_CASE_METHOD(conversation, "a boot is not tried again beside a hypervisor that does not end") {
  s.breaks_at = "hello";
  s.breaks_with = errc::timed_out;
  s.stays = "launch";
  wake(some_vm("otter", vm::state::stopped));
  run("op-1", vm::verb::start);
  CHECK(std::count(s.said.begin(), s.said.end(), "do launch") == 1);
  CHECK(look().view.state == "error");
}

namespace {

// A disk that is full.
store::store_actor::behavior_type full_store(store::store_actor::pointer, const bool* full) {
  const auto write = [full]() -> caf::result<void> {
    if (*full)
      return actor::to_error({errc::operation_failed, "cannot write", "it is full", {}, {}});
    return actor::answer(expected<void>{});
  };
  return {[=](store::save_atom, const vm::record_ptr&) { return write(); },
          [=](store::intend_atom, const store::intent&) { return write(); },
          [=](store::settle_atom, const vm::record_ptr&) { return write(); },
          [=](store::erase_atom, const std::string&) { return write(); },
          [](store::find_atom, const std::string&) { return store::snapshot_ptr(); }};
}

} // namespace

TEST_CASE_METHOD(conversation, "what cannot be journaled is not begun, and harms nothing") {
  bool full = true;
  store = keep(system.spawn(full_store, &full));
  auto vm = some_vm("otter", vm::state::running);
  vm.machine.process.pid = 17;
  wake(vm);
  for (const auto what : {vm::verb::stop, vm::verb::kill, vm::verb::restart})
    run("op-" + std::string(to_string(what)), what);
  CHECK(s.said.empty());
  CHECK(end_of("op-stop") == errc::operation_failed);
  CHECK(look().view.state == "running");
  full = false;
  run("op-2", vm::verb::stop);
  CHECK(end_of("op-2") == errc::none);
}

TEST_CASE_METHOD(conversation, "a delete frees a full disk, so it does not wait for the journal") {
  bool full = true;
  store = keep(system.spawn(full_store, &full));
  wake(some_vm("otter", vm::state::stopped));
  run("op-1", vm::verb::remove);
  CHECK(s.said == std::vector<std::string>{"do kill", "do release", "do files"});
}

TEST_CASE_METHOD(conversation, "a cancel that comes while the intent is written is not forgotten") {
  wake(some_vm("otter", vm::state::stopped));
  order("op-1", vm::verb::start);
  scheduler.run_once(); // the order
  client->send(otter, messages::cancel_atom::value, std::string("op-1"));
  scheduler.run();
  CHECK(std::count(s.said.begin(), s.said.end(), "do launch") == 0);
  CHECK(end_of("op-1") == errc::cancelled);
  CHECK(look().view.state == "stopped");
}

TEST_CASE_METHOD(conversation, "an end that came during one operation is known to the next") {
  auto vm = some_vm("otter", vm::state::running);
  vm.machine.process.pid = 17;
  s.hangs = {"grow-disk"};
  wake(vm);
  vm::order set{"op-1", vm::verb::set};
  set.to.autostart = true;
  client->send(otter, vm::order_atom::value, set);
  client->send(otter, vm::machine_ended{"the hypervisor ended unexpectedly", "panic"});
  order("op-2", vm::verb::start);
  scheduler.run();
  CHECK(end_of("op-2") == errc::none);
  CHECK(look().view.state == "running");
}
