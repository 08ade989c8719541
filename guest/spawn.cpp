#include "guest/spawn.hpp"

#include "guest/explain.hpp"
#include "guest/files.hpp"
#include "guest/text.hpp"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>

namespace banger::guest {

namespace {

// Enough for the writer to go on while the reader is busy. More would be memory, not speed.
constexpr int pipe_size = 256 * 1024;

struct ends {
  unique_fd ours, theirs;
};

/// All that the child needs, made before the fork.
struct plan {
  std::vector<std::string> words, env, paths;
  std::vector<char*> argv, envp;
  std::string cwd;
  ends in, out, err;
  unique_fd failure;
  bool tty = false;
  bool unprotect = false; ///< the agent is kept from the OOM killer, commands are not
};

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> list;
  list.reserve(strings.size() + 1);
  for (const auto& s : strings)
    list.push_back(const_cast<char*>(s.c_str()));
  list.push_back(nullptr);
  return list;
}

void do_not_block(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

result<ends> make_pipe(bool we_write) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0)
    return failed_to("pipe");
  ends e{unique_fd(fds[we_write ? 1 : 0]), unique_fd(fds[we_write ? 0 : 1])};
  // A command of another user opens it by its name, /dev/stdout.
  ::fchmod(e.theirs.get(), 0666);
  do_not_block(e.ours.get());
  ::fcntl(e.ours.get(), F_SETPIPE_SZ, pipe_size);
  return e;
}

done make_pipes(plan& p, bool has_stdin) {
  auto out = make_pipe(false), err = make_pipe(false);
  if (!out || !err)
    return tl::unexpected(out ? err.error() : out.error());
  p.out = std::move(*out);
  p.err = std::move(*err);
  if (!has_stdin) {
    p.in.theirs.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    return p.in.theirs ? done{} : failed_to("open /dev/null");
  }
  auto in = make_pipe(true);
  if (!in)
    return tl::unexpected(in.error());
  p.in = std::move(*in);
  return {};
}

done make_terminal(plan& p, const open_body& order) {
  unique_fd master(::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
  int unlock = 0;
  if (!master || ::ioctl(master.get(), TIOCSPTLCK, &unlock) != 0)
    return failed_to("open a terminal");
  p.in.theirs.reset(::ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!p.in.theirs)
    return failed_to("open the other end of a terminal");
  p.out.theirs.reset(::fcntl(p.in.theirs.get(), F_DUPFD_CLOEXEC, 3));
  p.err.theirs.reset(::fcntl(p.in.theirs.get(), F_DUPFD_CLOEXEC, 3));
  // As every terminal of today: erasing takes a whole character, not a byte.
  termios modes{};
  if (::tcgetattr(p.in.theirs.get(), &modes) == 0) {
    modes.c_iflag |= IUTF8;
    ::tcsetattr(p.in.theirs.get(), TCSANOW, &modes);
  }
  do_not_block(master.get());
  // Twice, because input and output are watched, and closed, apart.
  p.in.ours.reset(::fcntl(master.get(), F_DUPFD_CLOEXEC, 3));
  p.out.ours = std::move(master);
  return resize_terminal(p.out.ours.get(), order.rows, order.cols);
}

result<std::string> working_folder(const open_body& order) {
  if (order.cwd.empty())
    return std::string(is_folder("/root") ? "/root" : "/");
  struct stat info {};
  if (::stat(order.cwd.c_str(), &info) != 0)
    return failed_to("working folder " + order.cwd);
  if (!S_ISDIR(info.st_mode))
    return failed_to("working folder " + order.cwd, ENOTDIR);
  return order.cwd;
}

done name_command(plan& p, const open_body& order) {
  p.env = environment(order.env, order.tty);
  auto shell = login_shell(read_file("/etc/passwd"));
  if (::access(shell.c_str(), X_OK) != 0)
    shell = "/bin/sh";
  if (value_of(p.env, "SHELL").empty())
    p.env.push_back("SHELL=" + shell);
  if (!order.argv.empty()) {
    if (order.argv[0].empty())
      return refused("a command without a name");
    p.words = order.argv;
    p.paths = candidates(order.argv[0], value_of(p.env, "PATH"));
  } else {
    if (!order.tty)
      return refused("a login shell without a terminal");
    p.words = {login_name(shell)};
    p.paths = {std::move(shell)};
  }
  p.envp = pointers(p.env);
  p.argv = pointers(p.words);
  return {};
}

[[noreturn]] void give_up(const plan& p, exit_kind kind, int number, std::string_view why = {}) {
  auto bytes = encode(exited_body{kind, static_cast<std::uint32_t>(number)});
  bytes += why.substr(0, longest_explanation);
  [[maybe_unused]] const auto size = ::write(p.failure.get(), bytes.data(), bytes.size());
  ::_exit(127);
}

} // namespace

void reset_inherited() {
  for (int number = 1; number < NSIG; ++number)
    ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const sched_param no_priority{};
  ::sched_setscheduler(0, SCHED_OTHER, &no_priority);
}

namespace {

std::optional<file_facts> look(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0)
    return std::nullopt;
  file_facts facts;
  facts.folder = S_ISDIR(info.st_mode);
  facts.runnable = ::access(path.c_str(), X_OK) == 0;
  if (S_ISREG(info.st_mode))
    facts.head = read_file(path, explained_head).substr(0, explained_head);
  return facts;
}

[[noreturn]] void become(const plan& p) {
  ::setsid();
  ::dup2(p.in.theirs.get(), 0);
  ::dup2(p.out.theirs.get(), 1);
  ::dup2(p.err.theirs.get(), 2);
  if (p.tty)
    ::ioctl(0, TIOCSCTTY, 0);
  reset_inherited();
  if (p.unprotect) {
    const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    [[maybe_unused]] const auto size = ::write(fd, "0", 1);
  }
  if (::chdir(p.cwd.c_str()) != 0)
    give_up(p, exit_kind::not_runnable, errno);
  auto kind = exit_kind::not_found;
  int number = ENOENT;
  std::string why;
  for (const auto& path : p.paths) {
    ::execve(path.c_str(), p.argv.data(), p.envp.data());
    const int error = errno;
    // ENOENT for a file that is there means that its interpreter is not.
    if (::access(path.c_str(), F_OK) == 0 && kind == exit_kind::not_found) {
      kind = exit_kind::not_runnable;
      number = error;
      why = explain_failure(error, path, look);
    }
  }
  give_up(p, kind, number, why);
}

pid_t fork_into(int cgroup) {
  if (cgroup >= 0) {
    clone_args args{};
    args.flags = CLONE_INTO_CGROUP;
    args.exit_signal = SIGCHLD;
    args.cgroup = static_cast<std::uint64_t>(cgroup);
    const auto pid = ::syscall(SYS_clone3, &args, sizeof args);
    if (pid >= 0)
      return static_cast<pid_t>(pid);
  }
  return ::fork();
}

} // namespace

result<spawned> spawn(const open_body& order, int cgroup) {
  plan p;
  if (auto ok = name_command(p, order); !ok)
    return tl::unexpected(ok.error());
  auto cwd = working_folder(order);
  if (!cwd)
    return tl::unexpected(cwd.error());
  p.cwd = std::move(*cwd);
  p.tty = order.tty;
  p.unprotect = ::getpid() != 1;
  if (auto ok = order.tty ? make_terminal(p, order) : make_pipes(p, order.has_stdin); !ok)
    return tl::unexpected(ok.error());
  auto failure = make_pipe(false);
  if (!failure)
    return tl::unexpected(failure.error());
  p.failure = std::move(failure->theirs);
  // A signal for the child waits until it has left our handlers behind.
  sigset_t all, before;
  ::sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, &before);
  const auto pid = fork_into(cgroup);
  const int error = errno;
  if (pid == 0)
    become(p);
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0)
    return failed_to("fork", error);
  return spawned{pid, std::move(p.in.ours), std::move(p.out.ours), std::move(p.err.ours),
                 std::move(failure->ours)};
}

std::optional<spawn_failure> read_failure(int fd) {
  static const auto end_size = encode(exited_body{}).size();
  char bytes[longest_explanation + 16];
  const auto size = ::read(fd, bytes, sizeof bytes);
  if (size <= 0)
    return std::nullopt;
  const std::string_view said(bytes, static_cast<std::size_t>(size));
  const auto end = decode<exited_body>(said.substr(0, end_size));
  if (!end)
    return std::nullopt;
  return spawn_failure{*end, std::string(said.substr(end_size))};
}

done resize_terminal(int fd, std::uint16_t rows, std::uint16_t cols) {
  winsize size{};
  size.ws_row = rows;
  size.ws_col = cols;
  if (::ioctl(fd, TIOCSWINSZ, &size) != 0)
    return failed_to("resize the terminal");
  return {};
}

} // namespace banger::guest
