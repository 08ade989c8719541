#include "actors/daemon/inheritance.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <pthread.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

namespace banger::daemon {

namespace {

constexpr rlim_t usual_stack = rlim_t{8} << 20; ///< the kernel's default
constexpr int io_of_process = 1, io_by_niceness = 0;

using notes = std::vector<std::string>;

void reset_signals() {
  sigset_t none;
  ::sigemptyset(&none);
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction now {};
    if (::sigaction(number, nullptr, &now) == 0 && now.sa_handler == SIG_IGN)
      ::signal(number, SIG_DFL);
  }
  // An error of write() instead of our end.
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

// An unlimited stack would change where the kernel maps what children load.
void raise_stack() {
  rlimit stack{};
  if (::getrlimit(RLIMIT_STACK, &stack) != 0)
    return;
  stack.rlim_cur = std::min(usual_stack, stack.rlim_max);
  ::setrlimit(RLIMIT_STACK, &stack);
  pthread_attr_t threads;
  ::pthread_attr_init(&threads); // has the limit of before
  ::pthread_attr_setstacksize(&threads, usual_stack);
  ::pthread_setattr_default_np(&threads);
  ::pthread_attr_destroy(&threads);
}

void raise_limits(notes& left) {
  raise_stack();
  constexpr std::array<std::pair<int, const char*>, 7> unbounded = {
      {{RLIMIT_FSIZE, "file size"},
       {RLIMIT_CPU, "CPU time"},
       {RLIMIT_AS, "address space"},
       {RLIMIT_DATA, "data"},
       {RLIMIT_RSS, "resident memory"},
       {RLIMIT_NOFILE, nullptr},
       {RLIMIT_NPROC, nullptr}}};
  for (const auto& [which, name] : unbounded) {
    rlimit now{};
    if (::getrlimit(static_cast<__rlimit_resource_t>(which), &now) != 0)
      continue;
    now.rlim_cur = now.rlim_max;
    ::setrlimit(static_cast<__rlimit_resource_t>(which), &now);
    if (name != nullptr && now.rlim_max != RLIM_INFINITY)
      left.push_back(std::string("the hard limit of the ") + name + " is " +
                     std::to_string(now.rlim_max) + ", for VMs, too");
  }
}

void reset_priorities(notes& left) {
  errno = 0;
  const int nice = ::getpriority(PRIO_PROCESS, 0);
  if (errno == 0 && nice != 0 && ::setpriority(PRIO_PROCESS, 0, 0) != 0)
    left.push_back("the niceness stays " + std::to_string(nice) + ": " + std::strerror(errno));
  const sched_param usual{};
  if (::sched_getscheduler(0) != SCHED_OTHER && ::sched_setscheduler(0, SCHED_OTHER, &usual) != 0)
    left.push_back(std::string("the scheduling policy stays: ") + std::strerror(errno));
  if (::syscall(SYS_ioprio_set, io_of_process, 0, io_by_niceness) != 0)
    left.push_back(std::string("the I/O priority stays: ") + std::strerror(errno));
}

// The kernel takes away what is not there.
void reset_affinity(notes& left) {
  cpu_set_t all;
  std::memset(&all, 0xff, sizeof(all));
  if (::sched_setaffinity(0, sizeof(all), &all) != 0)
    left.push_back(std::string("the CPU affinity stays: ") + std::strerror(errno));
}

void reset_oom_score(notes& left) {
  constexpr const char* file = "/proc/self/oom_score_adj";
  int score = 0;
  std::ifstream(file) >> score;
  const int fd = score == 0 ? -1 : ::open(file, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return;
  if (::write(fd, "0", 1) != 1)
    left.push_back("the OOM score stays " + std::to_string(score) + ": " + std::strerror(errno));
  ::close(fd);
}

} // namespace

std::vector<std::string> shed_inheritance(bool by_client) {
  notes left;
  ::umask(077);
  if (::chdir("/") != 0)
    left.push_back(std::string("the working folder stays: ") + std::strerror(errno));
  reset_signals();
  raise_limits(left);
  if (!by_client)
    return left;
  ::personality(PER_LINUX);
  reset_priorities(left);
  reset_affinity(left);
  reset_oom_score(left);
  return left;
}

} // namespace banger::daemon
