#include "actors/hypervisor/child.hpp"
#include "actors/hypervisor/confinement.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace banger::hypervisor {

namespace {

constexpr int first_spare = 100;    // above every number that a plan uses
constexpr char oom_score[] = "200"; // when memory is short, a VM goes before its daemon
constexpr unsigned all_numbers = ~0U;

void say(const child_plan& plan, stage at, int error, std::uint32_t bars = 0) {
  const child_report report{at, error, ::getpid(), bars};
  (void)::send(plan.talk, &report, sizeof(report), MSG_NOSIGNAL);
}

[[noreturn]] void give_up(const child_plan& plan, stage at) {
  say(plan, at, errno);
  ::_exit(127);
}

// Handlers of the daemon do not exist in the new program; ignored and blocked signals would.
void reset_signals() {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number)
    ::sigaction(number, &standard, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

bool move_up(int& fd) {
  fd = ::fcntl(fd, F_DUPFD_CLOEXEC, first_spare);
  return fd >= 0;
}

// Everything above stderr that the plan does not name. Not only at the exec: while we wait for the
// word to go we must not hold the daemon's own end of this conversation, nor its sockets.
bool close_others(const child_plan& plan) {
  const auto next_kept = [&plan](unsigned from) {
    auto next = all_numbers;
    const auto look_at = [&next, from](int fd) {
      if (fd >= 0 && static_cast<unsigned>(fd) >= from)
        next = std::min(next, static_cast<unsigned>(fd));
    };
    for (std::size_t i = 0; i < plan.descriptor_count; ++i)
      look_at(plan.descriptors[i].number);
    look_at(plan.talk);
    look_at(plan.ruleset);
    return next;
  };
  for (unsigned from = 3;;) {
    const auto kept = next_kept(from);
    if (kept > from &&
        ::syscall(SYS_close_range, from, kept == all_numbers ? kept : kept - 1, 0) != 0)
      return false;
    if (kept == all_numbers)
      return true;
    from = kept + 1;
  }
}

// First everything away from the low numbers, then each to its place, and nothing else.
bool arrange_descriptors(child_plan& plan) {
  for (std::size_t i = 0; i < plan.descriptor_count; ++i)
    if (!move_up(plan.descriptors[i].source))
      return false;
  for (int* fd : {&plan.null, &plan.log, &plan.talk})
    if (!move_up(*fd))
      return false;
  if (plan.ruleset >= 0 && !move_up(plan.ruleset))
    return false;
  if (::dup2(plan.null, 0) < 0 || ::dup2(plan.log, 1) < 0 || ::dup2(plan.log, 2) < 0)
    return false;
  for (std::size_t i = 0; i < plan.descriptor_count; ++i)
    if (::dup2(plan.descriptors[i].source, plan.descriptors[i].number) < 0)
      return false;
  return close_others(plan);
}

bool set_limits() {
  const rlimit no_core{0, 0};
  if (::setrlimit(RLIMIT_CORE, &no_core) != 0)
    return false;
  const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd >= 0) { // wanted, not needed
    (void)!::write(fd, oom_score, sizeof(oom_score) - 1);
    ::close(fd);
  }
  return true;
}

// CAP_SYS_ADMIN may simply make one. Others need a user namespace for it, which some hosts forbid:
// then Landlock and QEMU's own filter are what is left. Inside one there is no other user to
// become.
bool leave_network(bool will_change_user) {
  return ::unshare(CLONE_NEWNET) == 0 ||
         (!will_change_user && ::unshare(CLONE_NEWNET | CLONE_NEWUSER) == 0);
}

// Raw system calls: glibc's would signal threads that this process does not have.
bool become(const child_plan& plan) {
  return ::syscall(SYS_setgroups, plan.group_count, plan.groups) == 0 &&
         ::syscall(SYS_setresgid, plan.gid, plan.gid, plan.gid) == 0 &&
         ::syscall(SYS_setresuid, plan.uid, plan.uid, plan.uid) == 0;
}

// Where it is not ours to take capabilities from the bounding set, no_new_privs does the same.
void shrink_bounding_set() {
  for (int capability = 0; capability <= CAP_LAST_CAP; ++capability)
    ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

// Also for a root that could become nobody else: it keeps files of root, not what root may do.
bool drop_privileges() {
  ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[2] = {};
  return ::syscall(SYS_capset, &header, none) == 0 && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

[[noreturn]] void become_hypervisor(child_plan& plan) {
  std::uint32_t bars = 0;
  if (!arrange_descriptors(plan))
    give_up(plan, stage::descriptors);
  if (::setsid() < 0 || ::chdir("/") != 0)
    give_up(plan, stage::session);
  ::umask(077);
  if (!set_limits())
    give_up(plan, stage::limits);
  if (plan.own_network && leave_network(plan.change_user))
    bars |= bar_network;
  shrink_bounding_set();
  if (plan.change_user) {
    if (!become(plan))
      give_up(plan, stage::user);
    bars |= bar_user;
  }
  if (!drop_privileges())
    give_up(plan, stage::privileges);
  if (plan.ruleset >= 0) {
    if (!restrict_self(plan.ruleset))
      give_up(plan, stage::landlock);
    bars |= bar_landlock;
  }
  say(plan, stage::ready, 0, bars);
  // The daemon writes our identity down first. If it dies before that, so do we.
  char word = 0;
  if (::recv(plan.talk, &word, 1, 0) != 1)
    ::_exit(127);
  ::execve(plan.argv[0], const_cast<char* const*>(plan.argv),
           const_cast<char* const*>(plan.environment));
  give_up(plan, stage::exec);
}

// Only a parent hears how a process ended. This one has nothing of the daemon's but the line that
// it tells it on, and goes with that: the hypervisor outlives its daemon, and needs no company
// then.
[[noreturn]] void wait_for(const child_plan& plan, pid_t hypervisor) {
  ::prctl(PR_SET_NAME, "banger-ending", 0, 0, 0);
  ::setsid();
  std::array<pollfd, 2> ready{};
  int process = static_cast<int>(::syscall(SYS_pidfd_open, hypervisor, 0U));
  int line = plan.ending;
  if (process < 0 || !move_up(process) || !move_up(line) || ::dup2(line, 0) < 0 ||
      ::dup2(process, 1) < 0 || ::syscall(SYS_close_range, 2U, all_numbers, 0) != 0)
    ::_exit(127);
  ready[0] = {0, POLLIN, 0};
  ready[1] = {1, POLLIN, 0};
  while (::poll(ready.data(), ready.size(), -1) < 0 && errno == EINTR) {
  }
  int status = 0;
  if (ready[0].revents == 0 && ::waitpid(hypervisor, &status, 0) == hypervisor)
    (void)::send(0, &status, sizeof status, MSG_NOSIGNAL);
  ::_exit(0);
}

} // namespace

void run_child(child_plan& plan) {
  reset_signals();
  // Twice: the hypervisor is adopted by init, for this daemon as for every later one.
  const pid_t waiting = ::_Fork();
  if (waiting < 0)
    say(plan, stage::fork, errno);
  if (waiting != 0)
    ::_exit(0);
  const pid_t hypervisor = ::_Fork();
  if (hypervisor == 0)
    become_hypervisor(plan);
  if (hypervisor < 0) {
    say(plan, stage::fork, errno);
    ::_exit(0);
  }
  wait_for(plan, hypervisor);
}

} // namespace banger::hypervisor
