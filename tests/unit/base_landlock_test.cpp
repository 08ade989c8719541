// Landlock on a child of this test: what it may still do is its exit status.
#include "messages/base/landlock.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/hypervisor_scratch.hpp"

#include <cerrno>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

using namespace banger;
using banger::test::scratch_folder;

namespace {

bool missing(int needed, const char* what) {
  if (landlock_abi() >= needed)
    return false;
  WARN("skipped: " << what << " needs Landlock ABI " << needed << ", this kernel offers "
                   << landlock_abi());
  return true;
}

/// errno of `attempt` (true: it worked) in a child under these rules; -1: no rules could be put on.
template <class Attempt>
int under(const landlock_rules& rules, Attempt attempt) {
  const auto ruleset = make_ruleset(landlock_abi(), rules);
  REQUIRE(ruleset);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !restrict_self(ruleset->get()))
      ::_exit(255);
    errno = 0;
    ::_exit(attempt() ? 0 : errno);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status) == 255 ? -1 : WEXITSTATUS(status);
}

bool opens(const std::filesystem::path& path, int flags) {
  return ::open(path.c_str(), flags | O_CLOEXEC, 0600) >= 0;
}

/// A listening port on loopback.
struct local_server {
  unique_fd fd{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};

  local_server() {
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(fd.get(), 1) == 0);
    REQUIRE(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
  }

  bool connects() const {
    const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return ::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
};

} // namespace

TEST_CASE("what no rule names cannot be opened") {
  if (missing(1, "file rules"))
    return;
  const scratch_folder folder;
  const auto file = folder.file("file", "x");
  CHECK(under({}, [] { return opens("/etc/passwd", O_RDONLY); }) == EACCES);
  CHECK(under({}, [&] { return opens(file, O_RDONLY); }) == EACCES);
  CHECK(under({}, [&] { return opens(file, O_WRONLY); }) == EACCES);
  CHECK(under({}, [&] { return opens(folder.path() / "new", O_WRONLY | O_CREAT); }) == EACCES);
  CHECK(under({}, [&] { return ::unlink(file.c_str()) == 0; }) == EACCES);
  CHECK(test::content(file) == "x");
}

TEST_CASE("reading a folder allows neither writing nor executing in it") {
  if (missing(1, "file rules"))
    return;
  const scratch_folder folder;
  const auto file = folder.file("file", "#!/bin/sh\n", true);
  landlock_rules rules;
  rules.read = {folder.path()};
  CHECK(under(rules, [&] { return opens(file, O_RDONLY); }) == 0);
  CHECK(under(rules, [&] { return opens(file, O_RDWR); }) == EACCES);
  CHECK(under(rules, [&] { return ::execl(file.c_str(), "x", nullptr) == 0; }) == EACCES);
}

TEST_CASE("a writable file stays writable, and nothing is made beside it") {
  if (missing(1, "file rules"))
    return;
  const scratch_folder folder;
  const auto file = folder.file("file", "x");
  landlock_rules rules;
  rules.write = {file};
  CHECK(under(rules, [&] { return opens(file, O_RDWR | O_TRUNC); }) == 0);
  CHECK(under(rules, [&] { return opens(folder.path() / "new", O_WRONLY | O_CREAT); }) == EACCES);
}

TEST_CASE("in a folder that is managed files and sockets come and go, and nothing else is made") {
  if (missing(1, "file rules"))
    return;
  const scratch_folder folder, other;
  const auto there = other.file("there", "x");
  landlock_rules rules;
  rules.manage = {folder.path()};
  CHECK(under(rules, [&] {
          return opens(folder.path() / "new", O_WRONLY | O_CREAT) &&
                 ::unlink((folder.path() / "new").c_str()) == 0;
        }) == 0);
  CHECK(under(rules, [&] { return ::mkdir((folder.path() / "sub").c_str(), 0700) == 0; }) ==
        EACCES);
  CHECK(under(rules, [&] { return opens(there, O_WRONLY); }) == EACCES);
  CHECK(under(rules, [&] { return ::unlink(there.c_str()) == 0; }) == EACCES);
}

TEST_CASE("descriptors from before the rules keep working") {
  if (missing(1, "file rules"))
    return;
  const scratch_folder folder;
  const unique_fd open(::open(folder.file("file", "x").c_str(), O_RDWR | O_CLOEXEC));
  CHECK(under({}, [&] { return ::write(open.get(), "y", 1) == 1; }) == 0);
}

TEST_CASE("paths that do not exist are left out of the rules") {
  if (missing(1, "file rules"))
    return;
  landlock_rules rules;
  rules.read = {"/nonexistent/one"};
  rules.write = {"/nonexistent/two"};
  CHECK(make_ruleset(landlock_abi(), rules));
}

TEST_CASE("TCP connections need the rule, and ports are never bound") {
  if (missing(4, "the network rule"))
    return;
  const local_server server;
  landlock_rules rules;
  CHECK(under(rules, [&] { return server.connects(); }) == EACCES);
  rules.connect_tcp = true;
  CHECK(under(rules, [&] { return server.connects(); }) == 0);
  CHECK(under(rules, [] {
          sockaddr_in any{};
          any.sin_family = AF_INET;
          const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
          return ::bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof(any)) == 0;
        }) == EACCES);
}

TEST_CASE("processes outside cannot be signalled without the rule") {
  if (missing(6, "the signal scope"))
    return;
  CHECK(under({}, [] { return ::kill(::getppid(), 0) == 0; }) == EPERM);
  landlock_rules rules;
  rules.signal_others = true;
  CHECK(under(rules, [] { return ::kill(::getppid(), 0) == 0; }) == 0);
}
