#include "link_scene.hpp"

#include <fstream>
#include <sstream>

using namespace banger;
using namespace banger::io;
using namespace banger::io::test;

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
