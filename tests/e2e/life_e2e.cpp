// VMs that stay, daemons that come and go, clients that are killed.
#include "tests/support/catch.hpp"
#include "tests/support/home.hpp"
#include "tests/support/procfs.hpp"

#include <csignal>
#include <filesystem>
#include <list>

using namespace banger::test;
using Catch::Contains;

namespace {

const words boot_id_of_a{"vm", "exec", "a", "--", "cat", "/proc/sys/kernel/random/boot_id"};

pid_t vmm_of(home& h, const std::string& vm) { return h.show(vm).at("pid").get<pid_t>(); }

} // namespace

TEST_CASE("what was written to the root and to /root is there after stop and start", "[both][vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  h.good({"vm", "exec", "a", "--", "sh", "-c", "echo root > /marker; echo work > /root/marker"});
  const auto before = h.good(boot_id_of_a);
  h.good({"vm", "stop", "a"});
  CHECK(h.show("a").at("state") == "stopped");
  h.good({"vm", "start", "a"});
  CHECK(h.good({"vm", "exec", "a", "--", "cat", "/marker", "/root/marker"}) == "root\nwork\n");
  CHECK(h.good(boot_id_of_a) != before);
}

TEST_CASE("a stop loses no write that was made just before it", "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  const auto sum =
      h.good({"vm", "exec", "a", "--", "sh", "-c",
              "dd if=/dev/urandom of=/root/f bs=64k count=64 2>/dev/null; sha256sum < /root/f"});
  h.good({"vm", "stop", "a"});
  h.good({"vm", "start", "a"});
  CHECK(h.good({"vm", "exec", "a", "--", "sh", "-c", "sha256sum < /root/f"}) == sum);
}

TEST_CASE("the work disk has the size that was asked for", "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a", "--disk-size", "3G"});
  const auto kib = std::stoll(
      h.good({"vm", "exec", "a", "--", "sh", "-c", "df -k /root | awk 'NR == 2 {print $2}'"}));
  CHECK(kib > 2'800'000);
  CHECK(kib <= 3 * 1024 * 1024);
}

TEST_CASE("kill -9 of the client of a --rm run removes the VM", "[both][vm]") {
  home h;
  auto client = h.start({"vm", "run", "--image", "tiny", "--rm", "--name", "gone", "--", "sh", "-c",
                         "echo up; exec sleep 1000"});
  REQUIRE(client.until([&] { return client.out() == "up\n"; }, boot_time));
  const auto vmm = vmm_of(h, "gone");
  const std::filesystem::path folder = h.show("gone").at("folder").get<std::string>();
  REQUIRE(alive(vmm));
  client.signal(SIGKILL);
  CHECK(h.eventually([&] { return h.list().empty(); }));
  CHECK(h.eventually([&] { return !alive(vmm); }));
  CHECK_FALSE(std::filesystem::exists(folder));
}

TEST_CASE("kill -9 of the client while the VM of a --rm run boots removes the VM", "[vm]") {
  home h;
  auto client = h.start({"vm", "run", "--image", "tiny", "--rm", "--name", "gone", "--", "true"});
  REQUIRE(client.until([&] { return h.status() && !h.list().empty(); }, short_time));
  client.signal(SIGKILL);
  CHECK(h.eventually([&] { return h.list().empty(); }, boot_time));
}

TEST_CASE("Ctrl-C during create cancels it and cleans up", "[vm]") {
  home h;
  h.good({"vm", "list"});
  auto client = h.start({"vm", "create", "--image", "tiny", "--name", "half"});
  REQUIRE(client.until([&] { return !h.list().empty(); }, short_time));
  client.signal(SIGINT);
  const auto status = client.wait(boot_time);
  CHECK(status != 0);
  CHECK(status != -1);
  CHECK_THAT(client.err(), Contains("interrupted") || Contains("cancel"));
  CHECK(h.eventually([&] { return h.list().empty(); }));
  CHECK(h.eventually([&] {
    const auto vms = h.state() / "vms";
    return !std::filesystem::exists(vms) || std::filesystem::is_empty(vms);
  }));
}

TEST_CASE("kill -9 of the daemon leaves the VM alive, and the next daemon takes it over",
          "[both][vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  const auto boot_id = h.good(boot_id_of_a);
  const auto vmm = vmm_of(h, "a");
  h.kill_daemon();
  CHECK(alive(vmm));
  CHECK(h.show("a").at("state") == "running");
  CHECK(vmm_of(h, "a") == vmm);
  CHECK(h.good(boot_id_of_a) == boot_id);
  h.good({"vm", "stop", "a"});
  CHECK_FALSE(alive(vmm));
}

TEST_CASE("a VM that died while no daemon watched is in a known state, and can be started",
          "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  const auto vmm = vmm_of(h, "a");
  h.kill_daemon();
  ::kill(vmm, SIGKILL);
  REQUIRE(h.eventually([&] { return !alive(vmm); }));
  const auto found = h.show("a");
  CHECK_THAT(found.at("state").get<std::string>(), Catch::Matches("stopped|error"));
  if (found.at("state") == "error")
    CHECK_THAT(found.at("last_error").get<std::string>(), Contains("no daemon"));
  h.good({"vm", "start", "a"});
  CHECK(h.good({"vm", "exec", "a", "--", "echo", "back"}) == "back\n");
}

TEST_CASE("a daemon that is killed while a VM boots leaves a VM in a known state or none", "[vm]") {
  home h;
  auto client = h.start({"vm", "create", "--image", "tiny", "--name", "a"});
  REQUIRE(client.until([&] { return h.status() && !h.list().empty(); }, boot_time));
  h.kill_daemon();
  CHECK(client.wait(short_time) == 1);
  for (const auto& vm : h.list())
    CHECK_THAT(vm.at("state").get<std::string>(), Catch::Matches("created|running|stopped|error"));
}

TEST_CASE("a VMM that is killed from outside leaves a stopped VM or an error that says so",
          "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  const auto vmm = vmm_of(h, "a");
  ::kill(vmm, SIGKILL);
  CHECK(h.eventually([&] { return h.show("a").at("state") != "running"; }));
  CHECK(h.banger({"vm", "exec", "a", "--", "true"}).status == 125);
  h.good({"vm", "start", "a"});
  h.good({"vm", "exec", "a", "--", "true"});
}

TEST_CASE("a guest that powers itself off is a stopped VM", "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  h.banger({"vm", "exec", "a", "--", "poweroff", "-f"});
  CHECK(h.eventually([&] { return h.show("a").at("state") == "stopped"; }));
}

TEST_CASE("the daemon stops while its VM lives on", "[both][vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  const auto boot_id = h.good(boot_id_of_a);
  const auto daemon = h.daemon_pid();
  h.good({"daemon", "stop"});
  CHECK(h.eventually([&] { return !alive(daemon); }));
  CHECK_FALSE(h.status());
  CHECK(h.good(boot_id_of_a) == boot_id);
  CHECK(h.daemon_pid() != daemon);
}

TEST_CASE("a daemon without VMs and clients leaves by itself", "[none]") {
  home h;
  h.env["BANGER_IDLE_EXIT"] = "1";
  h.good({"vm", "list"});
  const auto daemon = h.daemon_pid();
  REQUIRE(daemon > 0);
  CHECK(h.eventually([&] { return !alive(daemon); }));
  CHECK_FALSE(std::filesystem::exists(h.runtime() / "bangerd.sock"));
}

TEST_CASE("many first commands at once start one daemon", "[none]") {
  home h;
  std::list<child> clients;
  for (int i = 0; i < 8; ++i)
    clients.emplace_back(h.command({"vm", "list", "--json"}));
  for (auto& client : clients) {
    CHECK(client.wait(short_time) == 0);
    CHECK(client.out().starts_with("[]"));
  }
  CHECK(processes_with(h.top().string() + "/").size() == 1);
}

TEST_CASE("a client that is killed while it starts the daemon keeps nobody from it", "[none]") {
  home h;
  for (int patience = 0; patience < 40; patience += 4) {
    INFO("killed after " << patience << " ms");
    auto hasty = h.start({"vm", "list"});
    hasty.run_for(milliseconds(patience));
    hasty.signal(SIGKILL);
    hasty.wait(short_time);
    CHECK(h.list().empty());
    h.good({"daemon", "stop"});
  }
}

TEST_CASE("a newer banger brings its own daemon, and the VM lives on", "[both][vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  const auto boot_id = h.good(boot_id_of_a);
  const auto old = h.status();
  REQUIRE(old);
  auto newer = h.command(boot_id_of_a);
  newer.argv[0] = bin("../next/banger");
  const auto answered = run(newer, {}, boot_time);
  INFO(answered.err);
  CHECK(answered.status == 0);
  CHECK(answered.out == boot_id);
  const auto now = h.status();
  REQUIRE(now);
  CHECK(now->at("pid") != old->at("pid"));
  CHECK(now->at("version") == "99.0.0");
  CHECK(h.eventually([&] { return !alive(old->at("pid").get<pid_t>()); }));
  // The older client is served by the newer daemon as long as they speak the same protocol.
  CHECK(h.good(boot_id_of_a) == boot_id);
  CHECK(h.status()->at("pid") == now->at("pid"));
}
