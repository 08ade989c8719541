#include "tests/e2e/crash_scene.hpp"
#include "tests/support/catch.hpp"

#include "tests/support/procfs.hpp"

#include <algorithm>
#include <csignal>
#include <iostream>
#include <set>
#include <sqlite3.h>
#include <thread>

namespace banger::crash {

namespace fs = std::filesystem;
using namespace test;

namespace {

const std::string failpoint_variable = "BANGER_FAILPOINT";

std::vector<std::string> read_column(const fs::path& file, const char* query) {
  std::vector<std::string> values;
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK);
  sqlite3_busy_timeout(db, 5000);
  const auto take = [](void* into, int, char** text, char**) {
    static_cast<std::vector<std::string>*>(into)->emplace_back(text[0]);
    return 0;
  };
  const int done = sqlite3_exec(db, query, take, &values, nullptr);
  sqlite3_close(db);
  CHECK(done == SQLITE_OK);
  return values;
}

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    names.insert(entry.path().filename());
  return names;
}

std::string join(const std::set<std::string>& words) {
  std::string line;
  for (const auto& w : words)
    line += (line.empty() ? "" : " ") + w;
  return "{" + line + "}";
}

template <class Condition>
bool soon(Condition holds, milliseconds deadline) {
  const auto end = clock::now() + scaled(deadline);
  while (!holds()) {
    if (clock::now() > end)
      return false;
    std::this_thread::sleep_for(milliseconds(2));
  }
  return true;
}

} // namespace

scene::scene(guests kind) {
  if (kind == guests::scripted)
    env["BANGER_QEMU"] = bin("scripted-vmm");
}

pid_t scene::find_daemon() const {
  for (const auto pid : processes_with(env.at("XDG_RUNTIME_DIR")))
    if (status_line(pid, "Name") == "bangerd")
      return pid;
  return -1;
}

std::vector<pid_t> scene::hypervisors() const {
  auto found = processes_with((state() / "vms").string() + "/");
  std::erase_if(found, [](pid_t pid) { return status_line(pid, "Name") == "bangerd"; });
  return found;
}

std::size_t scene::failures_logged() const {
  const auto log = daemon_log();
  return static_cast<std::size_t>(std::count_if(log.begin(), log.end(), [](const auto& entry) {
    return entry.dump().find("failpoint ") != std::string::npos;
  }));
}

void scene::end_daemon() {
  if (const auto pid = find_daemon(); pid > 0) {
    ::kill(pid, SIGKILL);
    CHECK(soon([&] { return !alive(pid); }, short_time));
  }
}

void scene::prepare(const trial& t, const std::string& failpoint) {
  env.erase(failpoint_variable);
  for (std::size_t i = 0; i < t.before.size(); ++i) {
    const bool cut = !t.cut_off.empty() && i + 1 == t.before.size();
    if (!cut) {
      good(t.before[i]);
      continue;
    }
    end_daemon();
    env[failpoint_variable] = t.cut_off;
    good({"vm", "list"});
    daemon_ = find_daemon();
    banger(t.before[i]);
    CHECK(daemon_died());
  }
  before_ = hypervisors();
  end_daemon();
  env[failpoint_variable] = failpoint;
  if (t.command.empty()) {
    program alone;
    alone.argv = {bin("bangerd")};
    alone.env = env;
    own_ = std::make_unique<child>(alone);
    daemon_ = own_->pid();
    return;
  }
  good({"vm", "list"});
  daemon_ = find_daemon();
}

outcome scene::perform(const trial& t) { return t.command.empty() ? outcome{} : banger(t.command); }

bool scene::daemon_died() {
  return soon([this] { return !alive(daemon_); }, milliseconds(1500));
}

pid_t scene::daemon_stopped(child* client) {
  const auto stopped = [this] {
    return status_line(daemon_, "State").value_or("").starts_with("T");
  };
  soon([&] { return stopped() || (client != nullptr && !client->running()); }, short_time);
  return stopped() ? daemon_ : -1;
}

// One in error keeps its traces; of one that could not be deleted less may be left.
void scene::look_at(const json& vm, listing& now) const {
  const auto id = vm.at("id").get<std::string>(), state_now = vm.at("state").get<std::string>();
  now.all.insert(id);
  now.rows.insert(id + " " + vm.at("name").get<std::string>() + " " + state_now + " " +
                  std::to_string(vm.at("memory_mib").get<std::uint64_t>()) + " " +
                  std::to_string(vm.at("disk_bytes").get<std::uint64_t>()));
  if (state_now == "running")
    now.running.insert(id);
  if (vm.at("operation") != "" || vm.at("queued") != 0)
    now.wrong.push_back(id + " is busy: " + vm.at("operation").get<std::string>());
  for (const auto& file : names_in(state() / "vms" / id))
    if (state_now == "stopped" && file.ends_with(".sock"))
      now.wrong.push_back(id + " is " + state_now + " and has " + file);
  if (const auto wrong = wrong_disk(vm); !wrong.empty())
    now.wrong.push_back(wrong);
}

std::string scene::wrong_disk(const json& vm) const {
  const auto id = vm.at("id").get<std::string>();
  const auto bytes = vm.at("disk_bytes").get<std::uint64_t>();
  std::error_code none;
  const auto real = fs::file_size(state() / "vms" / id / "work.img", none);
  if (none ? vm.at("state") == "error" : real == bytes)
    return {};
  return id + " has a disk of " + std::to_string(bytes) + ", but its file has " +
         (none ? none.message() : std::to_string(real));
}

void scene::compare_disks() {
  for (const auto& vm : list())
    if (const auto wrong = wrong_disk(vm); !wrong.empty())
      FAIL_CHECK(wrong);
}

scene::listing scene::look() {
  listing now;
  state_ = gone;
  for (const auto& vm : list()) {
    look_at(vm, now);
    if (vm.at("name") != "x")
      continue;
    state_ = vm.at("state");
    sizes_ = {vm.at("memory_mib"), vm.at("disk_bytes")};
  }
  return now;
}

void scene::compare_host(listing& now) const {
  const auto folders = names_in(state() / "vms");
  if (!std::includes(now.all.begin(), now.all.end(), folders.begin(), folders.end()))
    now.wrong.push_back("folders " + join(folders) + " but VMs " + join(now.all));
  std::set<std::string> alive_ones;
  const auto processes = hypervisors();
  for (const auto pid : processes)
    for (const auto& id : folders)
      if (command_line(pid).find(id) != std::string::npos)
        alive_ones.insert(id);
  if (alive_ones != now.running || processes.size() != now.running.size())
    now.wrong.push_back(std::to_string(processes.size()) + " hypervisors, of " + join(alive_ones) +
                        ", but " + join(now.running) + " run");
}

void scene::compare_database(listing& now) const {
  const auto file = state() / "state.db";
  const auto found = read_column(
      file, "SELECT id || ' ' || name || ' ' || state || ' ' || json_extract(spec_json, "
            "'$.memory_mib') || ' ' || json_extract(spec_json, '$.disk_bytes') FROM vms");
  if (const std::set<std::string> recorded(found.begin(), found.end()); recorded != now.rows)
    now.wrong.push_back("rows " + join(recorded) + " but VMs " + join(now.rows));
  for (const auto& rest : read_column(file, "SELECT vm || ' ' || verb FROM journal"))
    now.wrong.push_back("journal: " + rest);
}

void scene::compare_ends(listing& now, const ends& allowed) {
  const auto has = [](const auto& all, const auto& one) {
    return std::find(all.begin(), all.end(), one) != all.end();
  };
  if (!has(allowed.states, state_))
    now.wrong.push_back("the VM is '" + state_ + "'");
  if (state_ == "error" && show("x").at("last_error") == "")
    now.wrong.emplace_back("an error without a reason");
  if (state_ != gone && !has(allowed.made_of, sizes_))
    now.wrong.push_back("the VM has " + std::to_string(sizes_.memory_mib) + " MiB, a disk of " +
                        std::to_string(sizes_.disk_bytes));
  for (const auto pid : hypervisors())
    if (!allowed.may_live_on && has(before_, pid))
      now.wrong.push_back("an old hypervisor lives: " + std::to_string(pid));
}

std::vector<std::string> scene::disagreements(const ends& allowed) {
  auto now = look();
  compare_ends(now, allowed);
  compare_host(now);
  compare_database(now);
  return now.wrong;
}

std::string scene::reconcile(const ends& allowed) {
  end_daemon();
  own_.reset();
  env.erase(failpoint_variable);
  std::vector<std::string> left;
  eventually([&] { return (left = disagreements(allowed)).empty(); });
  for (const auto& what : left)
    FAIL_CHECK(what);
  if (state_ == "running")
    CHECK(banger({"vm", "exec", "x", "--", "true"}).status == 0);
  return state_;
}

void scene::clear() {
  for (const auto& vm : list())
    CHECK(banger({"vm", "delete", vm.at("id").get<std::string>()}).status == 0);
  std::vector<std::string> left;
  eventually([&] { return (left = disagreements({{gone}})).empty(); });
  for (const auto& what : left)
    FAIL_CHECK("after the delete: " << what);
  CHECK(names_in(state() / "vms").empty());
}

void scene::count(const std::string& what) {
  ++rows;
  UNSCOPED_INFO("row " << rows << ": " << what);
}

void scene::tell(const std::string& what) const {
  std::cout << rows << " rows: " << what << std::endl;
}

} // namespace banger::crash
