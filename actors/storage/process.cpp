#include "actors/storage/process.hpp"

#include "messages/base/unique_fd.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace banger::storage {

namespace fs = std::filesystem;
using clock = std::chrono::steady_clock;

namespace {

// One stream of the child: what is kept of it, and its lines on the way.
class stream {
public:
  stream(std::size_t limit, std::function<void(std::string_view)> on_line)
      : limit_(limit), on_line_(std::move(on_line)) {}

  void attach(int fd) { fd_.reset(fd); }
  int fd() const { return fd_.get(); }
  std::string take() { return std::move(kept_); }

  // Reads what is there now; closes at the end.
  void drain() {
    std::array<char, 16384> chunk;
    while (fd_) {
      const auto got = ::read(fd_.get(), chunk.data(), chunk.size());
      if (got > 0)
        accept({chunk.data(), static_cast<std::size_t>(got)});
      else if (got < 0 && errno == EINTR)
        continue;
      else if (got < 0 && errno == EAGAIN)
        return;
      else
        fd_.reset();
    }
  }

private:
  void accept(std::string_view bytes) {
    kept_.append(bytes.substr(0, limit_ - std::min(limit_, kept_.size())));
    if (!on_line_)
      return;
    for (const char c : bytes)
      if (c != '\n') {
        if (line_.size() < 4096)
          line_ += c;
      } else {
        on_line_(line_);
        line_.clear();
      }
  }

  std::size_t limit_;
  std::function<void(std::string_view)> on_line_;
  unique_fd fd_;
  std::string kept_, line_;
};

// Owners of what posix_spawn wants.
struct spawn_actions {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  explicit spawn_actions(const command& c, int output, int errors) : spawn_actions() {
    if (c.input >= 0)
      ::posix_spawn_file_actions_adddup2(&actions, c.input, 0);
    else
      ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, output, 1);
    ::posix_spawn_file_actions_adddup2(&actions, errors, 2);
    if (!c.cwd.empty())
      ::posix_spawn_file_actions_addchdir_np(&actions, c.cwd.c_str());
    ::posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  }
  ~spawn_actions() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  spawn_actions(const spawn_actions&) = delete;
  spawn_actions& operator=(const spawn_actions&) = delete;

private:
  spawn_actions() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                POSIX_SPAWN_SETPGROUP);
  }
};

// What a program may need of its host and its user. Of all else, some changes what it does.
constexpr std::array passed_on = {"HOME",          "USER",         "LOGNAME",     "APT_CONFIG",
                                  "SSL_CERT_FILE", "SSL_CERT_DIR", "ftp_proxy",   "FTP_PROXY",
                                  "http_proxy",    "HTTP_PROXY",   "https_proxy", "HTTPS_PROXY",
                                  "all_proxy",     "ALL_PROXY",    "no_proxy",    "NO_PROXY"};

// Its absolute folders, then those where the administrator's programs are.
std::vector<fs::path> search_path() {
  const char* given = std::getenv("PATH");
  std::string folders = given == nullptr ? "" : given;
  folders += ":/usr/sbin:/sbin:/usr/bin:/bin";
  std::vector<fs::path> all;
  for (std::size_t at = 0; at <= folders.size();) {
    const auto end = std::min(folders.find(':', at), folders.size());
    if (fs::path folder = folders.substr(at, end - at); folder.is_absolute())
      all.push_back(std::move(folder));
    at = end + 1;
  }
  return all;
}

std::vector<std::string> child_environment(const std::vector<std::string>& more) {
  std::vector<std::string> all;
  const auto set = [&](std::string_view pair) {
    const auto name = pair.substr(0, pair.find('=') + 1);
    std::erase_if(all, [&](const std::string& old) { return old.starts_with(name); });
    all.emplace_back(pair);
  };
  for (const auto* name : passed_on)
    if (const char* value = std::getenv(name))
      all.push_back(std::string(name) + "=" + value);
  std::string path = "PATH=";
  for (const auto& folder : search_path())
    path += (path.back() == '=' ? "" : ":") + folder.string();
  set(path);
  set("LC_ALL=C");
  for (const auto& pair : more)
    set(pair);
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  list.reserve(texts.size() + 1);
  for (auto& text : texts)
    list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

std::string last_line(std::string_view text) {
  const auto end = text.find_last_not_of(" \r\n");
  if (end == std::string_view::npos)
    return {};
  text = text.substr(0, end + 1);
  const auto start = text.find_last_of("\r\n");
  return std::string(start == std::string_view::npos ? text : text.substr(start + 1));
}

class child {
public:
  explicit child(const command& c)
      : command_(c), out_(c.max_output, c.on_line), err_(c.max_output, c.on_error_line) {}
  child(const child&) = delete;
  child& operator=(const child&) = delete;

  // Only reached with a living child if spawning it was half done: see `spawn`.
  ~child() {
    if (pid_ > 0)
      reap();
  }

  expected<void> spawn(const fs::path& program);
  expected<process_end> wait(const std::stop_token& stop);

private:
  std::string name() const { return fs::path(command_.argv[0]).filename().string(); }
  int reap();
  void end_by(int signal) { ::kill(-pid_, signal); }

  const command& command_;
  stream out_, err_;
  pid_t pid_ = -1;
  unique_fd pidfd_;
};

expected<void> child::spawn(const fs::path& program) {
  std::array<int, 2> out{}, err{};
  if (command_.output < 0) {
    if (::pipe2(out.data(), O_CLOEXEC) != 0)
      return fail_errno("cannot make a pipe for " + name(), errno);
    out_.attach(out[0]);
  }
  const unique_fd out_end(command_.output < 0 ? out[1] : -1);
  if (::pipe2(err.data(), O_CLOEXEC) != 0)
    return fail_errno("cannot make a pipe for " + name(), errno);
  err_.attach(err[0]);
  const unique_fd err_end(err[1]);
  for (const int fd : {out_.fd(), err_.fd()})
    if (fd >= 0)
      ::fcntl(fd, F_SETFL, O_NONBLOCK);

  const spawn_actions s(command_, out_end ? out_end.get() : command_.output, err_end.get());
  auto argv = command_.argv;
  auto env = child_environment(command_.env);
  const int bad = ::posix_spawn(&pid_, program.c_str(), &s.actions, &s.attributes,
                                pointers(argv).data(), pointers(env).data());
  if (bad != 0) {
    pid_ = -1;
    return fail_errno("cannot run " + program.string(), bad);
  }
  pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!pidfd_) {
    const int error = errno;
    end_by(SIGKILL);
    return fail_errno("cannot watch " + name(), error);
  }
  return {};
}

// The group is ended before its leader is reaped: until then its number cannot be another's.
int child::reap() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0)
    if (errno != EINTR)
      return -1;
  pid_ = -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

expected<process_end> child::wait(const std::stop_token& stop) {
  const unique_fd stopped(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const std::stop_callback on_stop(stop, [&] { ::eventfd_write(stopped.get(), 1); });
  auto until = clock::now() + command_.deadline;
  errc reason = errc::none;
  const auto give_up = [&](errc why, int signal) {
    reason = why;
    end_by(signal);
    until = clock::now() + command_.grace;
  };
  for (;;) {
    std::array<pollfd, 4> fds{{{pidfd_.get(), POLLIN, 0},
                               {out_.fd(), POLLIN, 0},
                               {err_.fd(), POLLIN, 0},
                               {reason == errc::none ? stopped.get() : -1, POLLIN, 0}}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - clock::now()).count();
    const int ready = ::poll(fds.data(), fds.size(),
                             static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000)));
    if (ready < 0 && errno != EINTR)
      give_up(errc::operation_failed, SIGKILL);
    out_.drain();
    err_.drain();
    if (fds[0].revents != 0)
      break;
    if (fds[3].revents != 0)
      give_up(errc::cancelled, SIGTERM);
    else if (clock::now() >= until)
      give_up(reason == errc::none ? errc::timed_out : reason,
              reason == errc::none ? SIGTERM : SIGKILL);
  }
  // What it wrote last, and what of its group outlived it.
  out_.drain();
  err_.drain();
  if (reason != errc::none)
    end_by(SIGKILL);
  const int status = reap();
  if (reason == errc::cancelled)
    return fail(reason, name() + " was cancelled");
  if (reason != errc::none)
    return fail(reason, name() + " did not end in time",
                "it had " + std::to_string(command_.deadline.count()) + " ms");
  return process_end{status, out_.take(), err_.take()};
}

} // namespace

fs::path find_program(std::string_view name) {
  if (name.find('/') != std::string_view::npos)
    return ::access(std::string(name).c_str(), X_OK) == 0 ? fs::path(name) : fs::path{};
  for (const auto& folder : search_path()) {
    auto file = folder / name;
    std::error_code ignored;
    if (fs::is_regular_file(file, ignored) && ::access(file.c_str(), X_OK) == 0)
      return file;
  }
  return {};
}

expected<process_end> run_any(const command& c, const std::stop_token& stop) {
  if (c.argv.empty())
    return fail(errc::bad_request, "cannot run an empty command");
  const auto program = find_program(c.argv[0]);
  if (program.empty())
    return fail(errc::unavailable, "the program " + c.argv[0] + " is not installed", "", c.remedy);
  if (stop.stop_requested())
    return fail(errc::cancelled, c.argv[0] + " was cancelled");
  child process(c);
  if (auto started = process.spawn(program); !started)
    return tl::unexpected(started.error());
  return process.wait(stop);
}

expected<process_end> run(const command& c, const std::stop_token& stop) {
  auto end = run_any(c, stop);
  if (!end || end->status == 0)
    return end;
  auto why = last_line(end->err);
  if (why.empty())
    why = end->status > 128 ? "ended by signal " + std::to_string(end->status - 128)
                            : "exit status " + std::to_string(end->status);
  return fail(errc::operation_failed, fs::path(c.argv[0]).filename().string() + " failed",
              std::move(why));
}

} // namespace banger::storage
