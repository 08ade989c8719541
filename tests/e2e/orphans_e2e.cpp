// What a loss of power, or an older copy of the database, leaves behind: VMs whose create has no
// end, and folders that no record knows. A boot of the host is played by another boot id in their
// files.
#include "tests/e2e/crash_scene.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/procfs.hpp"

#include <csignal>
#include <fstream>

using namespace banger::test;
using banger::crash::scene;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

void replace_boot_id(const fs::path& file) {
  auto text = content(file);
  const auto id = content("/proc/sys/kernel/random/boot_id").substr(0, 36);
  const auto at = text.find(id);
  REQUIRE(at != std::string::npos);
  text.replace(at, id.size(), "00000000-0000-0000-0000-000000000000");
  std::ofstream(file, std::ios::binary) << text;
}

words creation(const std::string& name) {
  return {"vm", "create", "--image", "tiny", "--name", name, "--disk-size", "64M"};
}

/// The host goes down while a VM is created, at this step; the folder of the VM.
fs::path lose_power_in_create(scene& s, const words& command, const std::string& at) {
  s.env["BANGER_FAILPOINT"] = at;
  s.banger(command);
  s.env.erase("BANGER_FAILPOINT");
  for (const auto pid : s.hypervisors())
    ::kill(pid, SIGKILL);
  REQUIRE(s.eventually([&] { return s.hypervisors().empty(); }));
  fs::path found;
  for (const auto& folder : fs::directory_iterator(s.state() / "vms"))
    found = folder.path();
  REQUIRE_FALSE(found.empty());
  return found;
}

} // namespace

TEST_CASE("a VM whose create a loss of power cut off is kept once its guest may have written",
          "[none][user][faults]") {
  scene s;
  const auto folder = lose_power_in_create(s, creation("x"), "create/hello/before:kill");
  replace_boot_id(folder / "vm.json");
  replace_boot_id(folder / "process");
  const auto vm = s.show("x");
  CHECK(vm.at("state") == "stopped");
  CHECK_THAT(vm.at("last_error").get<std::string>(), Contains("the host went down"));
  s.kill_daemon();
  CHECK(s.show("x").at("state") == "stopped"); // its create is over
  s.good({"vm", "start", "x"});
  CHECK(s.good({"vm", "exec", "x", "--", "echo", "hello"}) == "hello\n");
  CHECK(s.show("x").at("last_error") == "");
}

TEST_CASE("a create that was cut off leaves nothing where nobody can miss it",
          "[none][user][faults]") {
  scene s;
  const auto gone = [&](const fs::path& folder) {
    return s.eventually([&] { return s.list().empty(); }) && !fs::exists(folder);
  };
  const auto same_boot = lose_power_in_create(s, creation("x"), "create/hello/before:kill");
  CHECK(gone(same_boot));
  s.kill_daemon();
  const auto not_launched = lose_power_in_create(s, creation("x"), "create/launch/before:kill");
  CHECK_FALSE(fs::exists(not_launched / "vm.json"));
  CHECK(gone(not_launched));
  s.kill_daemon();
  const auto throw_away = lose_power_in_create(
      s, {"vm", "run", "--rm", "--image", "tiny", "--", "true"}, "create/hello/before:kill");
  replace_boot_id(throw_away / "vm.json");
  replace_boot_id(throw_away / "process");
  CHECK(gone(throw_away));
}

TEST_CASE("a VM whose files had not come to the disk is kept in error, with the reason",
          "[none][user][faults]") {
  scene s;
  const auto folder = lose_power_in_create(s, creation("x"), "create/hello/before:kill");
  replace_boot_id(folder / "process");
  fs::resize_file(folder / "vm.json", 0);
  const auto vm = s.show("x");
  CHECK(vm.at("state") == "error");
  CHECK_THAT(vm.at("last_error").get<std::string>(),
             Contains("the host went down") && Contains("vm.json") && Contains("it is empty"));
  CHECK(fs::exists(folder / "work.img"));
  s.good({"vm", "delete", "x"});
  CHECK_FALSE(fs::exists(folder));
}

TEST_CASE("folders that the database does not know are shown, taken back, or removed",
          "[vm][user][faults]") {
  home h;
  h.good({"vm", "list"});
  h.good({"daemon", "stop"});
  copy_database(h.state(), h.top() / "backup");
  h.good(creation("a"));
  h.good({"vm", "exec", "a", "--", "sh", "-c", "echo kept > /root/note; echo kept > /etc/note"});
  const auto a = h.show("a");
  h.good({"vm", "stop", "a"});
  h.good({"vm", "create", "--no-start", "--image", "tiny", "--name", "b"});
  const auto b = h.show("b");
  const fs::path a_folder = a.at("folder").get<std::string>(),
                 b_folder = b.at("folder").get<std::string>();
  const std::string a_id = a.at("id"), b_id = b.at("id");
  h.kill_daemon();
  copy_database(h.top() / "backup", h.state());

  CHECK(h.list().empty());
  const auto status = h.read({"daemon", "status", "--json"});
  REQUIRE(status.at("orphans").size() == 2);
  for (const auto& orphan : status.at("orphans"))
    if (orphan.at("id") == a_id) {
      CHECK(orphan.at("name") == "a");
      CHECK(orphan.at("image") == "tiny");
      CHECK(orphan.at("folder") == a_folder.string());
      CHECK(orphan.at("used_bytes").get<std::uint64_t>() > 0);
      CHECK(orphan.at("problem") == "");
    } else {
      CHECK(orphan.at("id") == b_id);
      CHECK(orphan.at("problem") == "it has no vm.json");
    }
  const auto page = h.good({"daemon", "status"});
  CHECK_THAT(page, Contains("2 (folders that the database does not know)") && Contains(a_id) &&
                       Contains(b_folder.string()));

  const auto no_file = h.banger({"vm", "adopt", b_id});
  CHECK(no_file.status == 1);
  CHECK_THAT(no_file.err, Contains("no vm.json") && Contains("prune --orphans " + b_id));
  CHECK(h.banger({"vm", "adopt", "ffffffffffff"}).status == 1);
  CHECK(h.good({"vm", "adopt", a_id, "--name", "again"}) == "again\n");
  CHECK(h.show("again").at("state") == "stopped");
  CHECK(h.banger({"vm", "adopt", a_id}).status == 1); // it is a VM by now
  CHECK(h.banger({"vm", "prune", "--orphans", "-f", a_id}).status == 1);
  h.good({"vm", "start", "again"});
  CHECK(h.good({"vm", "exec", "again", "--", "cat", "/root/note", "/etc/note"}) == "kept\nkept\n");
  h.kill_daemon();
  CHECK(h.show("again").at("state") == "running"); // its record lasts

  CHECK(h.banger({"vm", "prune", "--orphans"}).status == 2); // nobody can be asked
  CHECK(h.banger({"vm", "prune", "--orphans", "-f", ""}).status == 2);
  CHECK(h.good({"vm", "prune", "--orphans", "-f"}) == b_id + "\n");
  CHECK_FALSE(fs::exists(b_folder));
  CHECK(fs::exists(a_folder));
  CHECK(h.read({"daemon", "status", "--json"}).at("orphans").empty());
  CHECK(h.list().size() == 1);
}

TEST_CASE("an orphan whose hypervisor runs is taken back as it runs, and never removed",
          "[none][user][faults]") {
  scene s;
  s.good({"vm", "list"});
  s.good({"daemon", "stop"});
  copy_database(s.state(), s.top() / "backup");
  s.good(creation("box"));
  const auto was = s.show("box");
  const std::string id = was.at("id");
  s.kill_daemon();
  copy_database(s.top() / "backup", s.state());
  s.good(creation("box")); // its name is free
  CHECK(s.read({"daemon", "status", "--json"}).at("orphans").at(0).at("pid") == was.at("pid"));
  const auto runs = s.banger({"vm", "prune", "--orphans", "-f"});
  CHECK(runs.status == 1);
  CHECK_THAT(runs.err,
             Contains("a hypervisor runs") && Contains(std::to_string(was.at("pid").get<pid_t>())));
  CHECK(alive(was.at("pid").get<pid_t>()));
  const auto taken = s.banger({"vm", "adopt", id});
  CHECK(taken.status == 1);
  CHECK_THAT(taken.err, Contains("--name"));
  s.good({"vm", "adopt", id.substr(0, 6), "--name", "other"});
  CHECK(s.eventually([&] { return s.show("other").at("state") == "running"; }));
  CHECK(s.show("other").at("pid") == was.at("pid"));
  CHECK(s.good({"vm", "exec", "other", "--", "echo", "hello"}) == "hello\n");
}
