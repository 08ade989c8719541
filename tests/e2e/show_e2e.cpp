// What banger tells of its VMs and of itself.
#include "tests/support/catch.hpp"
#include "tests/support/home.hpp"
#include "tests/support/procfs.hpp"

#include <csignal>
#include <fstream>
#include <unistd.h>

using namespace banger::test;
using Catch::Contains;

TEST_CASE("list and show tell the same of a VM, for people and for programs", "[vm]") {
  home h;
  CHECK(h.list() == json::array());
  h.good({"vm", "create", "--image", "tiny", "--name", "a", "--vcpu", "1", "--memory", "256"});
  const auto list = h.list();
  REQUIRE(list.size() == 1);
  CHECK(list[0].at("name") == "a");
  CHECK(list[0].at("state") == "running");
  CHECK(list[0].at("vcpu") == 1);
  CHECK(list[0].at("memory_mib") == 256);
  CHECK(list[0].at("image") == "tiny");
  CHECK(h.show("a").at("id") == list[0].at("id"));
  CHECK_THAT(h.good({"vm", "list"}), Contains("NAME") && Contains("running") && Contains("tiny"));
  CHECK_THAT(h.good({"vm", "show", "a"}), Contains("running") && Contains("QEMU"));
}

TEST_CASE("show tells which accelerator is used, and why not KVM", "[both][vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  const auto hypervisor = h.show("a").at("hypervisor").get<std::string>();
  CHECK_THAT(hypervisor, Contains("QEMU"));
  if (hypervisor.find("TCG") != std::string::npos)
    CHECK_THAT(hypervisor, Contains("KVM"));
  CHECK(h.show("a").at("start_retries").is_number());
  CHECK_FALSE(h.show("a").at("root_disk").get<std::string>().empty());
  CHECK_FALSE(h.show("a").at("kernel").get<std::string>().empty());
  CHECK_FALSE(h.show("a").at("network").get<std::string>().empty());
}

TEST_CASE("logs show the console, and go on with what is added when they follow", "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  h.good({"vm", "exec", "a", "--", "sh", "-c",
          "echo marker-one > /dev/kmsg; echo marker-one > /dev/ttyS0"});
  CHECK(h.eventually([&] {
    return h.good({"vm", "logs", "a"}).find("marker-one") != std::string::npos;
  }));
  auto follower = h.start({"vm", "logs", "-f", "a"});
  REQUIRE(follower.until([&] { return follower.out().find("marker-one") != std::string::npos; },
                         short_time));
  h.good({"vm", "exec", "a", "--", "sh", "-c", "echo marker-two > /dev/ttyS0"});
  CHECK(follower.until([&] { return follower.out().find("marker-two") != std::string::npos; },
                       short_time));
  CHECK(follower.running());
  follower.signal(SIGINT);
  CHECK(follower.wait(short_time) != -1);
}

TEST_CASE("logs of a stopped VM are still there", "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  h.good({"vm", "stop", "a"});
  CHECK_FALSE(h.good({"vm", "logs", "a"}).empty());
}

TEST_CASE("a run with --timing shows every stage of the start and whose time it is", "[vm]") {
  home h;
  const auto r = h.banger({"vm", "run", "--image", "tiny", "--rm", "--timing", "--", "true"});
  CHECK(r.status == 0);
  CHECK(r.out.empty());
  CHECK_THAT(r.err, Contains("launch") && Contains("hello"));
}

TEST_CASE("daemon status tells what it is, what it does and where its files are", "[none]") {
  home h;
  h.good({"vm", "list"});
  const auto status = h.status();
  REQUIRE(status);
  CHECK(status->at("pid").get<pid_t>() > 0);
  CHECK(status->at("vms") == 0);
  CHECK(status->at("state_folder") == h.state().string());
  CHECK(status->at("runtime_folder") == h.runtime().string());
  CHECK_THAT(h.good({"daemon", "status"}), Contains(h.state().string()));
}

TEST_CASE("every line of the daemon's log is a JSON object with time, level and event", "[vm]") {
  home h;
  h.good({"vm", "run", "--image", "tiny", "--rm", "--", "true"});
  h.banger({"vm", "show", "nobody"});
  std::istringstream log(h.good({"daemon", "logs"}));
  int lines = 0, with_op = 0;
  for (std::string line; std::getline(log, line); ++lines) {
    const auto entry = json::parse(line);
    CHECK(entry.contains("ts"));
    CHECK(entry.contains("level"));
    CHECK(entry.contains("event"));
    with_op += entry.contains("op") ? 1 : 0;
  }
  CHECK(lines > 3);
  CHECK(with_op > 1);
}

TEST_CASE("the first VM makes an ssh key pair that only its owner can read", "[both][none]") {
  home h;
  h.env["BANGER_QEMU"] = bin("scripted-vmm");
  h.good({"vm", "list"});
  CHECK_FALSE(std::filesystem::exists(h.state() / "ssh"));
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  std::filesystem::path key;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(h.state()))
    if (entry.path().filename() == "id_ed25519")
      key = entry.path();
  REQUIRE_FALSE(key.empty());
  CHECK((std::filesystem::status(key).permissions() & std::filesystem::perms::mask) ==
        (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
  auto shared = key;
  shared += ".pub";
  std::ifstream in(shared);
  std::string text;
  std::getline(in, text);
  CHECK_THAT(text, Catch::StartsWith("ssh-ed25519 "));
}

TEST_CASE("an idle daemon is small and does not wake up", "[both][none]") {
  home h;
  h.good({"vm", "list"});
  const auto daemon = h.daemon_pid();
  // The deadlines of what the last client asked for pass first; what comes regularly never ends.
  auto woken = wake_ups(daemon);
  for (int window = 0; window < 6 && woken > 0; ++window) {
    const auto before = wake_ups(daemon);
    ::sleep(5);
    woken = wake_ups(daemon) - before;
  }
  CHECK(woken == 0);
  CHECK(status_number(daemon, "VmRSS") <= 16 * 1024);
}
