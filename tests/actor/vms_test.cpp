// The directory and its clients, with VMs whose machines are doubles.
#include "tests/actor/vms_scene.hpp"

#include <thread>

using namespace banger;
using namespace banger::test;
using namespace banger::messages;

TEST_CASE_METHOD(town, "a create is announced to the one who asked, and listed") {
  begin(good("otter"));
  REQUIRE(in.ends.size() == 1);
  CHECK(in.ends.front().error.code == 0);
  CHECK(in.ends.front().vm.name == "otter");
  REQUIRE(list().size() == 1);
  CHECK(list().front().state == "running");
  CHECK_FALSE(in.news.empty());
}

TEST_CASE_METHOD(town, "bad input is refused field by field and leaves no VM") {
  const auto with = [](auto change) {
    auto r = good("otter");
    change(r);
    return r;
  };
  CHECK(refusal(with([](auto& r) { r.name = "Otter"; })).why.find("position 1") !=
        std::string::npos);
  CHECK(refusal(with([](auto& r) { r.name = std::string(64, 'a'); })).why.find("max is 63") !=
        std::string::npos);
  CHECK(refusal(with([](auto& r) { r.image = "../etc"; })).code == errc::bad_request);
  CHECK(refusal(with([](auto& r) { r.image = "gentoo"; })).code == errc::not_found);
  CHECK(refusal(with([](auto& r) { r.vcpu = 0; })).what == "invalid vCPU count 0");
  CHECK(refusal(with([](auto& r) { r.vcpu = -1; })).code == errc::bad_request);
  CHECK(refusal(with([](auto& r) { r.vcpu = 5; })).why == "this host has 4 CPUs");
  CHECK(refusal(with([](auto& r) { r.memory_mib = 0; })).code == errc::bad_request);
  CHECK(refusal(with([](auto& r) { r.memory_mib = INT64_MAX; })).why == "this host has 8 GiB");
  CHECK(refusal(with([](auto& r) { r.disk_bytes = 1; })).code == errc::bad_request);
  CHECK(refusal(with([](auto& r) { r.disk_bytes = UINT64_MAX; })).code == errc::bad_request);
  CHECK(list().empty());
  CHECK(s.said.empty());
}

TEST_CASE_METHOD(town, "a taken name is refused, and free again after the VM is gone") {
  begin(good("otter"));
  CHECK(refusal(good("otter")).code == errc::already_exists);
  begin(verb_request{"delete", "otter"});
  CHECK(list().empty());
  CHECK(refusal(good("otter")).code == errc::none);
}

TEST_CASE_METHOD(town, "no command at all is a login shell, and wants a terminal") {
  begin(good("otter"));
  const auto refused = [this](std::vector<std::string> argv, bool tty) {
    failure why{errc::none, {}, {}, {}, {}};
    client->send(vms, exec_atom::value,
                 exec_request{"otter", std::move(argv), {}, {}, true, tty, 24, 80});
    scheduler.run();
    client->receive([](const stream_ticket&) {},
                    [&](const caf::error& e) { why = actor::from_error(e); },
                    caf::after(0s) >> [] { FAIL("no answer"); });
    return why.code;
  };
  CHECK(refused({}, false) == errc::bad_request);
  CHECK(refused({""}, true) == errc::bad_request);
  CHECK(refused({}, true) == errc::none);
  CHECK(refused({"true"}, false) == errc::none);
}

TEST_CASE_METHOD(town, "a create that fails leaves neither a VM nor its name") {
  s.breaks_at = "root-disk";
  begin(good("otter"));
  REQUIRE(in.ends.size() == 1);
  CHECK(in.ends.front().error.what == "root-disk broke");
  CHECK(list().empty());
}

TEST_CASE_METHOD(town, "the list answers while a start hangs, and names the step") {
  s.hangs = {"hello"};
  begin(good("otter"));
  REQUIRE(list().size() == 1);
  CHECK(list().front().operation == "hello");
}

TEST_CASE_METHOD(
    town,
    "when the client of an ephemeral VM is lost, its create is cancelled and the VM deleted") {
  for (const bool during_create : {true, false}) {
    town t;
    if (during_create)
      t.s.hangs = {"hello"};
    t.begin(good("otter", true));
    REQUIRE(t.list().size() == 1);
    caf::anon_send_exit(t.otto, caf::exit_reason::kill);
    t.scheduler.run();
    CHECK(t.list().empty());
  }
}

TEST_CASE_METHOD(town, "when the client of a lasting VM is lost, the VM stays") {
  begin(good("otter"));
  caf::anon_send_exit(otto, caf::exit_reason::kill);
  scheduler.run();
  CHECK(list().size() == 1);
}

TEST_CASE_METHOD(town,
                 "a VM actor that dies of a bug fails its operations and leaves the others alone") {
  s.hangs = {"hello"};
  begin(good("otter"));
  begin(good("heron"));
  caf::anon_send_exit(made.front(), caf::exit_reason::kill);
  scheduler.run();
  REQUIRE(in.ends.size() == 1);
  CHECK(in.ends.front().error.what == "the VM's actor failed");
  const auto seen = list();
  REQUIRE(seen.size() == 2);
  CHECK(std::count_if(seen.begin(), seen.end(), [](const auto& v) { return v.state == "error"; }) ==
        1);
  CHECK(std::count_if(seen.begin(), seen.end(),
                      [](const auto& v) { return v.operation == "hello"; }) >= 1);
}

TEST_CASE_METHOD(town, "a drain takes no new operations and answers when the last one has ended") {
  s.hangs = {"hello"};
  begin(good("otter"));
  const auto drained = [this] {
    bool answered = false;
    client->receive([&] { answered = true; }, caf::after(0s) >> [] {});
    return answered;
  };
  client->send(vms, vms::drain_atom::value);
  scheduler.run();
  CHECK_FALSE(drained());
  caf::send_as(caf::actor_cast<caf::actor>(otto), operations, cancel_atom::value,
               in.news.front().op);
  caf::send_as(caf::actor_cast<caf::actor>(otto), vms, begin_atom::value, good("heron"));
  scheduler.run();
  CHECK(drained());
  CHECK(in.ends.size() == 1);
  CHECK(list().empty());
}

TEST_CASE_METHOD(town, "an error that a client sends back does no harm") {
  begin(good("otter")); // `otto` refuses the answer, which CAF tells the directory as an error
  CHECK(list().size() == 1);
}

TEST_CASE_METHOD(town, "unknown verbs and unknown VMs are told apart") {
  const auto ask_verb = [this](const std::string& verb, const std::string& ref) {
    failure why{errc::none, {}, {}, {}, {}};
    client->send(vms, begin_atom::value, verb_request{verb, ref});
    scheduler.run();
    client->receive([](const op_ticket&) {},
                    [&](const caf::error& e) { why = actor::from_error(e); },
                    caf::after(0s) >> [] { FAIL("no answer"); });
    return why.code;
  };
  CHECK(ask_verb("explode", "otter") == errc::unknown_method);
  CHECK(ask_verb("sweep", "otter") == errc::unknown_method);
  CHECK(ask_verb("create", "otter") == errc::unknown_method);
  CHECK(ask_verb("stop", "otter") == errc::not_found);
}

TEST_CASE_METHOD(
    town, "an ephemeral VM of an earlier daemon waits for its client, and goes if none comes") {
  for (const bool comes : {true, false}) {
    town t;
    t.open({{some_vm("heron", vm::state::running, true), vm::recovery::adopt}});
    REQUIRE(t.s.said == std::vector<std::string>{"adopt"});
    const auto id = t.list().front().id;
    if (comes)
      caf::send_as(caf::actor_cast<caf::actor>(t.otto), t.vms, attach_atom::value,
                   attach_request{id, 77, 1, 2, true});
    t.scheduler.run();
    t.scheduler.advance_time(21s);
    t.scheduler.run();
    CHECK(t.list().size() == (comes ? 1 : 0));
    if (!comes)
      continue;
    CHECK(t.s.said.back() == "attach 77");
    caf::anon_send_exit(t.otto, caf::exit_reason::kill);
    t.scheduler.run();
    CHECK(t.list().empty());
  }
}

TEST_CASE_METHOD(town, "an attach does not make a lasting VM live for its client") {
  begin(good("otter"));
  caf::send_as(caf::actor_cast<caf::actor>(otto), vms, attach_atom::value,
               attach_request{"otter", 77, 0, 0, true});
  caf::anon_send_exit(otto, caf::exit_reason::kill);
  scheduler.run();
  CHECK(list().size() == 1);
}

TEST_CASE_METHOD(
    town, "a burst of news reaches the client at most ten times a second, its last word included") {
  s.hangs = {"image"};
  begin(good("otter"));
  const auto op = in.news.front().op;
  const auto before = in.news.size();
  for (int i = 0; i < 50; ++i)
    client->send(vms, progress{op, "image", "part " + std::to_string(i), 0});
  scheduler.run();
  scheduler.advance_time(100ms);
  scheduler.run();
  CHECK(in.news.size() - before <= 2);
  CHECK(in.news.back().detail == "part 49");
}

TEST_CASE_METHOD(town, "a rename is taken at once, and the old name is free when it is done") {
  begin(good("otter"));
  begin(good("heron"));
  in.ends.clear();
  const auto id = named("otter").id;
  caf::send_as(caf::actor_cast<caf::actor>(otto), vms, begin_atom::value,
               set_request{"otter", "beaver"});
  // Before anybody has worked, the new name is promised.
  caf::send_as(caf::actor_cast<caf::actor>(otto), vms, begin_atom::value,
               set_request{"heron", "beaver"});
  scheduler.run();
  REQUIRE(in.ends.size() == 1);
  CHECK(in.ends.front().error.code == 0);
  CHECK(named("beaver").id == id);
  CHECK(named("heron").state == "running");
  begin(good("otter"));
  CHECK(list().size() == 3);
  CHECK(refusal(good("beaver")).code == errc::already_exists);
}

TEST_CASE_METHOD(town, "a change that cannot be is refused before anything begins") {
  begin(good("otter"));
  const auto refused = [this](const set_request& request) { return refusal(request).code; };
  CHECK(refused({"nobody", "beaver"}) == errc::not_found);
  CHECK(refused({"otter", "Not A Name"}) == errc::bad_request);
  CHECK(refused({"otter", "otter"}) == errc::already_exists);
  CHECK(refused({"otter", "", -1}) == errc::bad_request);
  CHECK(refused({"otter", "", 5}) == errc::bad_request);
  CHECK(refused({"otter", "", 0, 9'000'000}) == errc::bad_request);
  CHECK(refused({"otter", "", 0, 0, 1}) == errc::bad_request);
  CHECK(list().front().name == "otter");
}

TEST_CASE_METHOD(town, "a VM that nobody makes use of is stopped after a while") {
  stale_after = 10min;
  open({});
  begin(good("otter"));
  begin(good("heron"));
  scheduler.advance_time(6min);
  scheduler.run();
  std::this_thread::sleep_for(2ms); // touches are told apart by the wall clock
  client->send(vms, touch_atom::value, std::string("heron"));
  scheduler.run();
  for (int i = 0; i < 5; ++i) {
    (void)ask<vm_detail>(vms, show_atom::value, std::string("otter")); // looking is no use
    scheduler.advance_time(1min);
    scheduler.run();
  }
  CHECK(named("otter").state == "stopped");
  CHECK(named("heron").state == "running");
}

TEST_CASE_METHOD(town, "a VM in which a command runs is not stopped, however long it takes") {
  stale_after = 10min;
  open({});
  begin(good("otter"));
  s.in_use = true;
  scheduler.advance_time(11min);
  scheduler.run();
  CHECK(named("otter").state == "running");
  s.in_use = false;
  std::this_thread::sleep_for(2ms);                // uses are told apart by the wall clock
  client->send(made.back(), vm::used_atom::value); // its end
  scheduler.run();
  for (int i = 0; i < 9; ++i) {
    scheduler.advance_time(1min);
    scheduler.run();
  }
  CHECK(named("otter").state == "running");
  scheduler.advance_time(2min);
  scheduler.run();
  CHECK(named("otter").state == "stopped");
}

TEST_CASE_METHOD(town, "figures, ports, health and console are answered while a start hangs") {
  s.hangs = {"hello"};
  begin(good("otter"));
  REQUIRE(list().front().operation == "hello");
  const auto stats = ask<vm_stats>(vms, stats_atom::value, std::string("otter"));
  CHECK(stats.name == "otter");
  CHECK(stats.state == "created");
  CHECK(stats.pid == 4711); // committed when it was launched
  CHECK(ask<vm_ports>(vms, ports_atom::value, std::string("ott")).name == "otter");
  CHECK(ask<vm_health>(vms, health_atom::value, std::string("otter")).name == "otter");
  CHECK(ask<stream_ticket>(vms, console_atom::value, std::string("otter")).token == "token");
  CHECK(list().front().operation == "hello");
}

TEST_CASE_METHOD(town, "reads of a VM that is not there are refused") {
  const auto refused = [this](auto what) {
    errc code = errc::none;
    client->send(vms, what, std::string("nobody"));
    scheduler.run();
    client->receive([&](const caf::error& e) { code = actor::from_error(e).code; },
                    caf::after(0s) >> [] { FAIL("no answer"); });
    return code;
  };
  CHECK(refused(stats_atom::value) == errc::not_found);
  CHECK(refused(ports_atom::value) == errc::not_found);
  CHECK(refused(health_atom::value) == errc::not_found);
  CHECK(refused(console_atom::value) == errc::not_found);
}

TEST_CASE_METHOD(town, "a delete of what is at rest spares a VM that was started meanwhile") {
  const verb_request prune{.verb = "delete", .ref = "otter", .only_at_rest = true};
  begin(good("otter"));
  begin(prune); // it runs
  REQUIRE(in.ends.size() == 2);
  CHECK(static_cast<errc>(in.ends.back().error.code) == errc::bad_request);
  CHECK(in.ends.back().error.why == "it is running");
  CHECK(list().size() == 1);
  begin(verb_request{"stop", "otter"});
  s.hangs = {"hello"};
  begin(verb_request{"start", "otter"});
  begin(prune); // it is about to run
  CHECK(in.ends.back().error.why == "an operation of it is under way");
  CHECK(in.ends.back().error.operation == in.ends.back().op);
  CHECK(list().front().operation == "hello");
}

TEST_CASE_METHOD(town, "a delete of what is at rest deletes what is at rest") {
  begin(good("otter"));
  begin(verb_request{"stop", "otter"});
  begin(verb_request{.verb = "delete", .ref = "otter", .only_at_rest = true});
  CHECK(in.ends.back().error.code == 0);
  CHECK(list().empty());
}

TEST_CASE_METHOD(town, "a nested VM that this host cannot run is neither made nor set") {
  const auto nested = [](const std::string& name, std::int64_t vcpu) {
    auto request = good(name);
    request.nested = true;
    request.vcpu = vcpu;
    return request;
  };
  CHECK(refusal(nested("otter", 2)).code == errc::unavailable);
  CHECK(list().empty());
  begin(nested("otter", 1));
  CHECK(named("otter").nested);
  set_request vcpu, both, name;
  vcpu.ref = both.ref = name.ref = "otter";
  name.name = "beaver";
  vcpu.vcpu = both.vcpu = 2;
  both.nested = 0;
  CHECK(refusal(vcpu).code == errc::unavailable);
  CHECK(refusal(both).code == errc::none);
  CHECK(refusal(name).code == errc::none);
}
