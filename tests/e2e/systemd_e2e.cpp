// An image with an init of its own: Debian, booted to its default target under our agent.
#include "tests/e2e/systemd_scene.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/procfs.hpp"

#include <csignal>

using namespace banger::test;
using Catch::Contains;

namespace {

void boot(home& h, const words& more = {}) {
  words create{"vm", "create", "--name", "w", "--wait", "boot"};
  create.insert(create.end(), more.begin(), more.end());
  const auto made = h.banger(create, {}, systemd_time);
  REQUIRE(made.status == 0);
}

} // namespace

TEST_CASE("the default image boots to systemd's default target, sane and as itself",
          "[both][vm][debian]") {
  home h(home::images::debian);
  boot(h, {"--nat"});
  CHECK(in_guest(h, "cat /proc/1/comm") == "systemd\n");
  CHECK(in_guest(h, "systemctl is-system-running") == "running\n");
  CHECK(in_guest(h, "systemctl --failed --no-legend --plain").empty());
  CHECK(in_guest(h, "hostname; getent hosts w | awk '{print $1}'") == "w\n127.0.1.1\n");
  // Its own identity, on every VM another one.
  const auto id = in_guest(h, "cat /etc/machine-id");
  CHECK(id.size() == 33);
  CHECK(in_guest(h, "journalctl --header | grep -c " + id.substr(0, 32)) != "0\n");
  CHECK_THAT(in_guest(h, "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"), Contains("ED25519"));
  CHECK_THAT(in_guest(h, "sshd -T"),
             Contains("permitrootlogin without-password") && Contains("passwordauthentication no"));
  CHECK_THAT(in_guest(h, "cat /root/.ssh/authorized_keys"), Contains("ssh-ed25519 "));
  // The network that the agent made is the one that is there.
  CHECK_THAT(in_guest(h, "ip -4 -o addr show dev eth0"), Contains("10.0.2.15/24"));
  CHECK_THAT(in_guest(h, "ip -4 route"), Contains("default via 10.0.2.2"));
  CHECK_THAT(in_guest(h, "cat /etc/resolv.conf"), Contains("nameserver "));
  CHECK_THAT(in_guest(h, "findmnt -no FSTYPE /root; df --output=target /root"),
             Contains("ext4") && Contains("/root"));
  CHECK_THAT(in_guest(h, "stat -c '%U:%G %a' /etc/shadow /usr/bin/sudo /root"),
             Contains("root:shadow 640\nroot:root 4755\nroot:root 700\n"));
  CHECK_THAT(in_guest(h, "modprobe dummy && lsmod"), Contains("dummy"));
  CHECK_THAT(in_guest(h, "for t in git make gcc jq curl less sudo sshd; do command -v $t; done"),
             Contains("/sshd\n"));
  CHECK_THAT(in_guest(h, "cat /etc/os-release"), Contains("VERSION_CODENAME=bookworm"));
  // A command may outlive nothing of systemd's: it has a cgroup of its own.
  CHECK_THAT(in_guest(h, "cat /proc/self/cgroup"), Contains("/banger/"));
  const auto stopped = h.banger({"vm", "stop", "w"}, {}, systemd_time);
  CHECK(stopped.status == 0);
  CHECK(h.show("w").at("state") == "stopped");
  CHECK_THAT(h.good({"vm", "logs", "w"}), Contains("reboot: Power down"));
  // What was written is there after the next boot, and it is another boot.
  const auto again = h.banger({"vm", "start", "w"}, {}, systemd_time);
  REQUIRE(again.status == 0);
  CHECK(in_guest(h, "cat /etc/machine-id") == id);
}

TEST_CASE("a create does not wait for systemd unless it is asked to", "[vm][debian]") {
  home h(home::images::debian);
  h.good({"vm", "create", "--name", "w"});
  const auto state = h.banger({"vm", "exec", "w", "--", "systemctl", "is-system-running"});
  CHECK_THAT(state.out + state.err, Contains("offline") || Contains("initializing") ||
                                        Contains("starting") ||
                                        Contains("Failed to connect to bus")); // not there yet
  // A kill does not ask the guest, whatever it is doing.
  h.good({"vm", "kill", "w"});
  CHECK(h.show("w").at("state") == "stopped");
  CHECK(h.show("w").at("pid") == 0);
  h.good({"vm", "kill", "w"}); // nothing left to do is success
}

TEST_CASE("what an early command puts in /tmp stays until the next boot", "[vm][debian]") {
  home h(home::images::debian);
  h.good({"vm", "create", "--name", "w"});
  const auto early = h.banger({"vm", "exec", "w", "--", "sh", "-c",
                               "echo early > /tmp/f; mkdir -p /tmp/d/e; "
                               "until [ -S /run/systemd/private ]; do sleep 0.2; done; "
                               "systemctl is-system-running --wait; cat /tmp/f; stat -c %a /tmp"},
                              {}, systemd_time);
  CHECK(early.out == "running\nearly\n1777\n");
  CHECK(h.banger({"vm", "stop", "w"}, {}, systemd_time).status == 0);
  REQUIRE(h.banger({"vm", "start", "w"}, {}, systemd_time).status == 0);
  CHECK(in_guest(h, "ls -d /tmp/f /tmp/d 2> /dev/null | wc -l") == "0\n");
}

TEST_CASE("a daemon that is killed while systemd is waited for leaves the VM alone",
          "[vm][debian][restart]") {
  home h(home::images::debian);
  h.good({"vm", "list"});
  auto client = h.start({"vm", "create", "--name", "w", "--wait", "boot"});
  REQUIRE(client.until(
      [&] {
        const auto all = h.list();
        return !all.empty() && all.front().at("operation") == "boot";
      },
      boot_time));
  const auto before = in_guest(h, "cat /proc/sys/kernel/random/boot_id");
  h.kill_daemon();
  CHECK(client.wait(boot_time) == 1);
  CHECK(h.show("w").at("state") == "running");
  CHECK(in_guest(h, "cat /proc/sys/kernel/random/boot_id") == before);
}

TEST_CASE("a guest whose agent does not answer is stopped by its power button",
          "[vm][debian][user]") {
  home h(home::images::debian);
  boot(h);
  // The agent is the one that holds the port. It stops after it has told us of this shell's end.
  CHECK(in_guest(
            h, "for p in /proc/[0-9]*; do ls -l $p/fd 2> /dev/null | grep -q /dev/vport && "
               "systemd-run --no-block --quiet sh -c \"while [ -d /proc/$$ ]; do sleep 0.2; done; "
               "sleep 2; kill -STOP ${p#/proc/}\" && echo found; done; true") == "found\n");
  int silent = 0; // a slow guest may be late once
  REQUIRE(h.eventually([&] {
    silent = h.banger({"vm", "health", "w"}).status != 0 ? silent + 1 : 0;
    return silent == 3;
  }));
  const auto begun = clock::now();
  const auto stopped = h.banger({"vm", "stop", "w"}, {}, systemd_time);
  CHECK(stopped.status == 0);
  CHECK(h.show("w").at("state") == "stopped");
  CHECK_THAT(h.good({"vm", "logs", "w"}), Contains("reboot: Power down"));
  CHECK(clock::now() - begun > milliseconds(10'000)); // the agent had its chance first
}

TEST_CASE("a guest that powers itself off is stopped, without an error", "[vm][debian][user]") {
  home h(home::images::debian);
  boot(h);
  h.banger({"vm", "exec", "w", "--", "systemctl", "poweroff"});
  CHECK(h.eventually([&] { return h.show("w").at("state") == "stopped"; }, systemd_time));
  CHECK(h.show("w").at("last_error") == "");
}

TEST_CASE("images with NetworkManager or cloud-init get the address that the agent gives them",
          "[vm][debian][root]") {
  for (const auto* package : {"network-manager", "cloud-init"}) {
    INFO(package);
    home h(home::images::debian);
    const auto built = h.banger({"image", "build", "w", "--include", package}, {}, build_time);
    REQUIRE(built.status == 0);
    boot(h, {"--image", "w", "--nat", "--memory", "1G"});
    CHECK(in_guest(h, "dpkg-query -W -f '${db:Status-Status}' " + std::string(package)) ==
          "installed");
    CHECK_THAT(in_guest(h, "ip -4 -o addr show dev eth0"), Contains("10.0.2.15/24"));
    CHECK_THAT(in_guest(h, "ip -4 route"), Contains("default via 10.0.2.2"));
    CHECK_THAT(in_guest(h, "cat /etc/resolv.conf"), Contains("nameserver "));
    CHECK(in_guest(h, "hostname") == "w\n");
    const auto update =
        h.banger({"vm", "exec", "w", "--", "apt-get", "-q", "update"}, {}, build_time);
    CHECK(update.status == 0);
    CHECK_THAT(update.out, !Contains("GPG error"));
    CHECK(h.banger({"vm", "stop", "w"}, {}, systemd_time).status == 0);
  }
}
