// A link and its hypervisor: power, pauses, ends.
#include "link_scene.hpp"

#include <thread>

using namespace banger;
using namespace banger::io;
using namespace banger::io::test;

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
    // The next one would take nothing in that comes before its sync, and the last words of this
    // one, which are read late, are not from the next one.
    m.agent->say_hello(0);
    for (int pass = 0; pass < 3; ++pass)
      in_reactor(loop, [] {});
    in_reactor(loop, [&] { CHECK_FALSE(sessions->open_session(7, {}, after)); });
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
  bool told = false;
  for (int i = 0; i < 500 && !told; ++i, std::this_thread::sleep_for(10ms))
    in_reactor(loop, [&] { told = before->lost == "the guest's agent ended"; });
  CHECK(told);
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
