// One test for each row of the smoke suite of the reference system, by its name there. Rows whose
// feature is not there yet are skipped, each with what it needs.
#include "tests/support/catch.hpp"
#include "tests/support/home.hpp"

using namespace banger::test;

TEST_CASE("bare_run", "[vm]") {
  home h;
  CHECK(h.good({"vm", "run", "--image", "tiny", "--rm", "--", "echo", "smoke-bare-ok"}) ==
        "smoke-bare-ok\n");
  CHECK(h.list().empty());
}

TEST_CASE("workspace_run", "[later]") { skip("needs workspaces"); }

TEST_CASE("exit_code", "[vm]") {
  home h;
  CHECK(h.banger({"vm", "run", "--image", "tiny", "--rm", "--", "sh", "-c", "exit 42"}).status ==
        42);
}

TEST_CASE("workspace_dry_run", "[later]") { skip("needs workspaces"); }
TEST_CASE("include_untracked", "[later]") { skip("needs workspaces"); }
TEST_CASE("workspace_export", "[later]") { skip("needs workspaces"); }
TEST_CASE("workspace_export_base_commit", "[later]") { skip("needs workspaces"); }
TEST_CASE("workspace_prepare_readonly", "[later]") { skip("needs workspaces"); }
TEST_CASE("workspace_prepare_full_copy", "[later]") { skip("needs workspaces"); }
TEST_CASE("workspace_stop_start", "[later]") { skip("needs workspaces"); }

// The row's workspace half (auto-cd, stale-host warning, --auto-prepare) comes with workspaces.
TEST_CASE("vm_exec", "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "box"});
  CHECK(h.good({"vm", "exec", "box", "--", "pwd"}) == "/root\n");
  CHECK(h.banger({"vm", "exec", "box", "--", "sh", "-c", "exit 7"}).status == 7);
  h.good({"vm", "stop", "box"});
  const auto refused = h.banger({"vm", "exec", "box", "--", "true"});
  CHECK(refused.status == 125);
  CHECK_THAT(refused.err, Catch::Contains("box") && Catch::Contains("banger vm start"));
}

TEST_CASE("concurrent_runs", "[two-vms]") {
  home h;
  auto one = h.start({"vm", "run", "--image", "tiny", "--rm", "--", "echo", "one"});
  auto two = h.start({"vm", "run", "--image", "tiny", "--rm", "--", "echo", "two"});
  CHECK(one.wait(boot_time) == 0);
  CHECK(two.wait(boot_time) == 0);
  CHECK(one.out() == "one\n");
  CHECK(two.out() == "two\n");
}

// By exec, where the row says ssh.
TEST_CASE("vm_lifecycle", "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "box"});
  CHECK(h.good({"vm", "exec", "box", "--", "echo", "first"}) == "first\n");
  h.good({"vm", "stop", "box"});
  h.good({"vm", "start", "box"});
  CHECK(h.good({"vm", "exec", "box", "--", "echo", "second"}) == "second\n");
  h.good({"vm", "delete", "box"});
  CHECK(h.list().empty());
}

// With as many virtual CPUs as a small host has.
TEST_CASE("vm_set", "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "box", "--vcpu", "1", "--disk-size", "64M"});
  const auto refused = h.banger({"vm", "set", "box", "--vcpu", "2"});
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, Catch::Contains("banger vm stop box"));
  const auto used = h.good({"vm", "exec", "box", "--", "sh", "-c", "echo kept > /root/f; nproc"});
  CHECK(used == "1\n");
  h.good({"vm", "stop", "box"});
  h.good({"vm", "set", "box", "--vcpu", "2", "--memory", "192", "--disk-size", "256M", "--nat"});
  h.good({"vm", "start", "box"});
  CHECK(h.good({"vm", "exec", "box", "--", "sh", "-c", "nproc; cat /root/f"}) == "2\nkept\n");
  const auto kib =
      h.good({"vm", "exec", "box", "--", "sh", "-c", "df -k /root | tail -1 | awk '{print $2}'"});
  CHECK(std::stoul(kib) > 150'000);
  CHECK(h.show("box").at("memory_mib") == 192);
  CHECK_THAT(h.good({"vm", "exec", "box", "--", "cat", "/etc/resolv.conf"}),
             Catch::Contains("nameserver"));
}

TEST_CASE("vm_restart", "[vm]") {
  home h;
  const auto boot_id = [&] {
    return h.good({"vm", "exec", "box", "--", "cat", "/proc/sys/kernel/random/boot_id"});
  };
  h.good({"vm", "create", "--image", "tiny", "--name", "box"});
  const auto before = boot_id();
  h.good({"vm", "restart", "box"});
  CHECK(boot_id() != before);
  // A new name reaches the guest at its next start.
  h.good({"vm", "rename", "box", "crate"});
  h.good({"vm", "restart", "crate"});
  CHECK(h.good({"vm", "exec", "crate", "--", "hostname"}) == "crate\n");
}

TEST_CASE("vm_kill", "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "box"});
  h.good({"vm", "kill", "--signal", "KILL", "box"});
  CHECK(h.show("box").at("state") == "stopped");
}

TEST_CASE("vm_prune", "[two-vms]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "keep"});
  h.good({"vm", "create", "--image", "tiny", "--name", "gone"});
  h.good({"vm", "stop", "gone"});
  CHECK(h.good({"vm", "prune", "-f"}) == "gone\n");
  REQUIRE(h.list().size() == 1);
  CHECK(h.show("keep").at("state") == "running");
}

// The row's sshd comes with ssh, its NAME.vm endpoint with names.
TEST_CASE("vm_ports", "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "box"});
  auto listener = h.start({"vm", "exec", "box", "--", "nc", "-l", "-p", "22"});
  CHECK(h.eventually([&] {
    const auto seen = h.good({"vm", "ports", "box"});
    return seen.find(":22\n") != std::string::npos && seen.find(" nc ") != std::string::npos;
  }));
}

TEST_CASE("nat", "[later]") {
  skip("needs root for the bridge: it is tested with the label network");
}

TEST_CASE("invalid_spec", "[none]") {
  home h;
  CHECK(h.banger({"vm", "create", "--image", "tiny", "--vcpu", "0"}).status == 2);
  CHECK(h.list().empty());
}

TEST_CASE("invalid_name", "[none]") {
  home h;
  CHECK(h.banger({"vm", "create", "--image", "tiny", "--name", "Not_A_Label"}).status == 2);
  CHECK(h.list().empty());
}

TEST_CASE("ssh_config", "[later]") { skip("needs `ssh-config`"); }
TEST_CASE("detach_run", "[vm]") {
  home h;
  CHECK(h.banger({"vm", "run", "-d", "--rm"}).status == 2);
  CHECK(h.banger({"vm", "run", "-d", "--", "true"}).status == 2);
  CHECK(h.list().empty());
  CHECK(h.good({"vm", "run", "-d", "--image", "tiny", "--name", "box"}) == "box\n");
  CHECK(h.good({"vm", "exec", "box", "--", "echo", "here"}) == "here\n");
}

TEST_CASE("bootstrap_precondition", "[later]") { skip("needs workspaces"); }
TEST_CASE("update_check", "[later]") { skip("needs `update`"); }
TEST_CASE("update_to_unknown", "[later]") { skip("needs `update`"); }
TEST_CASE("update_no_root", "[later]") { skip("needs `update`"); }
TEST_CASE("update_dry_run", "[later]") { skip("needs `update`"); }
TEST_CASE("update_keeps_vm_alive", "[later]") { skip("needs `update`"); }
TEST_CASE("update_rollback_keeps_vm_alive", "[later]") { skip("needs `update`"); }
TEST_CASE("doctor", "[later]") { skip("needs `doctor`"); }
TEST_CASE("system_install", "[later]") { skip("needs `system install`"); }
