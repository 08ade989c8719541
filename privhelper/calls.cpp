#include "privhelper/calls.hpp"

#include <array>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace banger::helper {

namespace {

// An argument that the kernel takes as an int: its upper half may hold anything.
constexpr std::uint64_t int_mask = 0xffffffff;

call_condition is(unsigned argument, std::uint64_t value) { return {argument, int_mask, value}; }
call_condition has(unsigned argument, std::uint64_t bits) { return {argument, bits, bits}; }
call_condition lacks(unsigned argument, std::uint64_t bits) { return {argument, bits, 0}; }

constexpr std::array<std::uint64_t, 11> of_taps = {
    TUNSETIFF,     TUNGETIFF,       TUNGETFEATURES,  TUNSETPERSIST, TUNSETOWNER, TUNSETGROUP,
    TUNSETOFFLOAD, TUNSETVNETHDRSZ, TUNGETVNETHDRSZ, TUNSETSNDBUF,  TUNSETQUEUE};
constexpr std::array<std::uint64_t, 6> that_ask = {FIONBIO, FIONREAD,     FIOCLEX,
                                                   TCGETS,  SIOCGIFINDEX, SIOCGIFNAME};

void add_controls(std::vector<conditional_call>& into) {
  for (const auto request : of_taps)
    into.push_back({"ioctl", {is(1, request)}, "it is about a tap"});
  for (const auto request : that_ask)
    into.push_back({"ioctl",
                    {is(1, request)},
                    "it asks what a descriptor is, or for the name or number of a link"});
}

} // namespace

std::vector<conditional_call> conditional_calls() {
  constexpr unsigned family = 0, protocol = 2, protection = 2, flags = 0;
  std::vector<conditional_call> all = {
      {"socket", {is(family, AF_UNIX)}, "its family is unix, or netlink for routes or netfilter"},
      {"socket",
       {is(family, AF_NETLINK), is(protocol, NETLINK_ROUTE)},
       "its family is unix, or netlink for routes or netfilter"},
      {"socket",
       {is(family, AF_NETLINK), is(protocol, NETLINK_NETFILTER)},
       "its family is unix, or netlink for routes or netfilter"},
      {"socketpair", {is(family, AF_UNIX)}, "its family is unix"},
      {"clone", {has(flags, CLONE_THREAD)}, "it makes a thread, not a process"},
      {"mmap",
       {lacks(protection, PROT_WRITE)},
       "the memory is not writable and executable at once"},
      {"mmap", {lacks(protection, PROT_EXEC)}, "the memory is not writable and executable at once"},
      {"mprotect", {lacks(protection, PROT_EXEC)}, "the memory does not become executable"},
      {"tgkill",
       {is(0, static_cast<std::uint64_t>(::getpid()))},
       "it is for a thread of the helper"},
      {"prlimit64", {{2, ~std::uint64_t{0}, 0}}, "it changes nothing"},
      {"prctl", {is(0, PR_SET_NAME)}, "it is about the name of a thread"},
      {"prctl", {is(0, PR_GET_NAME)}, "it is about the name of a thread"},
  };
  add_controls(all);
  return all;
}

const std::vector<call_group>& free_calls() {
  static const std::vector<call_group> all = {
      {"memory", {"brk", "munmap", "mremap", "madvise", "membarrier", "memfd_create"}},
      {"threads",
       {"futex", "futex_waitv", "set_robust_list", "get_robust_list", "rseq", "set_tid_address",
        "exit", "exit_group", "gettid", "getpid", "getppid", "sched_yield", "sched_getaffinity",
        "sched_getparam", "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min",
        "getcpu", "restart_syscall"}},
      {"time",
       {"clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "gettimeofday", "time",
        "timerfd_create", "timerfd_settime", "timerfd_gettime"}},
      {"signals to itself",
       {"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "rt_sigpending",
        "rt_sigsuspend", "sigaltstack", "signalfd4", "pause"}},
      {"waiting",
       {"poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl",
        "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd2"}},
      {"descriptors",
       {"read", "write", "readv", "writev", "pread64", "pwrite64", "lseek", "close", "close_range",
        "fcntl", "dup", "dup2", "dup3", "pipe", "pipe2", "flock", "fsync", "fdatasync",
        "ftruncate"}},
      {"files",
       {"open", "openat", "stat", "fstat", "lstat", "newfstatat", "statx", "statfs", "fstatfs",
        "access", "faccessat", "faccessat2", "readlink", "readlinkat", "getdents64", "getcwd",
        "unlink", "unlinkat"}},
      {"sockets",
       {"bind", "connect", "listen", "accept", "accept4", "getsockname", "getpeername",
        "getsockopt", "setsockopt", "sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg",
        "recvmmsg", "shutdown"}},
      {"who and where it is",
       {"getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "getpgid",
        "getpgrp", "getsid", "capget", "uname", "sysinfo", "getrlimit", "getrusage", "times",
        "getrandom"}},
  };
  return all;
}

// The filter cannot see clone3's flags: they are in memory.
const std::vector<std::string_view>& calls_with_older_ones() {
  static const std::vector<std::string_view> all = {"clone3"};
  return all;
}

const std::vector<call_group>& refused_calls() {
  static const std::vector<call_group> all = {
      {"other processes",
       {"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp",
        "pidfd_getfd"}},
      {"the kernel",
       {"init_module", "finit_module", "delete_module", "create_module", "kexec_load",
        "kexec_file_load", "bpf", "perf_event_open", "reboot", "syslog", "iopl", "ioperm",
        "lookup_dcookie", "uselib"}},
      {"the host",
       {"swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "sethostname", "setdomainname",
        "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "vhangup", "fanotify_init"}},
      {"keys", {"add_key", "request_key", "keyctl"}},
      {"files without a path", {"open_by_handle_at"}},
  };
  return all;
}

} // namespace banger::helper
