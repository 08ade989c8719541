// Where the root helper listens: what its sockets are like, and in which folders it refuses to.
#include "messages/base/unique_fd.hpp"
#include "privhelper/program/doors.hpp"
#include "tests/support/catch.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

using namespace banger;
using namespace banger::helper;
namespace fs = std::filesystem;

namespace {

struct place {
  fs::path top;
  place() {
    std::string form = "/tmp/bgr-doors-XXXXXX";
    REQUIRE(::mkdtemp(form.data()) != nullptr);
    top = form;
  }
  ~place() { fs::remove_all(top); }
};

mode_t mode_of(const fs::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

std::string refusal(const fs::path& folder) {
  const auto d = open_doors(role::machine, folder, ::getuid());
  REQUIRE_FALSE(d);
  CHECK(d.error().code == errc::unauthorized);
  return d.error().why;
}

} // namespace

TEST_CASE_METHOD(place, "lesson 13: the helper's sockets are one user's from the first moment on") {
  ::umask(0);
  const auto folder = top / "run";
  const auto d = open_doors(role::network, folder, ::getuid());
  REQUIRE(d);
  CHECK(d->descriptors);
  CHECK(mode_of(folder) == 0755);
  CHECK(mode_of(folder / "network.sock") == 0600);
  CHECK(mode_of(folder / "descriptors.sock") == 0600);
  CHECK(mode_of(folder / "network.sock.lock") == 0600);
  ::umask(022);
}

TEST_CASE_METHOD(place, "lesson 13: a folder in which somebody else could put things is refused") {
  fs::create_directory(top / "open");
  fs::permissions(top / "open", fs::perms::all);
  CHECK(refusal(top / "open") == "others may write in it");
  CHECK(refusal(top / "open" / "below") == "others may write in it");
  fs::create_directory(top / "good");
  fs::create_directory_symlink("good", top / "link");
  CHECK(refusal(top / "link") == "it is no folder");
  CHECK_FALSE(refusal(top / "good" / ".." / "good").empty());
  CHECK_FALSE(refusal("run").empty());
  if (::getuid() == 0) {
    REQUIRE(::chown((top / "good").c_str(), 1, 1) == 0);
    CHECK(refusal(top / "good") == "it belongs to user 1");
  }
  CHECK(fs::is_empty(top / "open"));
}

TEST_CASE_METHOD(place, "a second helper in one folder is refused") {
  const auto first = open_doors(role::machine, top / "run", ::getuid());
  REQUIRE(first);
  CHECK_FALSE(first->descriptors);
  const auto second = open_doors(role::machine, top / "run", ::getuid());
  REQUIRE_FALSE(second);
  CHECK(second.error().code == errc::already_exists);
}

namespace {

/// As systemd passes them: from number 3 on, for the process with this number.
class passed {
public:
  passed(const std::vector<int>& sockets, const char* names, pid_t to = ::getpid()) {
    for (std::size_t i = 0; i < sockets.size(); ++i) {
      const int at = first + static_cast<int>(i);
      before_.push_back(::fcntl(at, F_DUPFD_CLOEXEC, 100));
      moved_.emplace_back(::fcntl(sockets[i], F_DUPFD_CLOEXEC, 100));
    }
    for (std::size_t i = 0; i < sockets.size(); ++i)
      REQUIRE(::dup2(moved_[i].get(), first + static_cast<int>(i)) >= 0);
    ::setenv("LISTEN_PID", std::to_string(to).c_str(), 1);
    ::setenv("LISTEN_FDS", std::to_string(sockets.size()).c_str(), 1);
    ::setenv("LISTEN_FDNAMES", names, 1);
  }
  ~passed() {
    for (const auto* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
      ::unsetenv(name);
    for (std::size_t i = 0; i < before_.size(); ++i)
      if (const int at = first + static_cast<int>(i); before_[i] >= 0) {
        ::dup2(before_[i], at);
        ::close(before_[i]);
      } else {
        ::close(at);
      }
  }
  passed(const passed&) = delete;
  passed& operator=(const passed&) = delete;

  static constexpr int first = 3;

private:
  std::vector<int> before_;
  std::vector<unique_fd> moved_;
};

} // namespace

TEST_CASE_METHOD(place, "sockets that systemd passes are used, and no folder is made") {
  auto made = local::listen(top / "given.sock");
  REQUIRE(made);
  const passed given({made->socket()}, "machine");
  const auto d = open_doors(role::machine, top / "run", ::getuid());
  REQUIRE(d);
  CHECK(d->orders.socket() == passed::first);
  CHECK_FALSE(fs::exists(top / "run"));
}

TEST_CASE_METHOD(place, "with --role both each process has the passed sockets of its role only") {
  auto made = local::listen(top / "given.sock"), other = local::listen(top / "other.sock");
  REQUIRE((made && other));
  const passed given({other->socket(), made->socket()}, "network:machine");
  const pid_t parent = ::getpid(), child = ::fork();
  if (child == 0) {
    inherit_passed(parent);
    const auto d = open_doors(role::machine, top / "run", ::getuid());
    const bool right = d && d->orders.socket() == passed::first + 1;
    const bool closed = ::fcntl(passed::first, F_GETFD) < 0;
    ::_exit((right ? 1 : 0) + (closed ? 2 : 0));
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WEXITSTATUS(status) == 3);
  CHECK_FALSE(fs::exists(top / "run"));
}

TEST_CASE("sockets that were passed to somebody else stay his") {
  ::setenv("LISTEN_PID", "1", 1);
  inherit_passed(::getppid() == 1 ? 2 : ::getppid());
  CHECK(std::string(::getenv("LISTEN_PID")) == "1");
  ::unsetenv("LISTEN_PID");
}
