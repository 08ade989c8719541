#include "actors/io/qmp.hpp"
#include "tests/support/catch.hpp"

#include <optional>

using namespace banger;
using namespace banger::io;

namespace {

constexpr auto greeting =
    R"({"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}}, "capabilities": []}})"
    "\n";

struct talk {
  std::string sent;
  qmp::conversation c{[this](const std::string& line) { sent += line; }};

  void begin() {
    c.feed(greeting);
    c.feed("{\"return\": {}, \"id\": 0}\r\n");
    sent.clear();
  }
};

} // namespace

TEST_CASE("the greeting is answered with qmp_capabilities, and commands wait for that") {
  talk t;
  t.c.command("quit", "", [](const auto&) {});
  CHECK(t.sent.empty());
  t.c.feed(greeting);
  CHECK(t.sent == "{\"execute\":\"qmp_capabilities\",\"id\":0}\n");
  t.c.feed("{\"return\": {}, \"id\": 0}\r\n");
  CHECK(t.sent.find("\"quit\"") != std::string::npos);
  CHECK(t.c.ready());
}

TEST_CASE("QMP replies find their commands in any order, with events between them") {
  talk t;
  t.begin();
  std::string first, second, event;
  t.c.on_event = [&](const qmp::message& m) { event = m.name + m.body; };
  t.c.command("query-status", "", [&](auto r) { first = r ? *r : "failed"; });
  t.c.command("device_add", R"({"id":"x"})", [&](auto r) { second = r ? "ok" : r.error().why; });
  CHECK(t.sent == "{\"execute\":\"query-status\",\"id\":1}\n"
                  "{\"execute\":\"device_add\",\"arguments\":{\"id\":\"x\"},\"id\":2}\n");
  const std::string answers =
      R"({"error": {"class": "GenericError", "desc": "no such bus"}, "id": 2})"
      "\n"
      R"({"event": "SHUTDOWN", "data": {"guest": true}, "timestamp": {}})"
      "\n"
      R"({"return": {"status": "running"}, "id": 1})"
      "\n";
  for (const char c : answers) // in single bytes
    t.c.feed({&c, 1});
  CHECK(second == "no such bus");
  CHECK(event == R"(SHUTDOWN{"guest":true})");
  CHECK(first == R"({"status":"running"})");
}

TEST_CASE("a peer that does not speak QMP ends the conversation with the reason") {
  for (const std::string& garbage :
       {std::string("SSH-2.0-OpenSSH\n"), std::string("[1,2]\n"), std::string("{\"a\":1}\n"),
        std::string("\xff\xfe\n"), std::string(qmp::longest_line + 1, 'x'),
        "{\"return\":" + std::string(100000, '[') + "\n", std::string("{\"return\":{}}\n")}) {
    talk t;
    std::optional<errc> told;
    t.c.command("quit", "", [&](auto r) { told = r.error().code; });
    t.c.feed(garbage);
    CHECK(t.c.dead());
    CHECK_FALSE(t.c.why_dead().empty());
    CHECK(told == errc::disconnected);
    t.c.feed(greeting); // too late
    CHECK(t.sent.empty());
  }
}

TEST_CASE("the end of the connection fails what waits, and what comes later") {
  talk t;
  t.begin();
  int failed = 0;
  t.c.command("stop", "", [&](auto r) { failed += r ? 0 : 1; });
  t.c.end("closed");
  t.c.command("cont", "", [&](auto r) { failed += r ? 0 : 1; });
  CHECK(failed == 2);
}

TEST_CASE("at most 64 QMP commands wait") {
  talk t;
  t.begin();
  std::optional<errc> told;
  for (std::size_t i = 0; i < qmp::most_waiting; ++i)
    t.c.command("query-status", "", [](const auto&) {});
  t.c.command("quit", "", [&](auto r) { told = r.error().code; });
  CHECK(told == errc::busy);
}

TEST_CASE("an answer to nobody's command is ignored") {
  talk t;
  t.begin();
  t.c.feed("{\"return\": {}, \"id\": 99}\n{\"error\": {}, \"id\": \"text\"}\n");
  CHECK(t.c.ready());
}
