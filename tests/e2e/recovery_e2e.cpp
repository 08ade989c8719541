// Databases and clocks that are not what they were when a daemon last looked.
#include "tests/e2e/crash_scene.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/procfs.hpp"

#include <csignal>
#include <fstream>
#include <sqlite3.h>

using namespace banger::test;
using banger::crash::scene;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

void create(scene& s, const std::string& name) {
  s.good({"vm", "create", "--image", "tiny", "--name", name});
}

std::string state_of(scene& s, const std::string& name) { return s.show(name).at("state"); }

void execute(const fs::path& database, const std::string& statement) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(database.c_str(), &db) == SQLITE_OK);
  CHECK(sqlite3_exec(db, statement.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

bool logged(const scene& s, const std::string& event, const std::string& part) {
  for (const auto& entry : s.daemon_log())
    if (entry.value("event", "") == event &&
        entry.value("text", "").find(part) != std::string::npos)
      return true;
  return false;
}

} // namespace

TEST_CASE("an older copy of the database is believed, and what it does not know is named",
          "[none][user][crash]") {
  scene s;
  create(s, "again");   // stopped and started after the copy
  create(s, "deleted"); // after the copy
  s.good({"daemon", "stop"});
  copy_database(s.state(), s.top() / "backup");
  s.good({"vm", "stop", "again"});
  s.good({"vm", "start", "again"});
  s.good({"vm", "delete", "deleted"});
  create(s, "unknown"); // after the copy
  const auto again = s.show("again").at("pid").get<pid_t>();
  const auto stranger = s.show("unknown").at("pid").get<pid_t>();
  const fs::path folder = s.show("unknown").at("folder").get<std::string>();
  s.kill_daemon();
  copy_database(s.top() / "backup", s.state());

  CHECK(s.list().size() == 2);
  CHECK(s.show("again").at("pid") == again);
  CHECK(s.good({"vm", "exec", "again", "--", "echo", "hello"}) == "hello\n");
  CHECK(s.eventually([&] { return state_of(s, "deleted") == "error"; }));
  CHECK_THAT(s.show("deleted").at("last_error").get<std::string>(), Contains("no daemon watched"));
  CHECK(logged(s, "unknown_vm", folder.string()));
  CHECK(logged(s, "unknown_vm", "pid " + std::to_string(stranger)));
  CHECK(alive(stranger));
  create(s, "unknown"); // its name is free, its folder is in nobody's way
  s.good({"vm", "delete", "again", "deleted", "unknown"});
  CHECK(alive(stranger));
  CHECK(fs::exists(folder));

  ::kill(stranger, SIGKILL); // as docs/recovery.md says
  fs::remove_all(folder);
  s.kill_daemon();
  CHECK(s.list().empty());
}

TEST_CASE("damaged rows of the journal are set aside by name, and all VMs are served",
          "[none][user][crash]") {
  scene s;
  create(s, "a");
  create(s, "b");
  s.good({"vm", "stop", "b"});
  const auto a = s.show("a").at("id").get<std::string>(),
             b = s.show("b").at("id").get<std::string>();
  s.kill_daemon();
  const auto row = [](const std::string& op, const std::string& vm, const std::string& verb) {
    return "INSERT INTO journal VALUES ('" + op + "', '" + vm + "', '" + verb + "', 'launch');";
  };
  execute(s.state() / "state.db", row("op-1", a, "frobnicate") + row("op-2", b, "") +
                                      row("op-3", "no id", "start") +
                                      row("op-4", "ffffffffffff", "start"));
  CHECK(state_of(s, "a") == "running");
  CHECK(state_of(s, "b") == "stopped");
  for (const auto* op : {"op-1", "op-2", "op-3"})
    CHECK(logged(s, "row_quarantined", op));
  CHECK(s.good({"vm", "exec", "a", "--", "echo", "hello"}) == "hello\n");
  s.good({"vm", "start", "b"});
  s.good({"vm", "delete", "a", "b"});
  CHECK(s.list().empty());
}

TEST_CASE("a wall clock that jumps by a day, either way, changes no VM and no operation",
          "[none][user][crash]") {
  scene s;
  const auto file = s.top() / "shift";
  const auto jump = [&](int days) { std::ofstream(file) << days * 86'400; };
  jump(0);
  s.env["LD_PRELOAD"] = bin("clock_shift.so");
  s.env["CLOCK_SHIFT_FILE"] = file;
  create(s, "a");
  const auto pid = s.show("a").at("pid");
  jump(1);
  create(s, "b");
  CHECK(s.show("b").at("created_ms").get<std::int64_t>() -
            s.show("a").at("created_ms").get<std::int64_t>() >
        86'000'000);
  CHECK(s.good({"vm", "exec", "a", "--", "echo", "hello"}) == "hello\n");
  jump(-1);
  create(s, "c");
  s.good({"vm", "stop", "b"});
  s.kill_daemon();
  const auto all = s.list();
  REQUIRE(all.size() == 3);
  CHECK(all.at(0).at("name") == "c"); // by the time that was told, as ever
  CHECK(all.at(2).at("name") == "b");
  CHECK(s.show("a").at("pid") == pid);
  CHECK(s.good({"vm", "exec", "a", "--", "echo", "hello"}) == "hello\n");
  CHECK(state_of(s, "b") == "stopped");
  jump(1);
  s.good({"vm", "start", "b"});
  s.good({"vm", "delete", "a", "b", "c"});
  for (const auto& op : s.read({"operations", "--json"}))
    CHECK(op.at("state") == "done");
}
