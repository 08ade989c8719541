// Commands that share a link.
#include "guest/order_parts.hpp"
#include "link_scene.hpp"

#include <thread>

using namespace banger;
using namespace banger::io;
using namespace banger::io::test;

TEST_CASE("sessions have numbers of their own, and late frames of a closed one go nowhere") {
  reactor loop;
  fake_machine m(loop);
  m.agent->hello();
  auto sessions = std::dynamic_pointer_cast<session_link>(m.link);
  auto first = std::make_shared<counting_sink>();
  auto second = std::make_shared<counting_sink>();
  in_reactor(loop, [&] {
    CHECK(sessions->open_session(1, {}, first));
    CHECK(sessions->open_session(2, {}, second));
    CHECK(sessions->open_session(2, {}, first).error().code == errc::already_exists);
    CHECK_FALSE(sessions->open_session(0, {}, first));
    sessions->close_session(1);
    CHECK(sessions->open_session(3, {}, second));
  });
  for (const auto type : {frame_type::open, frame_type::open, frame_type::close, frame_type::open})
    m.agent->expect(type);
  m.agent->send(frame_type::data, 1, "late", stream_id::out);
  m.agent->send(frame_type::data, 2, "on time", stream_id::out);
  m.agent->send(frame_type::stopping, 0);
  REQUIRE(m.events.next<event::stopping>());
  in_reactor(loop, [&] {
    CHECK(first->bytes == 0);
    CHECK(second->bytes == 7);
    CHECK(second->batches == 1);
  });
  m.process.kill();
  REQUIRE(m.events.next<event::exited>());
  in_reactor(loop, [&] {
    CHECK(second->lost == "the machine ended");
    CHECK(first->lost.empty());
  });
}

TEST_CASE("commands that an earlier daemon left wait for their clients, and are ended then") {
  reactor loop;
  connected_pair ends;
  fake_agent agent(std::move(ends.far));
  recorder events;
  agent_channel::callbacks on;
  on.on_event = events.listener();
  on.on_log = [](std::string_view) {};
  on.on_lost = [](bool, const std::string&) {};
  const auto channel = std::make_shared<agent_channel>(loop, std::move(ends.near), on, 300ms);
  in_reactor(loop, [&] { channel->start(); });
  agent.say_hello(agent.sync_epoch(), {1, 7});
  REQUIRE(events.next<event::hello>());
  auto sink = std::make_shared<counting_sink>();
  in_reactor(loop, [&] {
    CHECK(channel->open_session(7, {}, sink).error().code == errc::already_exists);
    CHECK(channel->attach_session(2, {}, sink).error().code == errc::not_found);
    CHECK(channel->attach_session(7, {10, 20}, sink));
    CHECK(channel->attach_session(7, {10, 20}, sink).error().code == errc::not_found);
  });
  const auto attach = agent.expect(frame_type::attach);
  CHECK(attach.head.session == 7);
  const auto from = guest::decode<guest::attach_body>(attach.payload);
  REQUIRE(from);
  CHECK(from->out == 10);
  CHECK(from->err == 20);
  const auto ended = agent.expect(frame_type::close);
  CHECK(ended.head.session == 1);
  agent.send(frame_type::data, 7, "more", stream_id::out, 10);
  agent.send(frame_type::stopping, 0);
  REQUIRE(events.next<event::stopping>());
  in_reactor(loop, [&] {
    CHECK(sink->bytes == 4);
    channel->end("the test is over");
  });
}

TEST_CASE("an agent that does not read makes the way congested, and relief is told") {
  reactor loop;
  fake_machine m(loop);
  m.agent->hello();
  REQUIRE(m.events.next<event::hello>());
  auto sessions = std::dynamic_pointer_cast<session_link>(m.link);
  auto sink = std::make_shared<counting_sink>();
  std::size_t sent = 0;
  in_reactor(loop, [&] {
    constexpr std::uint32_t id = 9;
    CHECK(sessions->open_session(id, {}, sink));
    while (!sessions->congested() && sent < 10'000'000) {
      sessions->send({frame_type::data, stream_id::in, id, 0, sent}, std::string(50000, 'x'));
      sent += 50000;
    }
    CHECK(sessions->queued_bytes() < 400 * 1024);
    CHECK(sink->drained == 0);
  });
  m.agent->expect(frame_type::open);
  for (std::size_t received = 0; received < sent;)
    received += m.agent->expect(frame_type::data).payload.size();
  in_reactor(loop, [&] {
    CHECK(sink->drained == 1);
    CHECK(sessions->queued_bytes() == 0);
  });
}

namespace {

guest::open_body with_bytes(std::size_t bytes) {
  guest::open_body command;
  command.argv = {"echo"};
  for (; bytes > 0; bytes -= std::min<std::size_t>(bytes, 100'000))
    command.argv.emplace_back(std::min<std::size_t>(bytes, 100'000), 'x');
  return command;
}

} // namespace

TEST_CASE("a command of 2 MB goes to the guest in parts, and others go between them") {
  reactor loop;
  fake_machine m(loop);
  m.agent->protocol = guest::protocol_version;
  m.agent->hello();
  REQUIRE(m.events.next<event::hello>());
  auto sessions = std::dynamic_pointer_cast<session_link>(m.link);
  auto sink = std::make_shared<counting_sink>();
  const auto large = with_bytes(2'000'000);
  in_reactor(loop, [&] {
    CHECK(sessions->open_session(1, large, sink));
    CHECK(sessions->open_session(2, with_bytes(200'000), sink));
    CHECK(sessions->open_session(3, with_bytes(200'000), sink));
    CHECK_FALSE(sessions->congested());
    CHECK(sessions->queued_bytes() <= 2 * guest::max_payload + 4096);
    sessions->close_session(2);
    CHECK(sessions->open_session(4, {}, sink));
  });
  guest::order_parts parts;
  std::vector<std::uint32_t> begun;
  while (begun.size() < 3) {
    const auto f = *m.agent->receive();
    REQUIRE(f.payload.size() <= guest::max_payload);
    if (f.head.type == frame_type::part)
      parts.take({f.head, f.payload});
    if (f.head.type != frame_type::open)
      continue;
    const auto order = parts.order({f.head, f.payload});
    REQUIRE(order);
    begun.push_back(f.head.session);
    if (f.head.session == 1)
      CHECK(order->argv == large.argv);
  }
  CHECK(begun == std::vector<std::uint32_t>{4, 1, 3});
}

TEST_CASE("a command that is too long for its guest is refused with the reason") {
  reactor loop;
  fake_machine m(loop);
  m.agent->protocol = guest::parts_since - 1;
  m.agent->hello();
  REQUIRE(m.events.next<event::hello>());
  auto sessions = std::dynamic_pointer_cast<session_link>(m.link);
  auto sink = std::make_shared<counting_sink>();
  in_reactor(loop, [&] {
    CHECK(sessions->open_session(1, with_bytes(65'000), sink));
    const auto older = sessions->open_session(2, with_bytes(66'000), sink);
    CHECK(older.error().code == errc::bad_version);
    CHECK(describe(older.error()).find("older") != std::string::npos);
    const auto longer = sessions->open_session(2, with_bytes(guest::max_open), sink);
    CHECK(longer.error().code == errc::bad_request);
  });
  m.agent->expect(frame_type::open);
}

TEST_CASE("commands with long arguments that wait for their guest are bounded") {
  reactor loop;
  fake_machine m(loop);
  m.agent->protocol = guest::protocol_version;
  m.agent->hello();
  REQUIRE(m.events.next<event::hello>());
  auto sessions = std::dynamic_pointer_cast<session_link>(m.link);
  auto sink = std::make_shared<counting_sink>();
  in_reactor(loop, [&] {
    std::uint32_t next = 1;
    auto begun = sessions->open_session(next, with_bytes(2'000'000), sink);
    while (begun && next < 1000)
      begun = sessions->open_session(++next, with_bytes(2'000'000), sink);
    REQUIRE_FALSE(begun);
    CHECK(begun.error().code == errc::busy);
    CHECK(next > 16);
    CHECK(next < 50);
  });
}
