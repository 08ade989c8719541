// Guests that reboot, panic or are halted, without an order of ours.
#include "tests/support/catch.hpp"
#include "tests/support/home.hpp"

#include <cerrno>
#include <cstring>
#include <sched.h>
#include <sys/mount.h>

using namespace banger::test;
using Catch::Contains;

namespace {

std::string state_of(home& h, const std::string& vm) { return h.show(vm).at("state"); }

std::string events(home& h) { return h.good({"events"}); }

// Another boot of the same VM, with what was on its disk.
void comes_back(home& h, const std::string& vm, const words& reboot, milliseconds deadline) {
  const auto boot = [&] {
    return h
        .banger({"vm", "exec", vm, "--", "cat", "/proc/sys/kernel/random/boot_id", "/root/kept"})
        .out;
  };
  h.good({"vm", "exec", vm, "--", "sh", "-c", "echo kept > /root/kept"});
  const auto before = boot();
  REQUIRE_THAT(before, Contains("kept"));
  words command{"vm", "exec", vm, "--"};
  command.insert(command.end(), reboot.begin(), reboot.end());
  h.banger(command);
  REQUIRE(h.eventually(
      [&] {
        const auto now = boot();
        return now != before && now.find("kept") != std::string::npos;
      },
      deadline));
  CHECK(state_of(h, vm) == "running");
}

// A folder of the test on a file system of its own size; false: not allowed here.
bool small_disk(const std::filesystem::path& folder, const char* size) {
  std::filesystem::create_directories(folder);
  std::filesystem::permissions(folder, std::filesystem::perms::owner_all);
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("tmpfs", folder.c_str(), "tmpfs", 0, size) == 0;
}

} // namespace

TEST_CASE("a guest that reboots is started again, and one that panics is in error",
          "[vm][faults]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  comes_back(h, "a", {"sh", "-c", "sync; reboot"}, boot_time);
  comes_back(h, "a", {"sh", "-c", "sync; reboot -f"}, boot_time);
  CHECK_THAT(events(h), Contains("reboot begins") && Contains("reboot done"));
  h.banger({"vm", "exec", "a", "--", "sh", "-c", "echo c > /proc/sysrq-trigger"});
  REQUIRE(h.eventually([&] { return state_of(h, "a") == "error"; }, boot_time));
  CHECK_THAT(h.show("a").at("last_error").get<std::string>(),
             Contains("the guest's kernel panicked") && Contains("sysrq triggered crash"));
  h.good({"vm", "start", "a"});
  h.banger({"vm", "exec", "a", "--", "sh", "-c", "poweroff"});
  CHECK(h.eventually([&] { return state_of(h, "a") == "stopped"; }, boot_time));
}

TEST_CASE("a reboot of an image with its own init is a reboot", "[vm][debian][faults]") {
  home h(home::images::debian);
  REQUIRE(h.banger({"vm", "create", "--name", "a", "--wait", "boot"}, {}, 3 * boot_time).status ==
          0); // before that its init does not listen
  comes_back(h, "a", {"reboot"}, 2 * boot_time);
}

TEST_CASE("a full disk of the host pauses the VM that writes until there is room",
          "[two-vms][root][faults]") {
  home h;
  if (!small_disk(h.state(), "size=80m,mode=700"))
    return skip(std::string("no file system can be mounted: ") + std::strerror(errno));
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  h.good({"vm", "create", "--image", "tiny", "--name", "other"});
  auto writer = h.start({"vm", "exec", "a", "--", "sh", "-c",
                         "dd if=/dev/zero of=/root/f bs=1M count=100 2>/dev/null && sync && "
                         "wc -c < /root/f"});
  REQUIRE(h.eventually([&] { return state_of(h, "a") == "paused"; }, boot_time));
  const auto why = "no space left on " + (h.state() / "vms").string();
  CHECK_THAT(h.good({"vm", "list"}), Contains("paused: " + why));
  CHECK(h.show("a").at("paused") == why);
  CHECK_THAT(events(h), Contains("is paused: " + why));
  const auto refused = h.banger({"vm", "exec", "a", "--", "true"});
  CHECK(refused.status != 0);
  CHECK_THAT(refused.err, Contains("VM a is paused") && Contains(why));
  CHECK_THAT(h.banger({"vm", "health", "a"}).err, Contains("paused") && Contains(why));
  CHECK(h.good({"vm", "exec", "other", "--", "echo", "unharmed"}) == "unharmed\n");
  // It goes on by itself, also under another daemon, and nothing is lost.
  h.kill_daemon();
  CHECK(h.eventually([&] { return h.show("a").at("paused") == why; }));
  REQUIRE(::mount(nullptr, h.state().c_str(), nullptr, MS_REMOUNT, "size=160m") == 0);
  CHECK(writer.wait(boot_time) == 0);
  CHECK(writer.out() == "104857600\n");
  CHECK(h.eventually([&] { return state_of(h, "a") == "running"; }));
  h.good({"vm", "exec", "a", "--", "true"});
  // A delete makes room.
  auto again = h.start({"vm", "exec", "a", "--", "dd", "if=/dev/zero", "of=/root/g", "bs=1M"});
  REQUIRE(h.eventually([&] { return state_of(h, "a") == "paused"; }, boot_time));
  h.good({"vm", "delete", "a"});
  CHECK(h.good({"vm", "exec", "other", "--", "echo", "unharmed"}) == "unharmed\n");
}
