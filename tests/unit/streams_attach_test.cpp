// Streams whose server goes away.
#include "io_house.hpp"

using namespace banger;
using namespace banger::io;
using namespace banger::io::test;

TEST_CASE("a stream whose server went away goes on with the next one, where it was") {
  house h;
  fake_machine m(h.loop);
  m.agent->hello();
  opened o(h, m);
  m.agent->send(frame_type::data, o.session, "first", stream_id::out, 0);
  CHECK(o.client.expect(frame_type::data).payload == "first");
  h.server.reset();
  CHECK_FALSE(o.client.receive()); // closed, and nobody said that the command failed
  m.link->close();
  in_reactor(h.loop, [] {});

  connected_pair to_agent;
  fake_agent agent(std::move(to_agent.far));
  hypervisor::running_machine machine;
  machine.process.pid = m.process.pid();
  machine.pidfd = m.process.pidfd();
  machine.agent = std::move(to_agent.near);
  const auto link = open_link(h.loop, std::move(machine), m.console_log(), m.events.listener());
  agent.say_hello(agent.sync_epoch(), {o.session});
  REQUIRE(m.events.next<event::hello>());
  // Its lock is inherited by the process that plays the machine, so the next one serves elsewhere.
  const auto socket = h.folder.path / "next.sock";
  auto again = serve_streams(h.loop, socket, {});
  REQUIRE(again);

  fake_client client(socket, (*again)->offer_attach(link, o.session, {5, 0}));
  const auto attach = agent.expect(frame_type::attach);
  CHECK(attach.head.session == o.session);
  CHECK(guest::decode<guest::attach_body>(attach.payload)->out == 5);
  agent.send(frame_type::ack, o.session, {}, stream_id::in, 7);
  agent.send(frame_type::data, o.session, "second", stream_id::out, 5);
  CHECK(client.expect(frame_type::ack).head.offset == 7);
  CHECK(client.expect(frame_type::data).payload == "second");
  client.send(frame_type::data, 1, "input", stream_id::in, 7);
  CHECK(agent.expect(frame_type::data).payload == "input");
  fake_client other(socket, (*again)->offer_attach(link, o.session + 1, {}));
  CHECK(other.expect_end().find("is gone") != std::string::npos);
  link->close();
}

TEST_CASE("after an attach, input waits until the guest has said where it stands") {
  house h;
  fake_machine m(h.loop);
  m.agent->say_hello(m.agent->sync_epoch(), {42});
  REQUIRE(m.events.next<event::hello>());
  auto client = h.connect(h.server->offer_attach(m.link, 42, {}));
  m.agent->expect(frame_type::attach);
  client.send(frame_type::data, 1, "too early", stream_id::in, 0);
  CHECK(client.expect_end().find("no place here") != std::string::npos);
}

TEST_CASE("the server lets go of its clients when it ends") {
  house h;
  fake_machine m(h.loop);
  m.agent->hello();
  opened s(h, m);
  h.server.reset();
  CHECK_FALSE(s.client.receive());
  CHECK_FALSE(m.agent->receive(100ms)); // the command was not closed: the next server may have it
}
