// Archives that a program writes: who ends whom, and whose error is told. What is left of builds.
#include "actors/image/bootstrap.hpp"
#include "actors/image/shelf.hpp"
#include "actors/image/tar_pipe.hpp"
#include "tests/unit/storage_scratch.hpp"

#include <csignal>
#include <future>
#include <sys/mount.h>
#include <thread>
#include <unistd.h>

using namespace banger;
using namespace banger::image;
using namespace std::chrono_literals;
using banger::test::code;
using banger::test::put;
using banger::test::slurp;
using banger::test::why;
namespace fs = std::filesystem;

namespace {

struct writing_program {
  test::scratch s;
  fs::path tree = s / "tree";

  writing_program() {
    fs::create_directory(tree);
    put(s / "a/file", "content");
    put(s / "a/large", std::string(1 << 20, 'x'));
    REQUIRE(storage::run({.argv = {"tar", "-C", (s / "a").string(), "-cf", (s / "x.tar").string(),
                                   "./file", "./large"}}));
  }

  expected<tar_content> unpack(const std::string& script, const tar_options& options = {},
                               const std::stop_token& stop = {}) {
    const auto explain = [](const failure& f) {
      return failure{f.code, "the program failed", f.why, {}, {}};
    };
    return unpack_output({.argv = {"sh", "-c", script}, .cwd = s.top(), .deadline = 60s}, tree,
                         options, explain, stop);
  }
};

class stopwatch {
public:
  bool below(std::chrono::seconds limit) const {
    return std::chrono::steady_clock::now() - start_ < limit;
  }

private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

} // namespace

TEST_CASE_METHOD(writing_program, "padding that comes late after an archive does no harm") {
  const auto got = unpack("cat x.tar; sleep 0.2; head -c 9216 /dev/zero; sleep 0.1;"
                          "head -c 200000 /dev/zero");
  INFO(why(got));
  REQUIRE(got);
  CHECK(slurp(tree / "file") == "content");
}

TEST_CASE_METHOD(writing_program, "what hinders the unpacking is told, not how its program ended") {
  const stopwatch watch;
  const auto got =
      unpack("trap 'exit 3' TERM; while cat x.tar; do :; done; exit 2", {.most_bytes = 1000});
  CHECK(code(got) == errc::bad_request);
  CHECK(got.error().what == "the archive holds too much");
  CHECK(watch.below(20s));
}

TEST_CASE_METHOD(writing_program, "a program that fails is told, not the archive that it cut off") {
  for (const auto* script : {"head -c 20000 x.tar; echo why >&2; exit 7", "echo why >&2; exit 7",
                             "cat x.tar; echo why >&2; exit 7"}) {
    const auto got = unpack(script);
    CHECK(code(got) == errc::operation_failed);
    CHECK(got.error().what == "the program failed");
    CHECK(got.error().why == "why");
    fs::remove_all(tree);
    fs::create_directory(tree);
  }
  CHECK(code(unpack("head -c 20000 x.tar")) == errc::corrupted);
}

TEST_CASE_METHOD(writing_program, "what a program leaves behind with its output holds nothing up") {
  const stopwatch watch;
  SECTION("a whole archive") { CHECK(unpack("setsid sleep 30 & echo $! > pid; cat x.tar")); }
  SECTION("half of one") {
    CHECK(code(unpack("setsid sleep 30 & echo $! > pid; head -c 20000 x.tar")) == errc::corrupted);
  }
  CHECK(watch.below(20s));
  ::kill(std::stoi(slurp(s / "pid")), SIGKILL);
}

TEST_CASE_METHOD(writing_program, "a stop is heard while the program says nothing") {
  std::stop_source stop;
  const stopwatch watch;
  const std::jthread later([&] {
    std::this_thread::sleep_for(100ms);
    stop.request_stop();
  });
  CHECK(code(unpack("head -c 20000 x.tar; sleep 30", {}, stop.get_token())) == errc::cancelled);
  CHECK(watch.below(20s));
}

TEST_CASE("of the processes that a killed bootstrap left only its own are ended") {
  test::scratch s;
  const auto work = s / "work.tmp";
  fs::create_directories(work / "root");
  const auto run = [&](const fs::path& cwd, const std::vector<std::string>& env) {
    return std::async(std::launch::async, [=] {
      const auto end =
          storage::run_any({.argv = {"sleep", "3"}, .env = env, .cwd = cwd, .deadline = 60s});
      return end ? end->status : -1;
    });
  };
  auto given = run("/", {"TMPDIR=" + work.string()});
  auto below = run(work / "root", {});
  auto talks = run("/", {"OLDPWD=" + work.string() + "/x", "TMPDIR=" + work.string() + "2"});
  std::this_thread::sleep_for(300ms);
  CHECK(sweep_bootstrap(work));
  CHECK_FALSE(fs::exists(work));
  CHECK(given.get() == 128 + SIGKILL);
  CHECK(below.get() == 128 + SIGKILL);
  CHECK(talks.get() == 0);
}

TEST_CASE("an image that cannot be removed wholly is said to be so, and can be deleted later") {
  test::scratch s;
  put(s / "work/manifest.json", "{}");
  put(s / ".removed-work/old", "of a deletion that was cut short");
  CHECK(remove_image(s.top(), "work"));
  CHECK(test::names_in(s.top()).empty());
  CHECK(code(remove_image(s.top(), "work")) == errc::not_found);
  const auto held = s / ".removed-work/held";
  fs::create_directories(held);
  put(s / "work/manifest.json", "{}");
  if (::mount("none", held.c_str(), "tmpfs", 0, nullptr) != 0)
    return; // only root can hold a folder
  const auto kept = remove_image(s.top(), "work");
  CHECK(code(kept) == errc::operation_failed);
  CHECK(fs::exists(s / "work/manifest.json"));
  ::umount(held.c_str());
  CHECK(remove_image(s.top(), "work"));
  CHECK(test::names_in(s.top()).empty());
}

TEST_CASE("files of earlier builds stay while a build runs, since its own is not in the list yet") {
  test::scratch s;
  const std::string sum(64, 'a');
  put(s / "rootfs-new.img", "x");
  put(s / "rootfs-old.img", "x");
  const std::stop_token never;
  REQUIRE(storage::write_manifest(s.top(), "manifest.json", 1, "work",
                                  {{"rootfs-new.img", sum, true}}, never, {}));
  {
    const auto lock = storage::lock_file(s / "build.lock", never);
    REQUIRE(lock);
    prune_image(s.top());
    CHECK(fs::exists(s / "rootfs-old.img"));
  }
  prune_image(s.top());
  CHECK_FALSE(fs::exists(s / "rootfs-old.img"));
  CHECK(fs::exists(s / "rootfs-new.img"));
}
