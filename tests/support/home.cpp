#include "tests/support/home.hpp"
#include "tests/support/catch.hpp"

#include "tests/support/procfs.hpp"

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <set>
#include <sqlite3.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace banger::test {

namespace fs = std::filesystem;

namespace {

fs::path from_env(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr)
    throw std::runtime_error(std::string(name) + " is not set: run this by ctest");
  return value;
}

// Images and kernels are written once and never changed, so the tests may share their bytes.
void link_tree(const fs::path& from, const fs::path& to) {
  fs::create_directories(to);
  fs::permissions(to, fs::status(from).permissions());
  for (const auto& entry : fs::directory_iterator(from)) {
    const auto target = to / entry.path().filename();
    if (entry.is_directory() && !entry.is_symlink())
      link_tree(entry.path(), target);
    else if (entry.is_symlink())
      fs::copy_symlink(entry.path(), target);
    else if (entry.is_regular_file() && entry.path().extension() != ".lock")
      fs::create_hard_link(entry.path(), target);
  }
}

std::vector<fs::path> sockets_below(const fs::path& top) {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(
           top, fs::directory_options::skip_permission_denied, ignored))
    if (entry.is_socket(ignored))
      found.push_back(entry.path());
  return found;
}

} // namespace

fs::path bin(const std::string& name) { return from_env("BANGER_TEST_BIN") / name; }
fs::path stage() { return from_env("BANGER_TEST_STAGE"); }

void skip(const std::string& why) {
  std::cout << "SKIPPED: " << why << std::endl;
  SUCCEED("skipped");
}

home::home(images wanted) {
  std::string form = stage() / "t-XXXXXX";
  if (::mkdtemp(form.data()) == nullptr)
    throw std::runtime_error("cannot make a folder in " + stage().string());
  top_ = form;
  env = {{"HOME", top_ / "h"},
         {"XDG_RUNTIME_DIR", top_ / "r"},
         {"XDG_STATE_HOME", top_ / "s"},
         {"XDG_CACHE_HOME", top_ / "c"},
         {"XDG_CONFIG_HOME", top_ / "k"},
         {"BANGER_NETWORK_HELPER", top_ / "no-helper"}, // a helper of this machine is not for tests
         {"PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"},
         {"LANG", "C.UTF-8"}};
  for (const auto* name : {"HOME", "XDG_RUNTIME_DIR"}) {
    fs::create_directory(env.at(name));
    fs::permissions(env.at(name), fs::perms::owner_all);
  }
  if (const char* scale = std::getenv("BANGER_TEST_TIME_SCALE"))
    env["BANGER_TEST_TIME_SCALE"] = scale;
  if (wanted != images::none)
    warm_up(wanted);
}

void home::warm_up(images wanted) {
  for (const auto* part : {"s", "c"}) {
    const auto made = stage() / "warm" / part / "banger";
    if (!fs::exists(made))
      continue;
    const auto here = top_ / part / "banger";
    fs::create_directories(here);
    fs::permissions(here, fs::perms::owner_all);
    // "host" is what the daemon found out about this machine.
    // An image that is not wanted may be in the making.
    for (const auto* kind : {"images/tiny", "images/debian-bookworm", "kernels", "host"})
      if (wanted != images::debian && kind == std::string_view("images/debian-bookworm"))
        continue;
      else if (fs::is_directory(made / kind))
        link_tree(made / kind, here / kind);
      else if (fs::exists(made / kind))
        fs::copy_file(made / kind, here / kind);
  }
  if (fs::exists(state() / "images"))
    fs::permissions(state() / "images", fs::perms::owner_all);
}

home::~home() {
  try {
    close();
  } catch (const std::exception& error) {
    FAIL_CHECK("while cleaning up: " << error.what());
  }
}

program home::command(const words& args) const {
  program p;
  p.argv = {bin("banger")};
  p.argv.insert(p.argv.end(), args.begin(), args.end());
  p.env = env;
  p.uid = as_user;
  return p;
}

outcome home::banger(const words& args, std::string_view stdin_bytes, milliseconds deadline) {
  auto result = run(command(args), stdin_bytes, deadline);
  std::string line = "banger";
  for (const auto& word : args)
    line += " " + word;
  // Shown when an assertion after it fails.
  UNSCOPED_INFO(line << " -> " << result.status << " after " << result.took.count() << " ms\n"
                     << result.err.substr(0, 4000));
  return result;
}

std::string home::good(const words& args, std::string_view stdin_bytes) {
  auto result = banger(args, stdin_bytes);
  REQUIRE(result.status == 0);
  return result.out;
}

json home::read(const words& args) { return json::parse(good(args)); }

child home::start(const words& args, input in) {
  auto p = command(args);
  p.in = in;
  return child(p);
}

std::optional<json> home::status() {
  auto result = run(command({"daemon", "status", "--json"}), {}, short_time);
  if (result.status != 0)
    return std::nullopt;
  return json::parse(result.out);
}

pid_t home::daemon_pid() {
  const auto now = status();
  return now ? now->at("pid").get<pid_t>() : -1;
}

void home::kill_daemon() {
  const auto daemon = daemon_pid();
  REQUIRE(daemon > 0);
  ::kill(daemon, SIGKILL);
  REQUIRE(eventually([&] { return !alive(daemon); }));
}

void home::edit_database(const std::string& statement) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open((state() / "state.db").c_str(), &db) == SQLITE_OK);
  CHECK(sqlite3_exec(db, statement.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

bool home::eventually(const std::function<bool()>& holds, milliseconds deadline) {
  const auto end = clock::now() + scaled(deadline);
  while (!holds()) {
    if (clock::now() > end)
      return false;
    std::this_thread::sleep_for(milliseconds(50));
  }
  return true;
}

std::vector<json> home::daemon_log() const {
  std::vector<json> entries;
  for (const auto* name : {"bangerd.log.1", "bangerd.log"}) {
    std::ifstream log(state() / name);
    for (std::string line; std::getline(log, line);)
      if (auto entry = json::parse(line, nullptr, false); entry.is_object())
        entries.push_back(std::move(entry));
  }
  return entries;
}

// A start that ended well after a step of it had failed was repeated. The fixture's last test adds
// them up.
void home::collect_starts() {
  if (env.contains("BANGER_QEMU")) // plays a hypervisor: its starts say nothing of real ones
    return;
  std::set<std::string> stumbled;
  int starts = 0, repeated = 0;
  for (const auto& entry : daemon_log()) {
    const auto event = entry.value("event", ""), op = entry.value("op", ""),
               verb = entry.value("verb", "");
    if (event == "step_failed")
      stumbled.insert(op);
    if (event != "operation_ended" || entry.value("error", "") != "" ||
        (verb != "create" && verb != "start"))
      continue;
    ++starts;
    repeated += stumbled.contains(op) ? 1 : 0;
  }
  std::ofstream(stage() / "starts", std::ios::app) << starts << ' ' << repeated << '\n';
}

void home::close() {
  if (closed_)
    return;
  closed_ = true;
  if (status()) {
    const auto vms = run(command({"vm", "list", "--json"}), {}, short_time);
    if (vms.status == 0)
      for (const auto& vm : json::parse(vms.out, nullptr, false))
        run(command({"vm", "delete", vm.value("id", "")}), {}, boot_time);
    run(command({"daemon", "stop"}), {}, short_time);
  }
  collect_starts();
  check_nothing_left();
  std::error_code ignored;
  if (std::getenv("BANGER_TEST_KEEP") == nullptr)
    fs::remove_all(top_, ignored);
}

void home::check_nothing_left() {
  const auto mark = top_.string() + "/";
  eventually([&] { return processes_with(mark).empty(); }, milliseconds(5000));
  for (const auto pid : processes_with(mark)) {
    FAIL_CHECK("left behind: process " << pid << ": " << command_line(pid));
    ::kill(pid, SIGKILL);
  }
  for (const auto& socket : sockets_below(top_))
    FAIL_CHECK("left behind: socket " << socket);
}

void copy_database(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::filesystem::create_directories(to);
  for (const auto* name : {"state.db", "state.db-wal", "state.db-shm"}) {
    std::filesystem::remove(to / name);
    if (std::filesystem::exists(from / name))
      std::filesystem::copy_file(from / name, to / name);
  }
}

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

} // namespace banger::test
