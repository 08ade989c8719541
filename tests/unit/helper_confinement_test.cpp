// What is left to the helper after it was confined. Each test is a child that is: what it found
// wrong is what it says.
#include "messages/base/unique_fd.hpp"
#include "privhelper/confinement.hpp"
#include "tests/unit/helper_confined.hpp"

#include <array>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>

using namespace banger;
using namespace banger::helper;
using namespace banger::test;

namespace {

const std::array<char*, 2>& nothing() {
  static std::array<char, 5> name{"true"};
  static const std::array<char*, 2> argv{name.data(), nullptr};
  return argv;
}

void check_no_processes(report& r) {
  r.refused(::execve("/bin/true", nothing().data(), nullptr), "execve");
  r.refused(::syscall(SYS_execveat, AT_FDCWD, "/bin/true", nothing().data(), nullptr, 0),
            "execveat");
  r.refused(::syscall(SYS_fork), "fork");
  r.refused(::syscall(SYS_vfork), "vfork");
  r.refused(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0), "clone");
  r.refused(::syscall(SYS_clone3, nullptr, 0), "clone3", ENOSYS);
  r.refused(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr), "ptrace");
  r.refused(::kill(::getppid(), 0), "kill");
  r.refused(::syscall(SYS_tgkill, ::getppid(), ::getppid(), 0), "tgkill of another");
  r.refused(::syscall(SYS_process_vm_readv, ::getppid(), nullptr, 0, nullptr, 0, 0),
            "process_vm_readv");
  r.refused(::syscall(SYS_pidfd_open, ::getppid(), 0), "pidfd_open");
}

// With arguments that do no harm where a filter is not what it should be.
void check_no_kernel(report& r) {
  constexpr const char* nowhere = "/nonexistent/banger";
  r.refused(::mount("none", nowhere, "tmpfs", 0, nullptr), "mount");
  r.refused(::umount2(nowhere, 0), "umount");
  r.refused(::unshare(CLONE_NEWUSER), "unshare");
  r.refused(::syscall(SYS_setns, -1, 0), "setns");
  r.refused(::syscall(SYS_init_module, nullptr, 0, ""), "init_module");
  r.refused(::syscall(SYS_finit_module, -1, "", 0), "finit_module");
  r.refused(::syscall(SYS_bpf, 0, nullptr, 0), "bpf");
  r.refused(::syscall(SYS_keyctl, 0, 0, 0, 0, 0), "keyctl");
  r.refused(::syscall(SYS_io_uring_setup, 1, nullptr), "io_uring_setup");
  r.refused(::syscall(SYS_userfaultfd, 0), "userfaultfd");
  r.refused(::syscall(SYS_open_by_handle_at, -1, nullptr, 0), "open_by_handle_at");
  r.refused(::syscall(SYS_setuid, 0), "setuid");
  r.refused(::chroot(nowhere), "chroot");
  r.refused(::chmod(nowhere, 0600), "chmod");
  r.refused(::mknod(nowhere, S_IFIFO | 0600, 0), "mknod");
  r.refused(::prctl(PR_SET_DUMPABLE, 0), "prctl");
}

void check_no_sockets_but_ours(report& r) {
  r.refused(::socket(AF_INET, SOCK_STREAM, 0), "AF_INET");
  r.refused(::socket(AF_INET6, SOCK_DGRAM, 0), "AF_INET6");
  r.refused(::socket(AF_PACKET, SOCK_RAW, 0), "AF_PACKET");
  r.refused(::socket(AF_VSOCK, SOCK_STREAM, 0), "AF_VSOCK");
  r.refused(::socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT), "NETLINK_KOBJECT_UEVENT");
  r.refused(::socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT), "NETLINK_AUDIT");
  std::array<int, 2> pair{};
  r.refused(::socketpair(AF_INET, SOCK_STREAM, 0, pair.data()), "socketpair of AF_INET");
  // The upper half of an argument is not looked at, by the kernel either.
  r.refused(::syscall(SYS_socket, 0x100000000UL | AF_INET, SOCK_STREAM, 0), "AF_INET + 2^32");
  char key = 'x';
  r.refused(::ioctl(0, TIOCSTI, &key), "TIOCSTI");
  r.refused(::syscall(SYS_ioctl, 0, 0x100000000UL | TIOCSTI, &key), "TIOCSTI + 2^32");
}

void check_no_code(report& r) {
  constexpr int all = PROT_READ | PROT_WRITE | PROT_EXEC;
  auto* page = ::mmap(nullptr, 4096, all, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  r.that(page == MAP_FAILED && errno == EPERM, "mmap, writable and executable, works");
  page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  r.that(page != MAP_FAILED, "mmap does not work");
  r.refused(::mprotect(page, 4096, PROT_READ | PROT_EXEC), "mprotect, executable,");
}

// Loopback comes up, and is listed, by netlink.
void check_netlink(report& r) {
  const unique_fd route(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)),
      filter(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  r.that(route && filter, "no netlink socket");
  struct {
    nlmsghdr header;
    ifinfomsg link;
  } ask{};
  ask.header = {sizeof ask, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0};
  ask.link.ifi_index = static_cast<int>(::if_nametoindex("lo"));
  ask.link.ifi_flags = ask.link.ifi_change = IFF_UP;
  std::array<char, 4096> answer{};
  r.that(::send(route.get(), &ask, sizeof ask, 0) == sizeof ask, "no netlink request");
  const auto size = ::recv(route.get(), answer.data(), answer.size(), 0);
  int error = -1;
  if (size >= static_cast<ssize_t>(sizeof(nlmsghdr) + sizeof error))
    std::memcpy(&error, answer.data() + sizeof(nlmsghdr), sizeof error);
  r.that(error == 0, "lo does not come up: " + std::to_string(error));
}

std::uint64_t effective(bool permitted = false) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> words{};
  ::syscall(SYS_capget, &header, words.data());
  return permitted ? std::uint64_t{words[1].permitted} << 32 | words[0].permitted
                   : std::uint64_t{words[1].effective} << 32 | words[0].effective;
}

// `seen` from /proc: prctl is closed by then.
std::string status_line(const std::string& name) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(name + ":"))
      return line.substr(line.find_last_of('\t') + 1);
  return "?";
}

constexpr std::uint64_t bit(int number) { return std::uint64_t{1} << number; }

} // namespace

TEST_CASE("under the filter of the role network only what it needs can be called") {
  const test::scratch top;
  CHECK(in_child([&](report& r) {
          be(r, filter_system_calls(role::network));
          check_no_processes(r);
          check_no_kernel(r);
          check_no_sockets_but_ours(r);
          check_no_code(r);
          check_still_works(r, top.top());
        }) == "end");
}

TEST_CASE("calls of another architecture end the process") {
#if defined(__x86_64__)
  CHECK(in_child([](report& r) {
          be(r, filter_system_calls(role::network));
          ::syscall(0x40000000 | SYS_getpid); // x32
          r.that(false, "x32 works");
        }) == "signal " + std::to_string(SIGSYS));
#endif
}

TEST_CASE("rights that are not there cannot be kept") {
  CHECK(in_child([](report& r) {
          if (::geteuid() == 0)
            r.that(::setresuid(65534, 65534, 65534) == 0, "setuid");
          const auto confined = confine(role::network, "/nonexistent");
          r.that(!confined && confined.error().code == errc::unavailable &&
                     confined.error().why == "this process has no CAP_NET_ADMIN",
                 "it is confined");
        }) == "end");
}

TEST_CASE("a process with other threads is not confined, since they would keep their rights") {
  CHECK(in_child([](report& r) {
          std::thread other([] { ::pause(); });
          const auto confined = confine(role::network, "/nonexistent");
          r.that(!confined && confined.error().code == errc::bad_request, "it is confined");
          other.detach();
        }) == "end");
}

TEST_CASE("the role network keeps CAP_NET_ADMIN and nothing else") {
  if (!is_root())
    return;
  const test::scratch top;
  test::put(top / "foreign", "secret");
  REQUIRE(::chown((top / "foreign").c_str(), 12345, 12345) == 0);
  fs::permissions(top / "foreign", fs::perms(0600));
  CHECK(in_child([&](report& r) {
          r.that(::unshare(CLONE_NEWNET) == 0, "no network namespace");
          be(r, confine(role::network, top.top()));
          const auto mine = bit(CAP_NET_ADMIN);
          r.that(effective() == mine && effective(true) == mine, "capabilities");
          for (const auto* set : {"CapBnd", "CapPrm", "CapEff"})
            r.that(status_line(set) == "0000000000001000", set + (" " + status_line(set)));
          for (const auto* set : {"CapInh", "CapAmb"})
            r.that(status_line(set) == "0000000000000000", set + (" " + status_line(set)));
          r.that(status_line("NoNewPrivs") == "1", "NoNewPrivs");
          r.that(status_line("Seccomp") == "2", "Seccomp");
          // CAP_DAC_OVERRIDE is gone: another user's file is closed to this root.
          r.refused(::open((top / "foreign").c_str(), O_RDONLY), "open of a foreign file", EACCES);
          check_no_processes(r);
          check_still_works(r, top.top());
          check_netlink(r);
          check_tap(r);
        }) == "end");
}

TEST_CASE("the role machine executes programs, which inherit what it gave up") {
  if (!is_root())
    return;
  const test::scratch top;
  test::put(top / "file", "x");
  CHECK(in_child([&](report& r) {
          be(r, confine(role::machine, top.top()));
          r.that(effective() == (bit(CAP_CHOWN) | bit(CAP_DAC_OVERRIDE) | bit(CAP_FOWNER) |
                                 bit(CAP_KILL) | bit(CAP_MKNOD) | bit(CAP_SETGID) |
                                 bit(CAP_SETUID) | bit(CAP_SYS_ADMIN) | bit(CAP_SYS_CHROOT)),
                 "capabilities");
          r.that(::chown((top / "file").c_str(), 12345, 12345) == 0, "no chown");
          r.refused(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr), "ptrace");
          r.refused(::syscall(SYS_init_module, nullptr, 0, ""), "init_module");
          r.refused(::syscall(SYS_bpf, 0, nullptr, 0), "bpf");
          r.refused(::syscall(SYS_kexec_load, 0, -1, nullptr, 0), "kexec_load");
          const pid_t child = ::fork();
          if (child == 0) {
            ::execl("/bin/grep", "grep", "-q", "^CapBnd:.00000000082400eb$", "/proc/self/status",
                    nullptr);
            ::_exit(9);
          }
          int status = -1;
          ::waitpid(child, &status, 0);
          r.that(WIFEXITED(status) && WEXITSTATUS(status) == 0,
                 "no program, or one with more: " + status_line("CapBnd"));
        }) == "end");
}

TEST_CASE("the tables of rights in docs/privileges.md are those in the code") {
  std::ifstream in(BANGER_SOURCE "/docs/privileges.md");
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  INFO(describe_confinement());
  CHECK(page.find(describe_confinement()) != std::string::npos);
}
