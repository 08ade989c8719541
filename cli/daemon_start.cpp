#include "cli/daemon_start.hpp"

#include "cli/waiting.hpp"
#include "messages/base/unique_fd.hpp"
#include "messages/config/config.hpp"
#include "messages/transport/socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <string_view>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

extern char** environ;

namespace banger::cli {

namespace fs = std::filesystem;
using clock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::milliseconds probe_deadline{2000};
constexpr int ready_number = 3; ///< the descriptor that the daemon says "ready" on
// The daemon holds the start lock, too, until it is ready: if we are killed, nobody starts a second
// one.
constexpr int lock_number = 4;

bool runnable(const fs::path& file) { return ::access(file.c_str(), X_OK) == 0; }

expected<bool> somebody_listens(const folders& where) {
  const auto fd = in_thread<int>(
      [socket = daemon_socket(where)] { return local::connect(socket, probe_deadline); });
  if (fd) {
    ::close(*fd);
    return true;
  }
  if (fd.error().code == errc::not_found)
    return false;
  return tl::unexpected(fd.error());
}

// Nobody asked for this daemon to stay: without VMs and clients it leaves after a while.
std::string idle_seconds(const config::settings& settings) {
  const char* given = std::getenv("BANGER_IDLE_EXIT");
  if (given != nullptr && *given != '\0')
    return given;
  const auto wanted = settings.idle_exit.value_or(config::builtin_idle_exit);
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(wanted).count());
}

struct child {
  pid_t pid = -1;
  unique_fd ready;
};

// What posix_spawn is told, with an owner.
struct spawn_plan {
  posix_spawn_file_actions_t files{};
  posix_spawnattr_t how{};

  spawn_plan(int ready, int lock, const fs::path& output) {
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&files, 1, output.c_str(),
                                       O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW, 0600);
    ::posix_spawn_file_actions_adddup2(&files, 1, 2);
    ::posix_spawn_file_actions_adddup2(&files, ready, ready_number);
    ::posix_spawn_file_actions_adddup2(&files, lock, lock_number);
    ::posix_spawn_file_actions_addclosefrom_np(&files, lock_number + 1);
    ::posix_spawn_file_actions_addchdir_np(&files, "/");
    ::posix_spawnattr_init(&how);
    ::posix_spawnattr_setflags(
        &how,
        static_cast<short>(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    ::posix_spawnattr_setsigmask(&how, &none);
    ::posix_spawnattr_setsigdefault(&how, &all);
  }
  spawn_plan(const spawn_plan&) = delete;
  spawn_plan& operator=(const spawn_plan&) = delete;
  ~spawn_plan() {
    ::posix_spawn_file_actions_destroy(&files);
    ::posix_spawnattr_destroy(&how);
  }
};

expected<child> spawn(const fs::path& program, int lock, const fs::path& output,
                      const std::string& idle_exit) {
  int pipe[2] = {-1, -1};
  if (::pipe2(pipe, O_CLOEXEC) != 0)
    return fail_errno("cannot make a pipe", errno);
  child started{-1, unique_fd(pipe[0])};
  // Above the numbers that the child's own descriptors take: a dup2 onto itself would keep CLOEXEC.
  const unique_fd theirs(::fcntl(pipe[1], F_DUPFD_CLOEXEC, 16));
  ::close(pipe[1]);
  const unique_fd locked(::fcntl(lock, F_DUPFD_CLOEXEC, 16));
  if (!theirs || !locked)
    return fail_errno("cannot make a pipe", errno);
  const spawn_plan plan(theirs.get(), locked.get(), output);
  std::vector<std::string> words = {program.string(),
                                    "--ready-fd",
                                    std::to_string(ready_number),
                                    "--lock-fd",
                                    std::to_string(lock_number),
                                    "--idle-exit",
                                    idle_exit};
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (auto& word : words)
    argv.push_back(word.data());
  argv.push_back(nullptr);
  const int error = ::posix_spawn(&started.pid, words.front().c_str(), &plan.files, &plan.how,
                                  argv.data(), environ);
  if (error != 0)
    return fail(errc::unavailable, "cannot start " + words.front(), std::strerror(error));
  return started;
}

// One line; empty at the end of the pipe.
expected<std::string> read_verdict(int fd, clock::time_point end) {
  std::string line;
  while (line.empty() || line.back() != '\n') {
    const auto ready = await(fd, POLLIN, end);
    if (!ready)
      return tl::unexpected(ready.error());
    if (!*ready)
      return fail(errc::timed_out, "the daemon is not ready in time", "",
                  "see `banger daemon logs`");
    std::array<char, 1024> piece;
    const auto got = ::read(fd, piece.data(), piece.size());
    if (got <= 0)
      return std::string{};
    line.append(piece.data(), static_cast<std::size_t>(got));
    if (line.size() > 16384)
      return fail(errc::bad_version, "cannot read what the daemon says while it starts");
  }
  line.resize(line.find('\n'));
  return line;
}

expected<void> await_ready(child& started, const fs::path& output, clock::time_point end) {
  const auto verdict = read_verdict(started.ready.get(), end);
  if (!verdict)
    return tl::unexpected(verdict.error());
  if (*verdict == "ready")
    return {};
  constexpr std::string_view error = "error ";
  if (verdict->starts_with(error))
    return fail(errc::unavailable, "the daemon did not start", verdict->substr(error.size()));
  int status = 0;
  ::waitpid(started.pid, &status, WNOHANG);
  const auto words = last_words(output);
  return fail(errc::unavailable, "the daemon did not start",
              words.empty() ? "it ended without a word" : words,
              "its output is in " + output.string());
}

} // namespace

expected<fs::path> find_daemon_program() {
  if (const char* given = std::getenv("BANGER_DAEMON"); given != nullptr && *given != '\0') {
    if (given[0] == '/' && runnable(given))
      return fs::path(given);
    return fail(errc::unavailable, std::string("cannot start the daemon '") + given + "'",
                given[0] == '/' ? std::strerror(errno) : "it is no absolute path",
                "correct or unset BANGER_DAEMON");
  }
  std::error_code none;
  const auto beside = fs::read_symlink("/proc/self/exe", none).parent_path() / "bangerd";
  if (!none && runnable(beside))
    return beside;
  const char* folders_given = std::getenv("PATH");
  std::string_view path = folders_given != nullptr ? folders_given : "";
  while (!path.empty()) {
    const auto folder = path.substr(0, path.find(':'));
    path.remove_prefix(std::min(path.size(), folder.size() + 1));
    if (auto file = fs::path(folder) / "bangerd"; file.is_absolute() && runnable(file))
      return file;
  }
  return fail(errc::unavailable, "cannot find the program bangerd",
              "it is neither beside banger nor in PATH", "install it, or set BANGER_DAEMON");
}

namespace {

// Until the one who holds it has started a daemon, or given up on that.
expected<unique_fd> lock_file(const fs::path& path) {
  unique_fd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock)
    return fail_errno("cannot open " + path.string(), errno);
  while (::flock(lock.get(), LOCK_EX) != 0)
    if (errno != EINTR)
      return fail_errno("cannot lock " + path.string(), errno);
  return lock;
}

} // namespace

expected<unique_fd> take_start_lock(const folders& where) {
  return in_thread<unique_fd>(
      [path = where.runtime / "bangerd.start.lock"] { return lock_file(path); },
      [] {
        static constexpr std::string_view text = "note: another banger starts the daemon; waiting "
                                                 "for it\n";
        [[maybe_unused]] const auto n = ::write(STDERR_FILENO, text.data(), text.size());
      });
}

expected<void> start_daemon(const folders& where, const start_options& options) {
  for (const auto& folder : {where.runtime, where.state})
    if (auto ok = secure_folder(folder); !ok)
      return ok;
  const auto lock = take_start_lock(where);
  if (!lock)
    return tl::unexpected(lock.error());
  return start_daemon(where, *lock, options);
}

// Whoever waited for the lock finds a daemon now, maybe.
expected<void> start_daemon(const folders& where, const unique_fd& lock,
                            const start_options& options) {
  const auto there = somebody_listens(where);
  if (!there)
    return tl::unexpected(there.error());
  if (*there)
    return {};
  const auto program = find_daemon_program();
  if (!program)
    return tl::unexpected(program.error());
  // The daemon would refuse a damaged file as well; we say it in fewer words.
  const auto settings = config::load(where);
  if (!settings)
    return tl::unexpected(settings.error());
  const auto output = where.state / "bangerd.start.log";
  auto started = spawn(*program, lock.get(), output, idle_seconds(*settings));
  if (!started)
    return tl::unexpected(started.error());
  return await_ready(*started, output, clock::now() + options.deadline);
}

std::string last_words(const fs::path& file) {
  const unique_fd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 1024> tail;
  const auto size = fd ? ::lseek(fd.get(), 0, SEEK_END) : 0;
  const auto from = std::max<off_t>(0, size - static_cast<off_t>(tail.size()));
  const auto n = fd ? ::pread(fd.get(), tail.data(), tail.size(), from) : 0;
  std::string_view text(tail.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  // A line that begins before our window is left out, if another one follows.
  if (from > 0 && text.find('\n') + 1 < text.size())
    text.remove_prefix(text.find('\n') + 1);
  std::string words;
  for (const char c : text)
    words += c == '\n' ? std::string(" | ") : std::string(1, c);
  while (!words.empty() && (words.back() == ' ' || words.back() == '|'))
    words.pop_back();
  return words;
}

} // namespace banger::cli
