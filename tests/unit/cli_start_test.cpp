// Starting a daemon on demand, with small scripts in its place.
#include "cli/daemon_start.hpp"
#include "cli/log_file.hpp"
#include "cli/mailbox.hpp"
#include "tests/support/catch.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

using namespace banger;
using namespace banger::cli;
namespace fs = std::filesystem;

namespace {

struct playground {
  playground() {
    char name[] = "/tmp/banger-start-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    home = name;
    where.runtime = home / "run";
    where.state = home / "state";
  }
  ~playground() {
    ::unsetenv("BANGER_DAEMON");
    std::error_code ignored;
    fs::remove_all(home, ignored);
  }

  /// A daemon that is this script.
  void daemon(const std::string& script) const {
    const auto file = home / "bangerd";
    std::ofstream(file) << "#!/bin/sh\n" << script << "\n";
    ::chmod(file.c_str(), 0755);
    ::setenv("BANGER_DAEMON", file.c_str(), 1);
  }

  std::string text(const char* file) const {
    std::ostringstream all;
    all << std::ifstream(home / file).rdbuf();
    return all.str();
  }

  fs::path home;
  folders where;
};

} // namespace

TEST_CASE("the file says how long a daemon stays, and a damaged one starts none") {
  playground p;
  p.where.config = p.home / "config";
  fs::create_directory(p.where.config);
  p.daemon("echo \"$*\" >" + (p.home / "seen").string() + "; exec >&-; echo ready >&3");
  const auto file = p.where.config / "config.toml";
  std::ofstream(file) << "idle_exit = \"2m\"\n";
  REQUIRE(start_daemon(p.where));
  CHECK(p.text("seen") == "--ready-fd 3 --lock-fd 4 --idle-exit 120\n");
  fs::remove(p.home / "seen");
  std::ofstream(file, std::ios::trunc) << "idle_exit = 120\n";
  const auto refused = start_daemon(p.where);
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().what, Catch::StartsWith(file.string() + ":1:13: idle_exit"));
  CHECK_FALSE(fs::exists(p.home / "seen"));
}

TEST_CASE(
    "a daemon that says ready has started, in its own session and folder, with nothing of ours") {
  playground p;
  p.daemon("exec >" + (p.home / "seen").string() +
           "\necho \"$*\"; pwd; ls -m /proc/$$/fd; "
           "cut -d' ' -f1,6 /proc/$$/stat; exec >&-; echo ready >&3");
  const int leaked = ::open("/dev/null", O_RDONLY);
  REQUIRE(start_daemon(p.where));
  ::close(leaked);
  std::istringstream seen(p.text("seen"));
  std::string option, folder, fds;
  int pid = 0, session = 0;
  std::getline(seen, option);
  std::getline(seen, folder);
  std::getline(seen, fds);
  seen >> pid >> session;
  CHECK(option == "--ready-fd 3 --lock-fd 4 --idle-exit 900");
  CHECK(folder == "/");
  // Beyond the five there is only what the shell reads its script from.
  CHECK_THAT(fds, Catch::StartsWith("0, 1, ") && Catch::EndsWith("2, 3, 4"));
  CHECK(fds.size() <= std::string("0, 1, 10, 2, 3, 4").size());
  CHECK(pid == session);
}

TEST_CASE("a daemon that cannot start says why") {
  playground p;
  p.daemon("echo 'error the database is newer than this program' >&3");
  const auto started = start_daemon(p.where);
  REQUIRE_FALSE(started);
  CHECK(started.error().code == errc::unavailable);
  CHECK(started.error().why == "the database is newer than this program");
}

TEST_CASE("the last words of a daemon that dies are in the error") {
  playground p;
  p.daemon("echo one; echo 'two: cannot go on' >&2; exit 1");
  const auto started = start_daemon(p.where);
  REQUIRE_FALSE(started);
  CHECK(started.error().why == "one | two: cannot go on");
  CHECK_THAT(started.error().remedy, Catch::Contains("bangerd.start.log"));
}

TEST_CASE("a daemon that says nothing is given up on at the deadline") {
  playground p;
  p.daemon("sleep 2");
  const auto started = start_daemon(p.where, {std::chrono::milliseconds(100)});
  REQUIRE_FALSE(started);
  CHECK(started.error().code == errc::timed_out);
}

TEST_CASE("two that want a daemon at the same time start one") {
  playground p;
  const auto count = p.home / "count", go = p.home / "go";
  REQUIRE(::mkfifo(go.c_str(), 0600) == 0);
  p.daemon("echo started >>" + count.string() + "; read word <" + go.string() + "; echo $word >&3");
  std::vector<std::thread> callers;
  std::vector<int> well(2);
  for (std::size_t i = 0; i < 2; ++i)
    callers.emplace_back([&, i] { well[i] = start_daemon(p.where).has_value() ? 1 : 0; });
  // Opening the fifo waits for the first daemon, which then is the listener that we play.
  std::ofstream word(go);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  daemon_socket(p.where).native().copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd, 8) == 0);
  word << "ready" << std::endl;
  for (auto& caller : callers)
    caller.join();
  ::close(fd);
  CHECK(well == std::vector<int>{1, 1});
  CHECK(p.text("count") == "started\n");
}

TEST_CASE("a runtime folder that others may enter is not used") {
  playground p;
  p.daemon("echo ready >&3");
  REQUIRE(::mkdir(p.where.runtime.c_str(), 0755) == 0);
  ::chmod(p.where.runtime.c_str(), 0755);
  const auto started = start_daemon(p.where);
  REQUIRE_FALSE(started);
  CHECK(started.error().code == errc::unauthorized);
  CHECK_FALSE(fs::exists(p.where.runtime / "bangerd.start.lock"));
}

TEST_CASE("BANGER_DAEMON must name a program") {
  ::setenv("BANGER_DAEMON", "bangerd", 1);
  CHECK_FALSE(find_daemon_program());
  ::setenv("BANGER_DAEMON", "/nonexistent", 1);
  CHECK(find_daemon_program().error().code == errc::unavailable);
  ::setenv("BANGER_DAEMON", "/bin/sh", 1);
  CHECK(*find_daemon_program() == "/bin/sh");
  ::unsetenv("BANGER_DAEMON");
}

TEST_CASE("a daemon log is read whole, and its absence is told") {
  playground p;
  const auto file = p.home / "log";
  std::string got;
  const auto take = [&](std::string_view piece) {
    got += piece;
    return true;
  };
  CHECK(read_log(file, false, take).error().code == errc::not_found);
  std::ofstream(file) << "one\ntwo\n";
  CHECK(read_log(file, false, take));
  CHECK(got == "one\ntwo\n");
}

TEST_CASE("a log that is followed goes on across a rotation") {
  playground p;
  const auto file = p.home / "log";
  std::ofstream(file) << "one\n";
  std::string got;
  REQUIRE(read_log(file, true, [&](std::string_view piece) {
    got += piece;
    if (got == "one\n")
      std::ofstream(file, std::ios::app) << "two\n";
    if (got == "one\ntwo\n") {
      fs::rename(file, p.home / "log.1");
      std::ofstream(file) << "three\n";
    }
    return got != "one\ntwo\nthree\n";
  }));
  CHECK(got == "one\ntwo\nthree\n");
}

TEST_CASE("letters are opened in the order they were posted, from whatever thread") {
  mailbox box;
  std::vector<int> opened;
  std::thread writer([&] {
    for (int i = 0; i < 100; ++i)
      box.post([&opened, i] { opened.push_back(i); });
  });
  writer.join();
  CHECK(box.open_letters());
  CHECK_FALSE(box.open_letters());
  REQUIRE(opened.size() == 100);
  CHECK(opened.front() == 0);
  CHECK(opened.back() == 99);
  box.post([] {}); // one that is never opened is not leaked
}
