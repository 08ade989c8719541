// Lessons of the program before this one about files, programs and processes that are not what they
// should be: docs/lessons.md has them all.
#include "messages/base/unique_fd.hpp"
#include "tests/e2e/lessons_scene.hpp"
#include "tests/support/catch.hpp"

#include <csignal>
#include <fcntl.h>
#include <set>
#include <sys/file.h>

using namespace banger::test;
using banger::unique_fd;
using banger::scripted::behaviour;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

void replace(const fs::path& file, const std::string& text) { std::ofstream(file) << text; }

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.insert(entry.path().filename());
  return names;
}

/// The text with another number behind this word.
std::string with(const std::string& record, const std::string& word, const std::string& value) {
  const auto at = record.find(word + ' ') + word.size() + 1;
  return record.substr(0, at) + value + record.substr(record.find('\n', at));
}

/// Somebody else's process, which nobody of ours may touch.
struct stranger : child {
  stranger() : child({{"sleep", "600"}, {{"PATH", "/usr/bin:/bin"}}}) {}
};

/// A daemon with a program of ours before all others.
void begin_with(lesson_home& h, const std::string& program, const std::string& text) {
  h.banger({"daemon", "stop"});
  h.env["PATH"] = h.script(program, text).parent_path().string() + ":/usr/bin:/bin";
}

void begin_as_ever(lesson_home& h) {
  h.banger({"daemon", "stop"});
  h.env["PATH"] = "/usr/bin:/bin:/usr/sbin:/sbin";
}

} // namespace

TEST_CASE("lesson 17: a step of an image or a disk that fails, or only seems to work, is told",
          "[none]") {
  lesson_home h;
  const auto shelf = h.state() / "images/tiny";
  const auto before = names_in(shelf);
  for (const std::string text : {"echo 'as the test says' >&2; exit 1", "exit 0"}) {
    INFO(text);
    begin_with(h, "mke2fs", text);
    const auto built = h.banger({"image", "build", "tiny", "--force"});
    const auto made = h.banger(h.creation("a"));
    CHECK(built.status == 1);
    CHECK(made.status == 1);
    for (const auto& r : {built, made})
      CHECK_THAT(r.err, Contains("(op-") && Contains(text == "exit 0" ? "cannot" : "as the test"));
    CHECK(h.list().empty());
    CHECK(fs::is_empty(h.state() / "vms"));
    auto after = names_in(shelf);
    after.erase("build.lock");
    CHECK(after == before);
  }
  begin_as_ever(h);
  h.create("a");
  CHECK(h.answers("a"));
}

TEST_CASE("lesson 17c: a process that has a machine's pid by now is never ended", "[both][none]") {
  lesson_home h;
  stranger other;
  const auto pid = std::to_string(other.pid());
  h.create("a");
  const auto file = h.folder("a") / "process";
  for (const auto* verb : {"stop", "kill", "restart", "delete"}) {
    INFO(verb);
    const auto vmm = h.vmm("a");
    // As if the host had given the pid to another process while no daemon watched.
    h.kill_daemon();
    ::kill(vmm, SIGKILL);
    REQUIRE(h.eventually([&] { return !alive(vmm); }));
    replace(file, with(content(file), "pid", pid));
    h.edit_database("UPDATE vms SET runtime_json = json_set(runtime_json, '$.pid', " + pid + ")");
    CHECK(h.state_of("a") == "error");
    h.good({"vm", verb, "a"});
    CHECK(other.running());
    if (verb == std::string_view("stop") || verb == std::string_view("kill"))
      h.good({"vm", "start", "a"});
  }
  CHECK(h.list().empty());
  CHECK(other.running());
}

TEST_CASE("lesson 18: a build that is slow and a boot that hangs hold up nobody else", "[none]") {
  lesson_home h;
  h.good({"vm", "list"});
  const auto shelf = h.state() / "images/work";
  fs::create_directory(shelf);
  ::chmod(shelf.c_str(), 0700);
  const unique_fd other_builder(
      ::open((shelf / "build.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(::flock(other_builder.get(), LOCK_EX) == 0);
  auto build = h.start({"image", "build", "work", "--include", "jq"});
  auto boot = h.start(h.creation("hangs", behaviour::never_boots));
  REQUIRE(h.eventually([&] { return h.stage_of("vm.create") == "hello"; }));
  std::string op;
  REQUIRE(h.eventually([&] {
    for (const auto& o : h.read({"operations", "--json"}))
      if (o.at("kind") == "image.build" && o.at("state") == "running")
        op = o.at("op");
    return !op.empty();
  }));
  const auto begun = clock::now();
  h.create("a");
  CHECK(h.answers("a"));
  h.good({"vm", "restart", "a"});
  h.good({"vm", "delete", "a"});
  h.good({"image", "list"});
  CHECK(clock::now() - begun < scaled(milliseconds(10'000)));
  CHECK(build.running());
  CHECK(boot.running());
  h.good({"operations", "cancel", op});
  CHECK(build.wait(short_time) == 1);
  h.good({"vm", "kill", "--force", "hangs"});
}

TEST_CASE("lesson 21: a key whose making was cut off is made anew", "[none]") {
  lesson_home h;
  const auto key = h.state() / "ssh/id_ed25519";
  const auto make_half = [&] {
    fs::create_directory(key.parent_path());
    ::chmod(key.parent_path().c_str(), 0700);
    std::ofstream(key.string() + ".tmp") << "half";
    std::ofstream(key.string() + ".pub") << "ssh-ed25519 AAAA of nobody\n";
  };
  make_half();
  h.create("a");
  CHECK_THAT(content(key), Contains("OPENSSH PRIVATE KEY"));
  CHECK_THAT(content(key.string() + ".pub"),
             Catch::StartsWith("ssh-ed25519 ") && !Contains("nobody"));
  CHECK(names_in(key.parent_path()) == std::set<std::string>{"id_ed25519", "id_ed25519.pub"});
}

TEST_CASE("lesson 25: a delete succeeds where what it would take away is gone already", "[none]") {
  lesson_home h;
  for (const bool runs : {true, false})
    for (const auto* part : {"agent.sock", "process", "work.img", "."}) {
      INFO(part << (runs ? ", running" : ", at rest"));
      h.create("a");
      const auto vmm = h.vmm("a");
      const auto folder = h.folder("a");
      if (!runs)
        h.good({"vm", "stop", "a"});
      fs::remove_all(part == std::string_view(".") ? folder : folder / part);
      h.good({"vm", "delete", "a"});
      CHECK_FALSE(alive(vmm));
      CHECK_FALSE(fs::exists(folder));
      CHECK(h.list().empty());
    }
}

TEST_CASE("lesson 26: a start right after a kill finds the disks free", "[vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  for (int i = 0; i < 3; ++i) {
    // Its hypervisor locks the disks that it writes to.
    h.good({"vm", "kill", "a"});
    h.good({"vm", "start", "a"});
  }
  CHECK(h.good({"vm", "exec", "a", "--", "echo", "here"}) == "here\n");
}

TEST_CASE("lesson 27: a process file that is gone, torn, stale or another VM's changes nothing",
          "[both][none]") {
  lesson_home h;
  h.create("a");
  h.create("b");
  const auto b = h.vmm("b");
  const auto file = h.folder("a") / "process";
  const auto others = content(h.folder("b") / "process");
  const auto torn = [](const std::string& whole) { return whole.substr(0, whole.size() / 2); };
  const auto own = content(file);
  const std::vector<std::pair<std::string, std::string>> damages = {
      {"gone", ""},
      {"empty", ""},
      {"torn", torn(own)},
      {"cut in its last line", own.substr(0, own.size() - 2)},
      {"stale", with(own, "start_time", "1")},
      {"of another VM", others}};
  for (const auto& [what, text] : damages) {
    INFO(what);
    const auto spoil = [&, &what = what, &text = text] {
      h.kill_daemon();
      if (what == "gone")
        fs::remove(file);
      else
        replace(file, text);
    };
    const auto a = h.vmm("a");
    spoil();
    CHECK(h.lives_on("a", a));
    h.good({"vm", "stop", "a"});
    CHECK_FALSE(alive(a));
    spoil();
    CHECK(h.state_of("a") == "stopped");
    h.good({"vm", "start", "a"});
    CHECK(h.answers("a"));
    CHECK(h.lives_on("b", b));
  }
  h.kill_daemon();
  replace(file, others);
  h.good({"vm", "delete", "a"});
  CHECK(h.lives_on("b", b));
}
