// Who comes onto the bridge, what changes there, and what is said again.
#include "tests/actor/network_scene.hpp"

using namespace banger;
using namespace banger::test;

TEST_CASE_METHOD(bridged,
                 "the first VM gets bridge, policy and names made, the next one only its own") {
  open();
  CHECK(told().empty()); // nothing is made before somebody needs it
  const auto lease = attach("otter");
  CHECK(lease->address == "10.213.0.2/20");
  CHECK(lease->gateway == "10.213.0.1");
  CHECK(lease->mac == "52:54:0a:d5:00:02");
  CHECK(lease->tap == "tap-fc-0ad50002");
  CHECK(lease->obstacles.empty()); // they are in nobody's way who stays here
  CHECK(told() == words{"bridge br-fc 10.213.0.0/20", "policy", "resolver 127.0.0.1:42069",
                        "admit 10.213.0.2", "open tap-fc-0ad50002"});
  CHECK(names == std::map<std::string, std::string>{{"otter", "10.213.0.2"}});
  const auto next = attach("heron", "10.213.0.9", true);
  CHECK(next->address == "10.213.0.9/20");
  CHECK(next->obstacles == words{"a wall"});
  CHECK(told() == words{"admit 10.213.0.9 nat", "open tap-fc-0ad50009"});
}

TEST_CASE_METHOD(bridged, "an address stays a VM's until it is forgotten, and is nobody else's") {
  open();
  attach("otter");
  detach("otter");
  scheduler.run();
  hear_done();
  CHECK(names.empty());
  CHECK(attach("heron", "10.213.0.2")->address == "10.213.0.3/20");
  CHECK(attach("otter")->address == "10.213.0.2/20");
  detach("otter");
  client->send(network, network::forget_atom::value, std::string("otter"));
  scheduler.run();
  hear_done();
  CHECK(attach("beaver")->address == "10.213.0.2/20");
}

TEST_CASE_METHOD(bridged,
                 "lesson 23: those who leave while others are being withdrawn leave together") {
  open();
  for (const auto* vm : {"otter", "heron", "beaver", "stoat"})
    attach(vm);
  told();
  for (const auto* vm : {"otter", "heron", "beaver", "stoat"})
    detach(vm);
  scheduler.run();
  for (int i = 0; i < 4; ++i)
    hear_done();
  const auto orders = told();
  CHECK(orders.front() == "close tap-fc-0ad50002");
  CHECK(std::count_if(orders.begin(), orders.end(),
                      [](const auto& o) { return o.rfind("close", 0) == 0; }) == 2);
  CHECK(std::find(orders.begin(), orders.end(),
                  "close tap-fc-0ad50003 tap-fc-0ad50004 tap-fc-0ad50005") != orders.end());
}

TEST_CASE_METHOD(bridged,
                 "without a helper a VM is refused with what to do, and a later one is found") {
  away = failure{errc::unavailable, "the root helper does not run", "", "start it", ""};
  open();
  CHECK(describe(refusal("otter")).find("start it") != std::string::npos);
  away.reset();
  CHECK(attach("otter")->address == "10.213.0.2/20");
}

TEST_CASE_METHOD(bridged, "a network that is in somebody's way is told with each VM") {
  open(fail(errc::bad_request, "VMs cannot have the network", "the host has the route"));
  CHECK(refusal("otter").code == errc::bad_request);
  say(network::detach_atom::value, network::departure{"op-2", "otter", {}, {}});
}

TEST_CASE_METHOD(bridged, "a helper that dies with an order under way fails it at once") {
  open();
  attach("otter");
  n.holds = {"open"};
  client->send(network, network::attach_atom::value,
               network::arrival{"op-1", "heron", "heron", {}, false});
  scheduler.run();
  caf::anon_send_exit(root_helper, caf::exit_reason::kill);
  scheduler.run();
  client->receive(
      [](const network::lease_ptr&) { FAIL("it cannot be"); },
      [](const caf::error& e) { CHECK(actor::from_error(e).code == errc::disconnected); },
      caf::after(0s) >> [] { FAIL("no answer"); });
  // The next one is told everything that is to be, with those who are there.
  n.holds.clear();
  start_helper();
  told();
  attach("beaver");
  CHECK(told().front() == "bridge br-fc 10.213.0.0/20");
  CHECK(n.policy.size() == 1); // otter
}

TEST_CASE_METHOD(bridged, "what could not be withdrawn is withdrawn with the next policy") {
  open();
  attach("otter");
  n.breaks_at = "close";
  detach("otter");
  scheduler.run();
  hear_done(); // a stop does not fail for it
  n.breaks_at.clear();
  told();
  attach("heron");
  CHECK(told().at(1) == "policy");
  CHECK(n.policy.empty());
}

TEST_CASE_METHOD(
    bridged,
    "somebody who flushed the tables costs nothing, and one who keeps doing it one start") {
  open();
  attach("otter");
  n.breaks_at = "admit";
  n.times = 1;
  told();
  attach("heron");
  CHECK(told() == words{"admit 10.213.0.3", "bridge br-fc 10.213.0.0/20", "policy",
                        "resolver 127.0.0.1:42069", "admit 10.213.0.3", "open tap-fc-0ad50003"});
  REQUIRE(n.policy.size() == 1); // heron comes by itself
  CHECK(n.policy.front().address == "10.213.0.2");
  n.breaks_at = "admit";
  n.times = -1;
  CHECK(refusal("beaver").code == errc::not_found);
}

TEST_CASE_METHOD(bridged, "after a restart of the daemon those who run are who is let through") {
  known = {{"otter", "otter", "10.213.0.7", true, "br-fc"},
           {"heron", "heron", "10.213.0.8", false, {}}};
  open();
  REQUIRE(n.policy.size() == 1);
  CHECK(n.policy.front().address == "10.213.0.7");
  CHECK(n.policy.front().nat);
  CHECK(names == std::map<std::string, std::string>{{"otter", "10.213.0.7"}});
  CHECK(attach("beaver", "10.213.0.8")->address == "10.213.0.2/20");
  CHECK(attach("heron", "10.213.0.8")->address == "10.213.0.8/20");
}

TEST_CASE_METHOD(bridged,
                 "what a daemon before us left is swept once, and what is another daemon's stays") {
  n.found.links = {{"br-fc", "bridge", "", 3, true, {}},
                   {"br-fc-dev", "bridge", "", 4, true, {}},
                   {"tap-fc-left", "tun", "br-fc", 5, true, {}},
                   {"tap-fc-other", "tun", "br-fc-dev", 6, true, {}}};
  known = {{"otter", "otter", "10.213.0.7", false, "br-fc"}};
  open();
  CHECK(n.kept.bridges == words{"br-fc", "br-fc-dev"});
  CHECK(n.kept.taps == words{"tap-fc-0ad50007", "tap-fc-other"});
  n.kept = {};
  caf::anon_send_exit(root_helper, caf::exit_reason::kill);
  scheduler.run();
  start_helper();
  attach("heron"); // the ground is laid anew, and nothing swept any more
  CHECK(n.kept.bridges.empty());
}

TEST_CASE_METHOD(bridged, "a VM whose name nobody answers for is told so, until somebody does") {
  SECTION("because the port is taken") {
    no_names = "the port is taken";
    name_server.clear();
    open();
    CHECK(attach("otter")->obstacles == words{"its name is not known: the port is taken"});
    CHECK(troubles.empty()); // it is known
  }
  SECTION("because the host asks nobody") {
    n.breaks_at = "resolver";
    n.times = 1;
    open();
    const std::string why = "resolver 127.0.0.1:42069 broke";
    CHECK(attach("otter")->obstacles == words{"its name is not known: " + why});
    CHECK(troubles == words{why});
    CHECK(set_nat("otter", true)->obstacles == words{"a wall", "its name is not known: " + why});
    caf::anon_send_exit(root_helper, caf::exit_reason::kill);
    scheduler.run();
    start_helper();
    attach("heron");
    CHECK(troubles == words{why, ""});
    CHECK(attach("beaver")->obstacles.empty());
  }
}

TEST_CASE_METHOD(bridged, "NAT and name change while a VM runs") {
  open();
  attach("otter");
  told();
  CHECK(set_nat("otter", true)->obstacles == words{"a wall"});
  CHECK(told() == words{"admit 10.213.0.2 nat"});
  say(network::rename_atom::value, std::string("otter"), std::string("beaver"));
  CHECK(names == std::map<std::string, std::string>{{"beaver", "10.213.0.2"}});
  CHECK(set_nat("otter", true) == nullptr); // as it was, and what is in its way, too
  CHECK(told().empty());
}

TEST_CASE_METHOD(bridged, "a change of NAT that failed is said again when it is taken back") {
  open();
  attach("otter");
  n.breaks_at = "admit";
  n.breaks_with = errc::operation_failed;
  n.times = 1;
  CHECK(nat_refusal("otter", true).code == errc::operation_failed);
  told();
  CHECK(set_nat("otter", false) != nullptr);
  CHECK(told().back() == "admit 10.213.0.2");
  CHECK(set_nat("otter", false) == nullptr);
}

TEST_CASE_METHOD(bridged, "NAT changes where the ground cannot be laid, and mends one that can") {
  known = {{"otter", "otter", "10.213.0.7", true, "br-fc"}};
  n.breaks_at = "bridge";
  n.breaks_with = errc::already_exists;
  open();
  told();
  CHECK(set_nat("otter", false) != nullptr);
  CHECK(told() == words{"bridge br-fc 10.213.0.0/20", "admit 10.213.0.7"});
  n.breaks_at.clear();
  CHECK(set_nat("otter", true) != nullptr);
  CHECK(told() == words{"bridge br-fc 10.213.0.0/20", "policy", "resolver 127.0.0.1:42069",
                        "admit 10.213.0.7 nat"});
}

TEST_CASE_METHOD(bridged, "a VM that runs has its address before those that rest") {
  known = {{"heron", "heron", "10.213.0.2", false, {}},
           {"stoat", "stoat", "10.99.0.2", false, {}}, // of another network, once
           {"otter", "otter", "10.213.0.2", false, "br-fc"}};
  open();
  CHECK(names == std::map<std::string, std::string>{{"otter", "10.213.0.2"}});
  CHECK(attach("heron", "10.213.0.2")->address == "10.213.0.3/20");
}

TEST_CASE_METHOD(bridged,
                 "of a VM on another bridge nothing is changed, and it is taken off there") {
  known = {{"otter", "otter", "10.213.0.7", true, "br-fc-old"}};
  open(*ipv4_net::parse("10.214.0.0/20"));
  told();
  const auto refused = nat_refusal("otter", false);
  CHECK(refused.code == errc::unavailable);
  CHECK(refused.what.find("VM otter") != std::string::npos);
  CHECK(refused.why.find("br-fc-old") != std::string::npos);
  CHECK_FALSE(refused.remedy.empty());
  CHECK(set_nat("otter", true) == nullptr); // of a rename
  CHECK(nat_refusal("nobody", false).code == errc::unavailable);
  CHECK(told().empty());
  detach("otter", "br-fc-old", "10.213.0.7/20");
  scheduler.run();
  hear_done();
  CHECK(told() == words{"close tap-fc-0ad50007", "expel 10.213.0.7"});
  CHECK(n.bridge == "br-fc-old");
  CHECK(n.network == "10.213.0.0/20");
}

TEST_CASE_METHOD(bridged, "a daemon without a network takes off the bridge who stops") {
  known = {{"otter", "otter", "10.213.0.7", true, "br-fc"}};
  open(fail(errc::bad_request, "VMs cannot have the network", "the host has the route"));
  CHECK(nat_refusal("otter", false).code == errc::unavailable);
  detach("otter", "br-fc", "10.213.0.7/20");
  scheduler.run();
  hear_done();
  CHECK(told() == words{"close tap-fc-0ad50007", "expel 10.213.0.7"});
}

TEST_CASE_METHOD(bridged, "a place that somebody else has by now is not taken from him") {
  open();
  attach("otter", "10.213.0.7");
  told();
  say(network::detach_atom::value, network::departure{"op-2", "heron", "br-fc", "10.213.0.7/20"});
  say(network::detach_atom::value, network::departure{"op-2", "heron", {}, {}});
  CHECK(told().empty());
}
