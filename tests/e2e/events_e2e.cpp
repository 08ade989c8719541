// What is told of what happens, to whom, and at whose cost.
#include "tests/support/catch.hpp"
#include "tests/support/home.hpp"
#include "tests/support/procfs.hpp"
#include "tests/vmm/script.hpp"

#include <csignal>
#include <sstream>

using namespace banger::test;
using Catch::Contains;

namespace {

struct eventful_home : home {
  eventful_home() { env["BANGER_QEMU"] = bin("scripted-vmm"); }

  void live_and_die() {
    good({"vm", "create", "--image", "tiny", "--name", "a"});
    good({"vm", "stop", "a"});
    good({"vm", "start", "a"});
    good({"vm", "delete", "a"});
  }
  std::uint64_t last_number() {
    std::uint64_t last = 0;
    for (const auto& e : parsed(good({"events", "--json"})))
      last = e.at("number");
    return last;
  }
  static std::vector<json> parsed(const std::string& lines) {
    std::vector<json> all;
    std::istringstream in(lines);
    for (std::string line; std::getline(in, line);)
      if (!in.eof()) // else it is not whole
        all.push_back(json::parse(line));
    return all;
  }
  static bool has(const child& reader, std::uint64_t number) {
    const auto all = parsed(reader.out());
    return !all.empty() && all.back().value("number", std::uint64_t{0}) >= number;
  }
};

} // namespace

TEST_CASE("events tell each step of a VM with its time, and a failure with its reason", "[none]") {
  eventful_home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  const auto dies = banger::scripted::memory_for(banger::scripted::behaviour::dies_in_boot);
  h.banger({"vm", "create", "--image", "tiny", "--name", "b", "--memory", std::to_string(dies)});
  const auto all = eventful_home::parsed(h.good({"events", "--json"}));
  std::vector<std::string> steps;
  for (const auto& e : all)
    if (e.at("actor") == "vm/a" && e.at("event") == "step") {
      steps.push_back(e.at("step"));
      CHECK(e.at("duration_us").get<std::uint64_t>() < 30'000'000);
    }
  CHECK(steps == std::vector<std::string>{"image", "folder", "root-disk", "work-disk", "launch",
                                          "hello", "configure", "flush"});
  const auto& end = all.back();
  CHECK(end.at("actor") == "vm/b");
  CHECK(end.at("event") == "end");
  CHECK(end.at("state") == "failed");
  CHECK_THAT(end.at("error").at("what").get<std::string>(), Contains("ended unexpectedly"));
  const auto text = h.good({"events"});
  CHECK_THAT(text, Contains("vm/a  create begins (op-") && Contains("vm/a  create: launch took ") &&
                       Contains("vm/a  is running"));
  h.good({"vm", "delete", "a"});
}

TEST_CASE("of two who follow the events one stops, and the other sees all of them in order",
          "[none]") {
  eventful_home h;
  h.live_and_die();
  auto reader = h.start({"events", "-f", "--json"});
  auto stopped = h.start({"events", "-f", "--json"});
  REQUIRE(reader.until([&] { return !reader.out().empty(); }, short_time));
  REQUIRE(stopped.until([&] { return !stopped.out().empty(); }, short_time));
  stopped.signal(SIGSTOP);
  const auto daemon = h.daemon_pid();
  const auto first = eventful_home::parsed(reader.out()).front().at("number").get<std::uint64_t>();
  std::int64_t memory = 0;
  for (auto last = h.last_number(); last < first + 2000; last = h.last_number()) {
    for (int i = 0; i < 4; ++i) {
      h.live_and_die();
      reader.run_for(milliseconds(1));
    }
    if (memory == 0)
      memory = status_number(daemon, "VmRSS");
  }
  CHECK(status_number(daemon, "VmRSS") < memory + 8 * 1024);
  const auto last = h.last_number();
  REQUIRE(reader.until([&] { return eventful_home::has(reader, last); }, short_time));
  auto next = first;
  for (const auto& e : eventful_home::parsed(reader.out()))
    REQUIRE(e.at("number") == next++);
  // The one who was stopped goes on; what he has missed, if anything, is told.
  stopped.signal(SIGCONT);
  REQUIRE(stopped.until([&] { return eventful_home::has(stopped, last); }, short_time));
  std::uint64_t expected = 0;
  for (const auto& e : eventful_home::parsed(stopped.out())) {
    if (e.at("event") == "lost") {
      expected += e.at("count").get<std::uint64_t>();
      continue;
    }
    if (expected != 0)
      REQUIRE(e.at("number") == expected);
    expected = e.at("number").get<std::uint64_t>() + 1;
  }
  reader.signal(SIGINT);
  CHECK(reader.wait(short_time) == 128 + SIGINT);
  h.good({"daemon", "stop"});
  CHECK(stopped.wait(short_time) == 1);
  CHECK_THAT(stopped.err(), Contains("the daemon went away"));
}

TEST_CASE("every actor is listed, and what a start that hangs waits for", "[none]") {
  eventful_home h;
  const auto hangs = banger::scripted::memory_for(banger::scripted::behaviour::never_boots);
  auto client = h.start(
      {"vm", "create", "--image", "tiny", "--name", "a", "--memory", std::to_string(hangs)});
  const auto vm = [&] {
    for (const auto& row : h.read({"debug", "actors", "--json"}))
      if (row.at("kind") == "vm")
        return row;
    return json{{"step", ""}};
  };
  REQUIRE(h.eventually([&] { return vm().at("step") == "hello"; }));
  CHECK(vm().at("state") == "ok");
  CHECK(vm().at("name") == "a");
  CHECK(vm().at("op").get<std::string>().starts_with("op-"));
  const auto text = h.good({"debug", "actors"});
  for (const auto* who :
       {"system", "gateway", "events", "store", "images", "operations", "vms", "vm/a", "machine/a"})
    CHECK_THAT(text, Contains("\n" + std::string(who) + " "));
  CHECK_THAT(text, !Contains("does not answer"));
  client.signal(SIGINT);
  CHECK(client.wait(short_time) == 130);
}
