// A daemon that does not answer, and waits that would have no end.
#include "tests/e2e/scripted_home.hpp"
#include "tests/support/catch.hpp"

#include <csignal>
#include <fstream>
#include <list>

using namespace banger::test;
using banger::scripted::behaviour;
using Catch::Contains;

namespace {

// Stopped as long as this exists.
struct stopped {
  explicit stopped(pid_t process) : pid(process) { ::kill(pid, SIGSTOP); }
  ~stopped() { ::kill(pid, SIGCONT); }
  stopped(const stopped&) = delete;
  stopped& operator=(const stopped&) = delete;

  pid_t pid;
};

} // namespace

TEST_CASE("a daemon that does not answer keeps no client from its end", "[none][faults]") {
  scripted_home h;
  h.create("a");
  const auto daemon = h.daemon_pid();
  const std::vector<words> verbs = {
      {"vm", "list"},
      {"vm", "create", "--image", "tiny", "--name", "b"},
      {"vm", "run", "--rm", "--image", "tiny", "--", "true"},
      {"vm", "exec", "a", "--", "true"},
      {"vm", "start", "a"},
      {"vm", "stats", "--watch"},
      {"vm", "logs", "-f", "a"},
      {"events", "-f"},
      {"operations", "wait", "op-000000"},
      {"image", "build", "tiny"},
  };
  const stopped silent(daemon);
  std::list<child> clients;
  for (const auto& verb : verbs)
    clients.emplace_back(h.command(verb));
  auto verb = verbs.begin();
  for (auto& client : clients) {
    INFO(verb->at(0) << ' ' << verb->at(1));
    // It has come as far as to ask, and then tells, once.
    const auto tells = [&] { return client.err().find("does not answer") != std::string::npos; };
    REQUIRE(client.until(tells, short_time));
    CHECK_THAT(client.err(), Contains("kill -CONT " + std::to_string(daemon)));
    const auto end = verb->back() == "list" ? SIGINT : SIGTERM;
    client.signal(end);
    CHECK(client.wait(short_time) == 128 + end);
    CHECK(client.err().find("does not answer") == client.err().rfind("does not answer"));
    ++verb;
  }
}

TEST_CASE("what was asked of a daemon that was stopped for a moment is done", "[none][faults]") {
  scripted_home h;
  h.create("a");
  const auto daemon = h.daemon_pid();
  std::optional<stopped> silent(daemon);
  auto client = h.start({"vm", "list"});
  REQUIRE(client.until([&] { return client.err().find("does not answer") != std::string::npos; },
                       short_time));
  silent.reset();
  CHECK(client.wait(short_time) == 0);
  CHECK_THAT(client.out(), Contains("a"));
}

TEST_CASE("a cancelled create ends although its daemon hangs meanwhile", "[none][faults]") {
  scripted_home h;
  h.good({"vm", "list"});
  auto client = h.start(h.creation("a", behaviour::never_boots));
  REQUIRE(h.eventually([&] { return h.stage_of("vm.create") == "hello"; }));
  {
    const stopped silent(h.daemon_pid());
    client.signal(SIGINT);
    client.run_for(milliseconds(300));
    client.signal(SIGINT);
    CHECK(client.wait(short_time) == 130);
  }
  CHECK(h.eventually([&] { return h.list().empty(); }));
}

TEST_CASE("a wait for an init that is never done ends, and the VM runs on", "[none][faults]") {
  scripted_home h;
  const std::filesystem::path folder = h.env.at("XDG_CONFIG_HOME") + "/banger";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "config.toml") << "boot_wait = \"2s\"\n";
  auto order = h.creation("a", behaviour::never_is_booted);
  order.insert(order.end(), {"--wait", "boot"});
  const auto made = h.banger(order);
  CHECK(made.status == 1);
  CHECK_THAT(made.err, Contains("the image's init is not done after") && Contains("boot_wait") &&
                           Contains("console"));
  CHECK(h.show("a").at("state") == "running");
  h.good({"vm", "delete", "a"});
}
