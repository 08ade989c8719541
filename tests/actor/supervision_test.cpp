// VM actors that die of bugs, and who comes after them.
#include "tests/actor/town.hpp"

using namespace banger;
using namespace banger::test;
using namespace banger::messages;

namespace {

errc code_of(const finished& end) { return static_cast<errc>(end.error.code); }

} // namespace

TEST_CASE_METHOD(supervised_town,
                 "a VM actor that dies at rest is made again and takes over what runs") {
  create("otter");
  create("heron");
  for (const auto why : {caf::exit_reason::kill, caf::exit_reason::unhandled_exception}) {
    s.said.clear();
    kill(made.size() == 2 ? made.front() : made.back(), why);
    CHECK(s.said == std::vector<std::string>{"adopt"});
    CHECK(state_of("otter") == "running");
    CHECK(show("otter").pid == 4711);
  }
  CHECK(made.size() == 4);
  CHECK(ends.size() == 2); // the creates: nothing else ended
  order("stop", "otter");
  CHECK(code_of(ends.back()) == errc::none);
  CHECK(state_of("otter") == "stopped");
  CHECK(state_of("heron") == "running");
}

TEST_CASE_METHOD(supervised_town, "a VM that ended while its actor was dead is told so") {
  create("otter");
  process_lives = false;
  kill(made.front());
  CHECK(state_of("otter") == "error");
  CHECK_THAT(show("otter").last_error, Catch::Contains("ended while no daemon watched"));
}

TEST_CASE_METHOD(
    supervised_town,
    "an actor that dies in a start ends the start at once, and what ran is swept away") {
  create("otter");
  create("heron");
  order("stop", "otter");
  s.hangs = {"hello"};
  order("start", "otter");
  order("delete", "heron");
  const auto before = ends.size();
  kill(made.front());
  s.hangs.clear();
  REQUIRE(ends.size() == before + 1);
  CHECK(ends.back().error.what == "the VM's actor failed");
  CHECK(ends.back().error.operation == ends.back().op);
  CHECK(state_of("otter") == "stopped");
  CHECK(said("do kill") >= 1);
  order("start", "otter");
  CHECK(code_of(ends.back()) == errc::none);
  CHECK(state_of("otter") == "running");
}

TEST_CASE_METHOD(supervised_town,
                 "an actor that dies in a create leaves no VM, as a failure would") {
  s.hangs = {"hello"};
  create("otter");
  REQUIRE(list().size() == 1);
  kill(made.front());
  REQUIRE(ends.size() == 1);
  CHECK(code_of(ends.front()) == errc::operation_failed);
  CHECK(list().empty());
  CHECK(said("do files") == 1);
  s.hangs.clear();
  create("otter"); // its name is free
  CHECK(state_of("otter") == "running");
}

TEST_CASE("an actor that dies at any message of a create leaves no VM") {
  for (int messages = 1; messages < 500; ++messages) {
    supervised_town t;
    t.client->send(t.vms, begin_atom::value,
                   create_request{"otter", "tiny", 1, 256, 64 * MiB, false, false});
    bool spawned = false;
    for (int i = 0; i < messages && t.scheduler.try_run_once(); ++i)
      spawned = !t.made.empty();
    if (!spawned)
      continue;
    t.kill(t.made.front());
    INFO(messages);
    const auto left = t.state_of("otter");
    CHECK((left == "not there" || left == "running"));
    if (left == "running")
      return; // it was done before
  }
  FAIL("no create was ever done");
}

TEST_CASE_METHOD(supervised_town, "an actor that dies in a stop leaves a VM that is stopped") {
  create("otter");
  s.hangs = {"shutdown"};
  order("stop", "otter");
  order("start", "otter"); // waits for its turn
  kill(made.front());
  REQUIRE(ends.size() == 3);
  CHECK(code_of(ends[1]) == errc::operation_failed);
  CHECK(code_of(ends[2]) == errc::operation_failed);
  CHECK(state_of("otter") == "stopped");
  order("start", "otter");
  CHECK(code_of(ends.back()) == errc::none);
}

TEST_CASE_METHOD(supervised_town, "the sixth death within ten minutes is the last, and told") {
  create("otter");
  create("heron");
  kill(made.front());
  for (int i = 0; i < 4; ++i)
    kill(made.back());
  CHECK(made.size() == 7);
  CHECK(state_of("otter") == "running");
  kill(made.back());
  CHECK(made.size() == 7);
  CHECK(state_of("otter") == "error");
  CHECK_THAT(show("otter").last_error, Catch::Contains("died 6 times within 10 minutes"));
  const auto refused = [this](auto... words) {
    std::string why;
    client->send(vms, words...);
    scheduler.run();
    client->receive([](const op_ticket&) {}, [](const stream_ticket&) {},
                    [&](const caf::error& e) { why = describe(actor::from_error(e)); },
                    caf::after(0s) >> [] { FAIL("no answer"); });
    return why;
  };
  CHECK_THAT(refused(exec_atom::value, exec_request{"otter", {"true"}, {}, {}}),
             Catch::Contains("died 6 times"));
  CHECK(state_of("heron") == "running");
}

TEST_CASE_METHOD(supervised_town, "a VM that was given up can be stopped, started and deleted") {
  for (const auto* verb : {"stop", "restart", "delete"}) {
    supervised_town t;
    t.create("otter");
    for (int i = 0; i < 6; ++i)
      t.kill(t.made.back());
    REQUIRE(t.state_of("otter") == "error");
    t.order(verb, "otter");
    CHECK(code_of(t.ends.back()) == errc::none);
    CHECK(t.state_of("otter") == (std::string(verb) == "delete" ? "not there"
                                  : std::string(verb) == "stop" ? "stopped"
                                                                : "running"));
  }
}

TEST_CASE_METHOD(supervised_town, "what a VM does by itself after a crash is an operation, too") {
  create("otter");
  s.hangs = {"shutdown"};
  order("stop", "otter");
  kill(made.front());
  CHECK(state_of("otter") == "stopped");
  const auto swept = std::any_of(lines.begin(), lines.end(), [](const auto& line) {
    return line.find("vm.sweep") != std::string::npos;
  });
  CHECK(swept);
}

TEST_CASE_METHOD(supervised_town, "deaths that lie apart are no reason to give up") {
  create("otter");
  for (int i = 0; i < 20; ++i) {
    kill(made.back());
    scheduler.advance_time(3min);
    scheduler.run();
  }
  CHECK(state_of("otter") == "running");
}

TEST_CASE_METHOD(supervised_town,
                 "nobody takes a machine over as long as somebody works for the dead actor") {
  create("otter");
  const auto id = list().front().id;
  auto works = vms::attend(recall, id);
  auto works_too = vms::attend(recall, id);
  s.said.clear();
  kill(made.front());
  CHECK(list().front().operation == "restarting");
  CHECK(show("otter").view.name == "otter"); // reads do not wait
  client->send(vms, exec_atom::value, exec_request{"otter", {"true"}, {}, {}});
  order("stop", "otter");
  works.reset();
  scheduler.run();
  CHECK(s.said.empty());
  works_too.reset();
  scheduler.run();
  REQUIRE(s.said.size() > 2);
  CHECK(s.said.front() == "adopt");
  // What was said meanwhile was held, not lost.
  client->receive([](const stream_ticket& t) { CHECK(t.token == "token"); },
                  [](const caf::error&) { FAIL("refused"); },
                  caf::after(0s) >> [] { FAIL("no answer"); });
  CHECK(code_of(ends.back()) == errc::none);
  CHECK(state_of("otter") == "stopped");
}

TEST_CASE_METHOD(supervised_town, "a VM actor and its machine end with each other") {
  create("otter");
  const auto machine_of = [this](const vm::vm_actor& vm) {
    return ask<vm::machine_actor>(vm, vm::machine_atom::value);
  };
  const auto first = machine_of(made.back());
  kill(made.back());
  const auto second = machine_of(made.back());
  CHECK(first != second);
  bool dead = false;
  client->request(first, 1s, vm::open_atom::value, exec_request{"otter", {"true"}, {}, {}})
      .receive([](const stream_ticket&) {}, [&](const caf::error&) { dead = true; });
  CHECK(dead);
  caf::anon_send_exit(second, caf::exit_reason::kill);
  scheduler.run();
  CHECK(made.size() == 3);
  CHECK(state_of("otter") == "running");
}

TEST_CASE_METHOD(supervised_town,
                 "a client whose stream was cut by a restart has time to come back to its VM") {
  for (const bool comes : {true, false}) {
    supervised_town t;
    t.create("otter", true);
    const auto id = t.list().front().id;
    t.kill(t.made.front());
    CHECK(t.state_of("otter") == "running");
    caf::anon_send_exit(t.otto, caf::exit_reason::kill);
    t.scheduler.run();
    if (comes)
      t.client->send(t.vms, attach_atom::value, attach_request{id, 7, 0, 0, true});
    t.scheduler.run();
    t.scheduler.advance_time(21s);
    t.scheduler.run();
    CHECK(t.list().size() == (comes ? 1 : 0));
  }
}

TEST_CASE_METHOD(supervised_town, "a daemon that is not for tests lets nobody end an actor") {
  create("otter");
  auto code = errc::none;
  client->send(vms, crash_atom::value, std::string("otter"));
  scheduler.run();
  client->receive([] {}, [&](const caf::error& e) { code = actor::from_error(e).code; },
                  caf::after(0s) >> [] { FAIL("no answer"); });
  CHECK(code == errc::unknown_method);
  CHECK(made.size() == 1);
}
