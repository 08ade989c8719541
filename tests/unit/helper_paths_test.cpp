// What a hostile owner may put in the way of a path.
#include "privhelper/paths/paths.hpp"
#include "tests/unit/storage_scratch.hpp"

#include <array>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <iostream>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

using namespace banger;
using namespace banger::helper;
namespace fs = std::filesystem;

namespace {

/// A state folder of this user's, and a folder beside it that is not to be reached.
struct home {
  test::scratch top;
  fs::path state = top / "state";
  unique_fd root;

  home() {
    fs::create_directory(state);
    fs::permissions(state, fs::perms::owner_all);
    fs::create_directories(state / "vms/a");
    fs::create_directory(top / "outside");
    test::put(top / "outside/secret", "secret");
    test::put(state / "vms/a/disk", "disk");
    auto opened = open_state_folder(state, ::geteuid());
    REQUIRE(opened);
    root = std::move(*opened);
  }

  expected<unique_fd> open(const std::string& path, thing what = thing::file, use how = use::read,
                           uid_t owner = ::geteuid()) const {
    const auto checked = managed_path::parse(path, what, state.native());
    REQUIRE(checked);
    return open_beneath(root.get(), *checked, owner, how);
  }

  std::string why(const std::string& path, thing what = thing::file) const {
    const auto fd = open(path, what);
    return fd ? "opened" : std::string(to_string(fd.error().code)) + ": " + fd.error().why;
  }
};

std::string content(const unique_fd& fd) {
  std::array<char, 64> text{};
  const auto n = ::read(fd.get(), text.data(), text.size());
  return n < 0 ? "?" : std::string(text.data(), static_cast<std::size_t>(n));
}

constexpr const char* by_link = "unauthorized: a symbolic link is on the way";

bool is_root(const char* what) {
  if (::geteuid() == 0)
    return true;
  std::cout << "SKIPPED: " << what << " needs root\n";
  return false;
}

} // namespace

TEST_CASE("a file, a folder and a socket of the owner's are opened, close-on-exec") {
  const home h;
  const auto file = h.open("vms/a/disk");
  REQUIRE(file);
  CHECK(content(*file) == "disk");
  CHECK(::fcntl(file->get(), F_GETFD) == FD_CLOEXEC);
  CHECK((::fcntl(file->get(), F_GETFL) & (O_NONBLOCK | O_ACCMODE)) == O_RDONLY);
  const auto written = h.open("vms/a/disk", thing::file, use::write);
  REQUIRE(written);
  CHECK(::write(written->get(), "D", 1) == 1);
  CHECK(h.open("vms/a", thing::folder));
  CHECK(h.open((h.state / "vms/a").native(), thing::folder));

  const unique_fd listening(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{AF_UNIX, {}};
  (h.state / "vms/a/s").native().copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(listening.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  const auto socket = h.open("vms/a/s", thing::socket);
  REQUIRE(socket);
  CHECK((::fcntl(socket->get(), F_GETFL) & O_PATH) != 0);
  CHECK(h.why("vms/a/s") == "unauthorized: it is no file");
}

TEST_CASE("a symbolic link at any component is refused") {
  const home h;
  fs::create_directory_symlink(h.top / "outside", h.state / "vms/out"); // absolute
  fs::create_directory_symlink("../../outside", h.state / "vms/up");    // relative, leads out
  fs::create_directory_symlink("a", h.state / "vms/in");                // relative, stays in
  fs::create_symlink("disk", h.state / "vms/a/link");
  fs::create_symlink("/etc/shadow", h.state / "vms/a/shadow");
  fs::create_symlink("nowhere", h.state / "vms/a/dangling");
  fs::create_symlink("/proc/self/fd/0", h.state / "vms/a/magic");
  for (const auto* path : {"vms/out/secret", "vms/up/secret", "vms/in/disk", "vms/a/link",
                           "vms/a/shadow", "vms/a/dangling", "vms/a/magic"}) {
    INFO(path);
    CHECK(h.why(path) == by_link);
  }
  CHECK(h.why("vms/in", thing::folder) == by_link);
  CHECK(h.why("vms/a/link", thing::socket) == by_link);
}

TEST_CASE("the folder that was opened is meant, whatever its name leads to later") {
  const home h;
  fs::rename(h.state, h.top / "moved");
  fs::create_directory_symlink(h.top / "outside", h.state);
  CHECK(h.open("vms/a/disk"));
  CHECK(h.why("secret") == "not_found: there is no such thing");
}

TEST_CASE("a file with a second name is refused, wherever that is") {
  const home h;
  fs::create_hard_link(h.top / "outside/secret", h.state / "vms/a/hard");
  CHECK(h.why("vms/a/hard") == "unauthorized: it has 2 names (hard links), not one");
  fs::remove(h.top / "outside/secret");
  CHECK(h.open("vms/a/hard"));
}

TEST_CASE("what is of another kind is refused, and nobody waits for it") {
  const home h;
  REQUIRE(::mkfifo((h.state / "fifo").c_str(), 0600) == 0);
  CHECK(h.why("fifo") == "unauthorized: it is no file");
  const auto written = h.open("fifo", thing::file, use::write);
  CHECK(written.error().code == errc::unauthorized);
  CHECK(h.why("vms/a") == "unauthorized: it is no file");
  const auto folder = h.open("vms/a", thing::file, use::write);
  CHECK(folder.error().code == errc::unauthorized);
  CHECK(h.why("vms/a/disk", thing::socket) == "unauthorized: it is no socket");
  CHECK(h.open("vms/a/disk", thing::folder).error().code == errc::not_found);
  CHECK(h.open("vms/a/disk/x").error().code == errc::not_found);
  CHECK(h.open("vms/b/disk").error().code == errc::not_found);
}

TEST_CASE("a file that somebody holds a lease on is not waited for") {
  const home h;
  const unique_fd holder(::open((h.state / "vms/a/disk").c_str(), O_RDONLY));
  if (::fcntl(holder.get(), F_SETLEASE, F_RDLCK) != 0) {
    std::cout << "SKIPPED: this file system has no leases\n";
    return;
  }
  ::signal(SIGIO, SIG_IGN);
  CHECK_FALSE(h.open("vms/a/disk", thing::file, use::write));
}

TEST_CASE("a setuid or setgid file is refused") {
  const home h;
  for (const mode_t mode : {04700U, 02700U}) {
    REQUIRE(::chmod((h.state / "vms/a/disk").c_str(), mode) == 0);
    CHECK(h.why("vms/a/disk") == "unauthorized: it is setuid or setgid");
  }
}

TEST_CASE("what belongs to somebody else than the owner is refused") {
  const home h;
  const auto foreign = h.open("vms/a/disk", thing::file, use::read, ::geteuid() + 1);
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().code == errc::unauthorized);
  CHECK(foreign.error().why.starts_with("it belongs to user "));
  CHECK_FALSE(h.open("vms/a", thing::folder, use::read, ::geteuid() + 1));
}

TEST_CASE("a device node is refused") {
  if (!is_root("to make a device node"))
    return;
  const home h;
  if (::mknod((h.state / "null").c_str(), S_IFCHR | 0600, makedev(1, 3)) != 0) {
    std::cout << "SKIPPED: no device node can be made here\n";
    return;
  }
  CHECK(h.open("null").error().code == errc::unauthorized);
}

TEST_CASE("the state folder itself is the owner's, no link, and closed to others") {
  const home h;
  const auto refused = [&](const fs::path& folder, uid_t owner = ::geteuid()) {
    const auto fd = open_state_folder(folder, owner);
    return fd ? "opened" : std::string(to_string(fd.error().code));
  };
  CHECK(refused(h.state) == "opened");
  CHECK(refused(h.state, ::geteuid() + 1) == "unauthorized");
  fs::create_directory_symlink(h.state, h.top / "link");
  CHECK(refused(h.top / "link") == "unauthorized");
  fs::create_directory_symlink(h.top.top(), h.top / "above");
  CHECK(refused(h.top / "above/state") == "unauthorized");
  CHECK(refused(h.state / "vms/a/disk") == "not_found");
  CHECK(refused(h.top / "nothing") == "not_found");
  CHECK(refused("state") == "bad_request");
  CHECK(refused("") == "bad_request");
  for (const auto open_to : {fs::perms::group_write, fs::perms::others_write}) {
    fs::permissions(h.state, fs::perms::owner_all | open_to);
    CHECK(refused(h.state) == "unauthorized");
  }
}

TEST_CASE("what is mounted below the state folder is not gone into") {
  if (!is_root("to mount something"))
    return;
  home h;
  const pid_t child = ::fork();
  if (child == 0) {
    // As an owner mounts a file system of his own (FUSE), whose answers he may delay.
    const auto on = h.state / "vms/a";
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", on.c_str(), "tmpfs", 0, "mode=700") != 0)
      ::_exit(77);
    std::ofstream(on / "disk") << "other";
    auto seen_here = open_state_folder(h.state, ::geteuid());
    if (!seen_here)
      ::_exit(2);
    h.root = std::move(*seen_here);
    const auto file = h.open("vms/a/disk"), folder = h.open("vms/a", thing::folder);
    ::_exit(!file && file.error().code == errc::unauthorized && !folder &&
                    folder.error().code == errc::unauthorized
                ? 0
                : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  if (WEXITSTATUS(status) == 77)
    std::cout << "SKIPPED: nothing can be mounted here\n";
  else
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a path that is swapped while it is opened leads to the file or to nothing") {
  const home h;
  const pid_t swapper = ::fork();
  if (swapper == 0) {
    const auto a = h.state / "vms/a", b = h.state / "vms/b";
    std::error_code ignored;
    for (;;) {
      fs::rename(a, b, ignored);
      fs::create_directory_symlink(h.top / "outside", a, ignored);
      fs::remove(a, ignored);
      fs::rename(b, a, ignored);
    }
  }
  test::put(h.top / "outside/disk", "secret");
  int opened = 0;
  // Longer where the swapper does not get its turn at a moment in which the file is there.
  for (int i = 0; i < 20'000 || (opened == 0 && i < 5'000'000); ++i)
    if (const auto fd = h.open("vms/a/disk"); fd) {
      ++opened;
      REQUIRE(content(*fd) == "disk");
    } else {
      REQUIRE((fd.error().code == errc::not_found || fd.error().code == errc::unauthorized ||
               fd.error().code == errc::operation_failed));
    }
  ::kill(swapper, SIGKILL);
  ::waitpid(swapper, nullptr, 0);
  CHECK(opened > 0);
}
