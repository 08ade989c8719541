// Errors that name the real cause and the right remedy.
#include "tests/e2e/lessons_scene.hpp"
#include "tests/support/catch.hpp"

#include <csignal>
#include <unistd.h>

using namespace banger::test;
using banger::scripted::behaviour;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

bool logged(const lesson_home& h, const std::string& text) {
  for (const auto& line : h.daemon_log())
    if (line.value("text", "").find(text) != std::string::npos)
      return true;
  return false;
}

} // namespace

TEST_CASE("a hypervisor that cannot start is told with its status and its words",
          "[none][faults]") {
  lesson_home h;
  const auto made = h.banger(h.creation("a", behaviour::dies_at_once));
  CHECK(made.status == 1);
  CHECK_THAT(made.err, Contains("exit status 3") && Contains("no such accelerator"));
  CHECK(made.err.find('\x1b') == std::string::npos);
  CHECK(h.list().empty());
  CHECK(logged(h, "no such accelerator"));
}

TEST_CASE("a hypervisor that a signal ends in its start is told with the signal",
          "[none][faults]") {
  lesson_home h;
  auto client = h.start(h.creation("a", behaviour::never_boots));
  REQUIRE(h.eventually([&] { return h.stage_of("vm.create") == "hello"; }));
  ::kill(h.vmm("a"), SIGSEGV);
  CHECK(client.wait(short_time) == 1);
  CHECK_THAT(client.err(), Contains("signal 11 (Segmentation fault)"));
  CHECK(logged(h, "signal 11"));
}

TEST_CASE("a VM whose hypervisor is killed tells by which signal", "[none][faults]") {
  lesson_home h;
  h.create("a");
  ::kill(h.vmm("a"), SIGKILL);
  CHECK(h.eventually([&] { return h.state_of("a") == "error"; }));
  CHECK_THAT(h.show("a").at("last_error").get<std::string>(), Contains("signal 9"));
  h.good({"vm", "delete", "a"});
}

TEST_CASE("root does not take over the folders of a user", "[root][none][faults]") {
  if (::geteuid() != 0)
    return skip("only root could take them over");
  lesson_home h;
  const auto theirs = h.top() / "theirs";
  fs::create_directories(theirs);
  REQUIRE(::chown(theirs.c_str(), 65534, 65534) == 0);
  SECTION("its HOME") {
    for (const auto* name : {"XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"})
      h.env.erase(name);
    h.env["HOME"] = theirs;
    const auto r = h.banger({"vm", "list"});
    CHECK(r.status == 1);
    CHECK_THAT(r.err, Contains("another user") && Contains("sudo -H"));
  }
  SECTION("a folder that a variable names") {
    h.env["XDG_STATE_HOME"] = theirs / "deep/state";
    const auto r = h.banger({"vm", "list"});
    CHECK(r.status == 1);
    CHECK_THAT(r.err, Contains("another user") && Contains("unset XDG_STATE_HOME"));
  }
  CHECK(fs::is_empty(theirs));
}

TEST_CASE("a folder that may not be made is told with the reason", "[user][none][faults]") {
  if (::geteuid() == 0)
    return skip("root may make every folder");
  lesson_home h;
  const auto closed = h.top() / "closed";
  fs::create_directories(closed);
  fs::permissions(closed, fs::perms::owner_read | fs::perms::owner_exec);
  h.env["XDG_STATE_HOME"] = closed / "a/b";
  const auto r = h.banger({"vm", "list"});
  CHECK(r.status == 1);
  CHECK_THAT(r.err, Contains("Permission denied") && Contains("set XDG_STATE_HOME") &&
                        Contains((closed / "a").string()));
  fs::permissions(closed, fs::perms::owner_all);
}
