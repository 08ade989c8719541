// Between fork and exec: what the child is left with when its daemon dies.
#include "actors/hypervisor/child.hpp"
#include "messages/base/unique_fd.hpp"
#include "tests/support/catch.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace banger;
using namespace banger::hypervisor;

namespace {

// A child that says "ready" and waits for the word to go.
struct waiting_child {
  waiting_child() {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
    talk.reset(fds[0]);
    theirs.reset(fds[1]);
  }
  ~waiting_child() {
    if (pidfd)
      ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
  }
  void start();
  bool ends_within(int milliseconds) const {
    pollfd ready{pidfd.get(), POLLIN, 0};
    return ::poll(&ready, 1, milliseconds) == 1;
  }

  unique_fd talk, theirs, pidfd;
};

void waiting_child::start() {
  const unique_fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const char* const argv[] = {"/bin/true", nullptr};
  const char* const environment[] = {nullptr};
  child_plan plan;
  plan.argv = argv;
  plan.environment = environment;
  plan.null = plan.log = null.get();
  plan.talk = theirs.get();
  const pid_t between = ::fork();
  if (between == 0)
    run_child(plan);
  REQUIRE(between > 0);
  child_report report;
  theirs.reset();
  REQUIRE(::recv(talk.get(), &report, sizeof report, 0) == sizeof report);
  REQUIRE(report.at == stage::ready);
  pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, report.pid, 0)));
  REQUIRE(pidfd);
  ::waitpid(between, nullptr, 0);
}

} // namespace

TEST_CASE("a child whose daemon dies before the word to go ends too, also when two begin at once") {
  // Each would inherit the daemon's end of the other's conversation, and of its own.
  waiting_child first, second;
  first.start();
  second.start();
  CHECK_FALSE(first.ends_within(50));
  first.talk.reset();
  second.talk.reset();
  CHECK(first.ends_within(5000));
  CHECK(second.ends_within(5000));
}
