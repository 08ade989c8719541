// Who leaves the bridge while others come and go.
#include "tests/actor/network_scene.hpp"

using namespace banger;
using namespace banger::test;

TEST_CASE_METHOD(bridged, "who comes back while it is being withdrawn waits for that") {
  open();
  for (const auto* vm : {"heron", "otter"})
    attach(vm);
  n.holds = {"close", "expel"};
  told();
  detach("heron");
  detach("otter"); // is in the next batch
  scheduler.run();
  come("otter", "10.213.0.3");
  CHECK(told() == words{"close tap-fc-0ad50002"});
  hear_nothing();
  for (int i = 0; i < 3; ++i)
    let_go();
  CHECK(told() == words{"expel 10.213.0.2", "close tap-fc-0ad50003", "expel 10.213.0.3"});
  hear_done();
  hear_nothing();
  let_go();
  CHECK(told() == words{"admit 10.213.0.3", "open tap-fc-0ad50003"});
  hear_done();
  CHECK(hear_lease()->address == "10.213.0.3/20");
  CHECK(names.count("otter") == 1);
}

TEST_CASE_METHOD(bridged, "who gets the address of one that is being withdrawn waits for that") {
  open();
  attach("otter");
  n.holds = {"close"};
  detach("otter");
  scheduler.run();
  forget("otter");
  told();
  come("heron");
  CHECK(told().empty());
  let_go();
  CHECK(told() == words{"expel 10.213.0.2", "admit 10.213.0.2", "open tap-fc-0ad50002"});
  hear_done();
  CHECK(hear_lease()->address == "10.213.0.2/20");
}

TEST_CASE_METHOD(bridged, "one that leaves twice is told twice, when it has left") {
  open();
  attach("otter");
  n.holds = {"close"};
  detach("otter");
  scheduler.run();
  detach("otter");
  scheduler.run();
  hear_nothing();
  let_go();
  hear_done();
  hear_done();
}

TEST_CASE_METHOD(bridged, "who leaves while it comes is not let in afterwards, wherever it was") {
  for (const std::string at : {"bridge", "policy", "resolver", "admit", "open"}) {
    INFO(at);
    bridged b;
    b.open();
    b.n.holds = {at};
    b.come("otter");
    b.told();
    b.detach("otter");
    b.scheduler.run();
    b.n.holds.clear();
    b.let_go();
    CHECK(b.hear_refusal().code == errc::cancelled);
    const auto orders = b.told();
    if (at == "admit" || at == "open")
      b.hear_done();
    for (const auto& order : orders) {
      CHECK(order.rfind("admit", 0) != 0);
      CHECK(order.rfind("open", 0) != 0);
    }
    CHECK((!orders.empty() && orders.back() == "expel 10.213.0.2") ==
          (at == "admit" || at == "open"));
    CHECK(b.names.empty());
    // Once more, and it is in.
    CHECK(b.attach("otter")->address == "10.213.0.2/20");
    CHECK(b.names.size() == 1);
  }
}

TEST_CASE_METHOD(bridged, "who waits for its own end and leaves again does not come") {
  open();
  attach("otter");
  n.holds = {"close"};
  detach("otter");
  scheduler.run();
  come("otter");
  detach("otter");
  scheduler.run();
  CHECK(hear_refusal().code == errc::cancelled);
  told();
  let_go();
  CHECK(told() == words{"expel 10.213.0.2"});
  hear_done();
  hear_done();
}

TEST_CASE_METHOD(bridged, "many that leave at once leave the helper room for one that comes") {
  open();
  for (int i = 0; i < 64; ++i)
    attach("vm" + std::to_string(i));
  n.most = 64;
  n.holds = {"expel", "admit"};
  for (int i = 0; i < 64; ++i)
    detach("vm" + std::to_string(i));
  scheduler.run();
  for (int i = 0; i < 40; ++i)
    client->send(network, network::attach_atom::value,
                 network::arrival{"op-1", "new" + std::to_string(i), "new", {}, false});
  for (int i = 0; i < 20; ++i)
    let_go();
  int gone = 0, in = 0;
  for (int i = 0; i < 104; ++i)
    client->receive([&](const network::lease_ptr&) { ++in; }, [&] { ++gone; },
                    [](const caf::error& e) { FAIL(describe(actor::from_error(e))); },
                    caf::after(0s) >> [] {});
  CHECK(gone == 64);
  CHECK(in == 40);
  n.holds.clear();
  told();
  attach("otter");
  CHECK(told().front().rfind("admit", 0) == 0); // nobody doubts the ground
}

TEST_CASE_METHOD(bridged, "what a busy helper did not take away is taken away later") {
  open();
  attach("otter");
  n.breaks_with = errc::busy;
  for (const std::string at : {"close", "expel"}) {
    attach("otter");
    n.breaks_at = at;
    n.times = 2;
    detach("otter");
    scheduler.run();
    hear_nothing();
    told();
    for (int i = 0; i < 2; ++i) {
      scheduler.advance_time(1s);
      scheduler.run();
    }
    hear_done();
    CHECK(told().back() == "expel 10.213.0.2");
  }
  // It is not asked for ever.
  attach("otter");
  n.times = -1;
  detach("otter");
  for (int i = 0; i < 30; ++i) {
    scheduler.run();
    scheduler.advance_time(1s);
  }
  hear_done();
}

TEST_CASE_METHOD(bridged, "a daemon that ends takes names back, and the bridge that nobody is on") {
  open();
  attach("otter");
  told();
  say(network::part_atom::value);
  CHECK(told() == words{"no resolver"});
  detach("otter");
  scheduler.run();
  hear_done();
  told();
  say(network::part_atom::value);
  CHECK(told() == words{"no resolver", "no bridge br-fc"});
}

TEST_CASE_METHOD(bridged, "a daemon that ends waits for those who leave") {
  open();
  attach("otter");
  attach("heron");
  n.holds = {"close"};
  detach("otter");
  detach("heron");
  scheduler.run();
  told();
  client->send(network, network::part_atom::value);
  scheduler.run();
  CHECK(told().empty());
  let_go();
  let_go();
  CHECK(told() == words{"expel 10.213.0.2", "close tap-fc-0ad50003", "expel 10.213.0.3",
                        "no resolver", "no bridge br-fc"});
}

TEST_CASE_METHOD(bridged, "a daemon that made nothing, or has no helper, ends at once") {
  open();
  say(network::part_atom::value);
  CHECK(told().empty());
  attach("otter");
  detach("otter");
  scheduler.run();
  hear_done();
  caf::anon_send_exit(root_helper, caf::exit_reason::kill);
  scheduler.run();
  away = failure{errc::unavailable, "the root helper does not run", "", "start it", ""};
  say(network::part_atom::value);
}

TEST_CASE_METHOD(bridged, "a bridge of somebody else stays when the daemon ends") {
  n.found.links = {{"br-fc", "bridge", "", 3, true, {}}};
  n.breaks_at = "bridge";
  n.breaks_with = errc::already_exists;
  open();
  CHECK(told() == words{"bridge br-fc 10.213.0.0/20"});
  say(network::part_atom::value);
  CHECK(told().empty());
}

TEST_CASE_METHOD(bridged, "where the port for names is taken, nobody is sent there any more") {
  name_server.clear();
  open();
  attach("otter");
  CHECK(told() == words{"bridge br-fc 10.213.0.0/20", "policy", "no resolver", "admit 10.213.0.2",
                        "open tap-fc-0ad50002"});
}
