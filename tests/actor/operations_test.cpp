// The registry: who began an operation hears of it, and so does whoever comes back to it.
#include "actors/operations/operations.hpp"
#include "tests/actor/stage.hpp"

using namespace banger;
using namespace banger::test;
using namespace banger::messages;

namespace {

struct ears {
  std::vector<std::string> stages;
  std::vector<finished> ends;
};

struct double_state : actor::state_base {
  static inline const char* name = "double";
};

client_actor::behavior_type listen(client_actor::stateful_pointer<double_state> self, ears* all) {
  actor::make_sturdy(self);
  return {[all](const progress& p) { all->stages.push_back(p.stage); },
          [all](const finished& f) { all->ends.push_back(f); }};
}

operations::runner_actor::behavior_type
run(operations::runner_actor::stateful_pointer<double_state>, std::vector<std::string>* cancelled) {
  return {[cancelled](cancel_atom, const std::string& op) {
    cancelled->push_back(op);
    return true;
  }};
}

struct registry : stage {
  ears first, second;
  std::vector<std::string> cancelled;
  operations::operations_actor all = keep(operations::spawn_operations(system));
  client_actor anna = keep(system.spawn(listen, &first));
  client_actor bert = keep(system.spawn(listen, &second));
  operations::runner_actor runner = keep(system.spawn(run, &cancelled));

  void open(const std::string& op) {
    client->send(all, operations::opening_atom::value,
                 operations::opening{op, "vm.create", "otter", anna, runner});
    scheduler.run();
  }
  void report(const std::string& op, const std::string& where) {
    client->send(all, progress{op, where, "", 0});
    scheduler.run();
  }
  void end(const std::string& op, errc code = errc::none) {
    client->send(all, finished{op, {static_cast<std::uint8_t>(code), "", "", "", op}, {}, {}});
    scheduler.run();
  }
  void watch(const client_actor& who, const std::string& op) {
    caf::send_as(caf::actor_cast<caf::actor>(who), all, watch_atom::value, op);
    scheduler.run();
  }
  template <class Word>
  errc refusal(Word word, const std::string& op) {
    auto code = errc::none;
    client->send(all, word, op);
    scheduler.run();
    client->receive([](const operation_view&) {}, [](bool) {},
                    [&](const caf::error& e) { code = actor::from_error(e).code; },
                    caf::after(0s) >> [] { FAIL("no answer"); });
    return code;
  }
  std::vector<operation_view> list() {
    return ask<std::vector<operation_view>>(all, list_atom::value);
  }
};

} // namespace

TEST_CASE_METHOD(registry,
                 "a notice reaches those who follow an operation, and is no stage of it") {
  open("op-1");
  report("op-1", "launch");
  report("op-1", "notice");
  CHECK(first.stages == std::vector<std::string>{"launch", "notice"});
  REQUIRE(list().size() == 1);
  CHECK(list().front().stage == "launch");
}

TEST_CASE_METHOD(registry, "whoever comes to an operation later hears what follows, and its end") {
  open("op-a1");
  report("op-a1", "image");
  watch(bert, "op-a1");
  watch(bert, "op-a1"); // twice is once
  report("op-a1", "launch");
  end("op-a1");
  CHECK(first.stages == std::vector<std::string>{"image", "launch"});
  CHECK(second.stages == std::vector<std::string>{"launch"});
  CHECK(first.ends.size() == 1);
  CHECK(second.ends.size() == 1);
}

TEST_CASE_METHOD(registry, "an operation that has ended tells its end to whoever asks") {
  open("op-a1");
  end("op-a1", errc::timed_out);
  watch(bert, "op-a1");
  REQUIRE(second.ends.size() == 1);
  CHECK(second.ends.front().error.code == static_cast<std::uint8_t>(errc::timed_out));
}

TEST_CASE_METHOD(registry, "a client that is lost hears nothing more, and the operation goes on") {
  open("op-a1");
  watch(bert, "op-a1");
  caf::anon_send_exit(anna, caf::exit_reason::kill);
  scheduler.run();
  report("op-a1", "launch");
  end("op-a1");
  CHECK(first.stages.empty());
  CHECK(second.ends.size() == 1);
  CHECK(list().front().state == "done");
}

TEST_CASE_METHOD(registry, "the list shows what runs first, then what ended and how") {
  for (const auto* op : {"op-a1", "op-b2", "op-c3", "op-d4"})
    open(op);
  report("op-d4", "hello");
  end("op-b2", errc::cancelled);
  end("op-a1", errc::operation_failed);
  end("op-c3");
  std::vector<std::string> seen;
  for (const auto& o : list())
    seen.push_back(o.op + " " + o.state);
  CHECK(seen ==
        std::vector<std::string>{"op-d4 running", "op-b2 cancelled", "op-a1 failed", "op-c3 done"});
  CHECK(list().front().stage == "hello");
  CHECK(list().front().kind == "vm.create");
  CHECK(list().front().target == "otter");
}

TEST_CASE_METHOD(registry, "what ended is remembered for a while, not for ever") {
  for (std::size_t i = 0; i < operations::most_ended + 5; ++i) {
    const auto op = "op-" + std::to_string(1000 + i);
    open(op);
    end(op);
  }
  CHECK(list().size() == operations::most_ended);
  CHECK(refusal(watch_atom::value, "op-1000") == errc::not_found);
  CHECK(refusal(watch_atom::value, "op-1005") == errc::none);
}

TEST_CASE_METHOD(registry, "an operation is named by its id or the beginning of it") {
  open("op-abc1");
  open("op-abd2");
  CHECK(refusal(watch_atom::value, "op-abc1") == errc::none);
  CHECK(refusal(watch_atom::value, "abc") == errc::none);
  CHECK(refusal(watch_atom::value, "ab") == errc::ambiguous);
  CHECK(refusal(watch_atom::value, "x") == errc::not_found);
  CHECK(refusal(watch_atom::value, "") == errc::not_found);
}

TEST_CASE_METHOD(registry, "a cancel goes to whoever runs it, and is too late after the end") {
  open("op-a1");
  CHECK(ask<bool>(all, cancel_atom::value, std::string("op-a1")));
  CHECK(cancelled == std::vector<std::string>{"op-a1"});
  end("op-a1", errc::cancelled);
  CHECK_FALSE(ask<bool>(all, cancel_atom::value, std::string("op-a1")));
  CHECK(refusal(cancel_atom::value, "op-zz") == errc::not_found);
}

TEST_CASE_METHOD(registry, "a cancel is answered when the one who ran it is gone") {
  open("op-a1");
  caf::anon_send_exit(runner, caf::exit_reason::kill);
  scheduler.run();
  CHECK_FALSE(ask<bool>(all, cancel_atom::value, std::string("op-a1")));
}

TEST_CASE_METHOD(registry, "a drain is answered when nothing runs") {
  const auto drained = [this] {
    bool answered = false;
    client->receive([&] { answered = true; }, caf::after(0s) >> [] {});
    return answered;
  };
  open("op-a1");
  client->send(all, operations::drain_atom::value);
  scheduler.run();
  CHECK_FALSE(drained());
  end("op-a1");
  CHECK(drained());
  client->send(all, operations::drain_atom::value);
  scheduler.run();
  CHECK(drained());
}
