#include "actors/io/agent_channel.hpp"
#include "actors/io/frames.hpp"
#include "actors/io/session.hpp"
#include "guest/order_parts.hpp"
#include "io_fakes.hpp"

#include <fstream>
#include <sstream>
#include <thread>

using namespace banger;
using namespace banger::io;
using namespace banger::io::test;

namespace {

std::string read_line(int fd) {
  std::string line;
  for (char c = 0; c != '\n'; line += c)
    if (::read(fd, &c, 1) != 1)
      return line;
  return line;
}

/// Counts what reaches a session.
struct counting_sink : session_sink {
  void from_guest(const header& h, std::string_view payload) override {
    bytes += payload.size();
    last = h.type;
  }
  void on_batch_end() override { ++batches; }
  void on_lost(const std::string& why) override { lost = why; }
  void on_cut() override { cut = true; }
  void on_drained() override { ++drained; }
  std::size_t bytes = 0;
  int batches = 0;
  int drained = 0;
  frame_type last{};
  std::string lost;
  bool cut = false;
};

} // namespace

TEST_CASE("a link says hello, configures, grows and hears of it") {
  reactor loop;
  fake_machine m(loop);
  m.agent->hello();
  CHECK(m.events.next<event::hello>()->body.agent == "fake");
  guest::configure_body body;
  body.hostname = "a";
  m.link->configure(body);
  const auto asked = m.agent->expect(frame_type::configure);
  CHECK(guest::decode<guest::configure_body>(asked.payload)->hostname == "a");
  guest::configured_body answer;
  answer.root_us = 5;
  m.agent->send(frame_type::configured, 0, guest::encode(answer));
  CHECK(m.events.next<event::configured>()->body.root_us == 5);
  m.link->grow({1, guest::disk_role::work});
  m.agent->expect(frame_type::grow);
  m.agent->send(frame_type::failed, 0,
                guest::encode(guest::failed_body{frame_type::grow, 28, "no space"}));
  CHECK(m.events.next<event::refused>()->body.text == "no space");
  m.link->await_boot();
  m.agent->expect(frame_type::await_boot);
  m.agent->send(frame_type::booted, 0, guest::encode(guest::booted_body{"degraded"}));
  CHECK(m.events.next<event::booted>()->body.state == "degraded");
  m.link->ask(frame_type::ask_ports, 7);
  const auto question = m.agent->expect(frame_type::ask_ports);
  CHECK(guest::decode<guest::question_body>(question.payload)->number == 7);
  guest::ports_body ports;
  ports.number = 7;
  ports.listeners = {{guest::transport_protocol::udp, "::", 68, 9, "dhcp"}};
  m.agent->send(frame_type::ports, 0, guest::encode(ports));
  CHECK(m.events.next<event::ports>()->body.listeners.front().process == "dhcp");
  m.link->ask(frame_type::ask_health, 8);
  m.agent->expect(frame_type::ask_health);
  m.agent->send(frame_type::health, 0, guest::encode(guest::health_body{8, 5, 1, 2, 3, 4, 5}));
  CHECK(m.events.next<event::health>()->body.number == 8);
  m.link->poweroff();
  m.agent->expect(frame_type::poweroff);
  m.agent->send(frame_type::stopping, 0);
  CHECK(m.events.next<event::stopping>());
}

TEST_CASE("the sync waits until the guest has noticed us, and for a silent guest only a moment") {
  reactor loop;
  fake_machine m(loop);
  CHECK_FALSE(m.agent->receive(50ms));
  SECTION("it says hello by itself") {
    m.agent->say_hello(0);
    CHECK(m.agent->receive(50ms));
  }
  SECTION("it boots") { CHECK(m.agent->receive(1000ms)); }
}

TEST_CASE("a guest that takes us for new a second time is spoken to anew, and commands stay") {
  reactor loop;
  fake_machine m(loop);
  const auto epoch = m.agent->sync_epoch();
  m.agent->say_hello(epoch);
  REQUIRE(m.events.next<event::hello>());
  auto sessions = std::dynamic_pointer_cast<session_link>(m.link);
  auto first = std::make_shared<counting_sink>(), again = std::make_shared<counting_sink>();
  in_reactor(loop, [&] { CHECK(sessions->open_session(5, {}, first)); });
  m.agent->expect(frame_type::open);
  m.agent->say_hello(epoch, {5});
  const auto sync = guest::decode<guest::sync_body>(m.agent->expect(frame_type::sync).payload);
  REQUIRE(sync);
  CHECK(sync->epoch != epoch);
  m.agent->say_hello(sync->epoch, {5});
  REQUIRE(m.events.next<event::hello>());
  in_reactor(loop, [&] {
    CHECK(first->cut);
    CHECK(first->lost.empty());
    CHECK(sessions->attach_session(5, {}, again));
  });
  CHECK(m.agent->expect(frame_type::attach).head.session == 5);
}

TEST_CASE("a hello with another epoch is not ours") {
  reactor loop;
  fake_machine m(loop);
  const auto epoch = m.agent->sync_epoch();
  CHECK(epoch != 0);
  m.agent->say_hello(0);
  m.agent->say_hello(epoch + 1);
  m.agent->say_hello(epoch);
  CHECK(m.events.next<event::hello>()->body.epoch == epoch);
  CHECK_FALSE(m.events.next<event::hello>(100ms));
}

TEST_CASE("garbage from the guest loses the channel, not the daemon") {
  const std::string bad_body = encoded(frame_type::configured, 0, "short");
  const std::string wrong_way = encoded(frame_type::configure, 0, "");
  const std::string wrong_session = encoded(frame_type::open, 5, "");
  const auto noise = GENERATE_COPY(std::string(100, 'x'), bad_body, wrong_way, wrong_session);
  reactor loop;
  fake_machine m(loop);
  m.agent->hello();
  REQUIRE(m.events.next<event::hello>());
  m.agent->send_raw(noise);
  const auto lost = m.events.next<event::channel_lost>();
  REQUIRE(lost);
  CHECK_FALSE(lost->why.empty());
  CHECK(m.agent->closed());
  m.link->poweroff();
  CHECK(m.events.next<event::refused>()->body.request == frame_type::poweroff);
}

TEST_CASE("an agent that closes its channel is lost while the machine lives") {
  reactor loop;
  fake_machine m(loop);
  m.agent->hello();
  REQUIRE(m.events.next<event::hello>());
  m.agent->fd.reset();
  CHECK(m.events.next<event::channel_lost>());
}

TEST_CASE("the end of the machine is told once, with the last lines of its console") {
  reactor loop;
  fake_machine m(loop);
  std::string text;
  for (int i = 0; i < 80; ++i)
    text += "line " + std::to_string(i) + "\n";
  REQUIRE(::write(m.console.get(), text.data(), text.size()) > 0);
  CHECK(m.events.next<event::console_grew>()->total_bytes == text.size());
  m.agent->hello();
  m.agent->send(frame_type::stopping, 0);
  m.agent->fd.reset(); // as the kernel does it: sockets close before the pidfd tells
  const std::string last = "\x1b[31mKernel panic\n";
  REQUIRE(::write(m.console.get(), last.data(), last.size()) > 0);
  m.process.kill();
  CHECK(m.events.next<event::stopping>());
  const auto exited = m.events.next<event::exited>();
  REQUIRE(exited);
  CHECK(exited->last_lines.find("line 21\n") == 0);
  CHECK(exited->last_lines.find("line 79\nKernel panic\n") != std::string::npos);
  CHECK_FALSE(m.events.next<event::exited>(300ms));
  CHECK_FALSE(m.events.next<event::channel_lost>(10ms));
  std::ostringstream log;
  log << std::ifstream(m.console_log()).rdbuf();
  CHECK(log.str() == text + last);
}

TEST_CASE("progress of the console is told at most ten times a second") {
  reactor loop;
  fake_machine m(loop);
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t written = 0;
  while (std::chrono::steady_clock::now() < begin + 500ms)
    written += static_cast<std::uint64_t>(::write(m.console.get(), "0123456789", 10));
  const auto took = std::chrono::steady_clock::now() - begin;
  int told = 0;
  std::uint64_t total = 0;
  while (auto e = m.events.next<event::console_grew>(300ms)) {
    ++told;
    total = e->total_bytes;
  }
  CHECK(total == written);
  CHECK(told >= 2);
  CHECK(told <= took / 100ms + 3);
}

TEST_CASE("power button and quit go by QMP, kill by the pidfd") {
  reactor loop;
  fake_machine m(loop);
  const std::string greeting = "{\"QMP\": {}}\r\n";
  m.link->acpi_powerdown();
  REQUIRE(::write(m.qmp.get(), greeting.data(), greeting.size()) > 0);
  CHECK(read_line(m.qmp.get()).find("qmp_capabilities") != std::string::npos);
  const std::string done = "{\"return\": {}, \"id\": 0}\r\n";
  REQUIRE(::write(m.qmp.get(), done.data(), done.size()) > 0);
  CHECK(read_line(m.qmp.get()).find("query-status") != std::string::npos);
  CHECK(read_line(m.qmp.get()).find("system_powerdown") != std::string::npos);
  m.link->quit();
  CHECK(read_line(m.qmp.get()).find("\"quit\"") != std::string::npos);
  REQUIRE(::write(m.qmp.get(), "garbage\n", 8) == 8);
  CHECK(read_line(m.qmp.get()).empty()); // closed
  m.link->kill();
  CHECK(m.events.next<event::exited>());
}

TEST_CASE("a machine that its hypervisor halts says why, also one that was found so") {
  reactor loop;
  fake_machine m(loop);
  const auto say = [&](const std::string& line) {
    REQUIRE(::write(m.qmp.get(), line.data(), line.size()) > 0);
  };
  const auto answer = [&](const std::string& to, const std::string& with) {
    const auto line = read_line(m.qmp.get());
    REQUIRE(line.find(to) != std::string::npos);
    const auto id = line.substr(line.find("\"id\":") + 5);
    say("{\"return\": " + with + ", \"id\": " + id.substr(0, id.find('}')) + "}\n");
  };
  const auto halted = [&](const std::string& disks) {
    answer("query-status", R"({"running": false, "status": "io-error"})");
    answer("query-block", disks);
    const auto paused = m.events.next<event::paused>();
    REQUIRE(paused);
    return paused->why;
  };
  say("{\"QMP\": {}}\n");
  answer("qmp_capabilities", "{}");
  CHECK(halted(R"([{"io-status": "nospace"}])").of == pause::cause::disk_full);
  m.link->resume();
  answer("cont", "{}");
  say("{\"event\": \"RESUME\"}\n");
  CHECK(m.events.next<event::resumed>());
  say(R"({"event": "BLOCK_IO_ERROR", "data": {"operation": "write", "reason": "Quota"}})"
      "\n{\"event\": \"STOP\"}\n");
  CHECK(halted(R"([{"io-status": "failed"}])").reason == "write: Quota");
}

TEST_CASE("the end of the machine says who wanted it, also if both come at once") {
  reactor loop;
  fake_machine m(loop);
  const std::string words = "{\"QMP\": {}}\n{\"event\": \"SHUTDOWN\", \"data\": "
                            "{\"guest\": true, \"reason\": \"guest-reset\"}}\n";
  in_reactor(loop, [&] {
    REQUIRE(::write(m.qmp.get(), words.data(), words.size()) > 0);
    m.process.kill();
  });
  const auto exited = m.events.next<event::exited>();
  REQUIRE(exited);
  CHECK(exited->how == ending::reset);
}

TEST_CASE("an agent that ended in the middle of a frame is followed by one that is understood") {
  reactor loop;
  fake_machine m(loop);
  const auto tell = [&](const std::string& line) {
    REQUIRE(::write(m.qmp.get(), line.data(), line.size()) > 0);
  };
  const auto port = [&](const std::string& open) {
    tell("{\"event\":\"VSERPORT_CHANGE\",\"data\":{\"open\": " + open +
         ",\"id\":\"agent-port\"}}\n");
  };
  const auto first_epoch = m.agent->sync_epoch();
  m.agent->say_hello(first_epoch);
  REQUIRE(m.events.next<event::hello>());
  auto sessions = std::dynamic_pointer_cast<session_link>(m.link);
  auto before = std::make_shared<counting_sink>(), after = std::make_shared<counting_sink>();
  in_reactor(loop, [&] { CHECK(sessions->open_session(5, {}, before)); });
  m.agent->expect(frame_type::open);
  tell("{\"QMP\": {}}\n");
  read_line(m.qmp.get());
  tell("{\"return\": {}, \"id\": 0}\n");

  const auto data = encoded(frame_type::data, 5, std::string(5000, 'x'), stream_id::out);
  m.agent->send_raw(std::string_view(data).substr(0, 3000));
  tell("{\"event\":\"VSERPORT_CHANGE\",\"data\":{\"open\":false,\"id\":\"another\"}}\n");
  m.agent->say_hello(0); // the rest of that frame, for all that can be seen
  const bool closed_first = GENERATE(true, false);
  if (closed_first) {
    port("false");
    REQUIRE(m.events.next<event::agent_left>());
    in_reactor(loop, [&] { CHECK(before->lost == "the guest's agent ended"); });
    port("true");
  } else {
    port("false");
    port("true");
    REQUIRE(m.events.next<event::agent_left>());
  }
  const auto sync = guest::decode<guest::sync_body>(m.agent->expect(frame_type::sync).payload);
  REQUIRE(sync);
  CHECK(sync->epoch != first_epoch);
  m.agent->say_hello(sync->epoch);
  REQUIRE(m.events.next<event::hello>());
  in_reactor(loop, [&] {
    CHECK_FALSE(before->cut);
    CHECK(sessions->open_session(6, {}, after));
  });
  CHECK(m.agent->expect(frame_type::open).head.session == 6);
  m.agent->send(frame_type::data, 6, "there", stream_id::out);
  m.agent->send(frame_type::stopping, 0);
  REQUIRE(m.events.next<event::stopping>());
  in_reactor(loop, [&] { CHECK(after->bytes == 5); });
}

TEST_CASE("a closed link is silent and lets go of its sockets, and the machine lives on") {
  reactor loop;
  fake_machine m(loop);
  m.agent->hello();
  REQUIRE(m.events.next<event::hello>());
  m.link->close();
  CHECK(m.agent->closed());
  CHECK(m.process.pidfd());
  m.process.kill();
  CHECK_FALSE(m.events.next<event::exited>(200ms));
}

TEST_CASE("a request that fits in no frame is refused, and nothing is sent") {
  reactor loop;
  fake_machine m(loop);
  m.agent->hello();
  guest::configure_body body;
  body.authorized_keys.assign(100, std::string(1000, 'k'));
  m.link->configure(body);
  CHECK(m.events.next<event::refused>()->body.error_number == EMSGSIZE);
  m.link->poweroff();
  m.agent->expect(frame_type::poweroff);
}

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
