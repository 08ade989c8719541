// Where the root helper listens: what its sockets are like, and in which folders it refuses to.
#include "privhelper/program/doors.hpp"

#include <catch2/catch.hpp>

#include <sys/stat.h>
#include <unistd.h>

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

TEST_CASE_METHOD(place, "sockets that systemd passes are used, and no folder is made") {
  auto made = local::listen(top / "given.sock");
  REQUIRE(made);
  constexpr int first = 3; // as systemd numbers them
  const int before = ::dup(first);
  REQUIRE(::dup2(made->socket(), first) == first);
  ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
  ::setenv("LISTEN_FDS", "1", 1);
  ::setenv("LISTEN_FDNAMES", "machine", 1);
  {
    const auto d = open_doors(role::machine, top / "run", ::getuid());
    REQUIRE(d);
    CHECK(d->orders.socket() == first);
    CHECK_FALSE(fs::exists(top / "run"));
  }
  for (const auto* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
    ::unsetenv(name);
  if (before >= 0) {
    ::dup2(before, first);
    ::close(before);
  }
}
