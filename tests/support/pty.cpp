#include "tests/support/pty.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/wait.h>

namespace banger::test {

namespace {

constexpr std::size_t most_kept = 1 << 20;

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  result.reserve(words.size() + 1);
  for (auto& word : words)
    result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

[[noreturn]] void sit_down(int slave, char** argv, char** env) {
  ::setsid();
  ::ioctl(slave, TIOCSCTTY, 0);
  for (const int fd : {0, 1, 2})
    ::dup2(slave, fd);
  for (const int number : {SIGPIPE, SIGINT, SIGQUIT, SIGHUP, SIGTERM, SIGTSTP, SIGTTOU, SIGTTIN})
    ::signal(number, SIG_DFL);
  ::execvpe(argv[0], argv, env);
  ::_exit(126);
}

} // namespace

at_terminal::at_terminal(const program& p, window_size size)
    : master_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)) {
  if (!master_ || ::grantpt(master_.get()) != 0 || ::unlockpt(master_.get()) != 0)
    throw std::runtime_error("no terminal");
  // Kept open, so that the modes can be asked for when the program has ended.
  slave_.reset(::ioctl(master_.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!slave_)
    throw std::runtime_error("no other end of the terminal");
  resize(size);
  std::vector<std::string> words = p.argv, variables;
  for (const auto& [name, value] : p.env)
    variables.push_back(std::string(name).append("=").append(value));
  auto argv = pointers(words), env = pointers(variables);
  pid_ = ::fork();
  if (pid_ == 0)
    sit_down(slave_.get(), argv.data(), env.data());
  if (pid_ < 0)
    throw std::runtime_error("cannot fork");
}

at_terminal::~at_terminal() {
  if (pid_ > 0 && running()) {
    ::kill(pid_, SIGKILL);
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
}

void at_terminal::type(std::string_view keys) {
  for (const auto end = clock::now() + scaled(milliseconds(15'000)); !keys.empty();) {
    const auto n = ::write(master_.get(), keys.data(), keys.size());
    if (n > 0)
      keys.remove_prefix(static_cast<std::size_t>(n));
    else if (clock::now() > end)
      throw std::runtime_error("the terminal takes no keys");
    else
      step(milliseconds(10));
  }
}

void at_terminal::step(milliseconds patience) {
  pollfd ready{reading_ && master_ ? master_.get() : -1, POLLIN, 0};
  const auto most = static_cast<int>(std::min<std::int64_t>(patience.count(), 10));
  if (::poll(&ready, 1, most) <= 0)
    return;
  std::array<char, 65536> buffer;
  const auto n = ::read(master_.get(), buffer.data(), buffer.size());
  if (n <= 0)
    return;
  shown_.append(buffer.data(), static_cast<std::size_t>(n));
  count_ += static_cast<std::uint64_t>(n);
  if (shown_.size() > 2 * most_kept) {
    const auto cut = shown_.size() - most_kept;
    shown_.erase(0, cut);
    seen_ -= std::min(seen_, cut);
  }
}

template <class Holds>
bool at_terminal::until(Holds holds, milliseconds deadline) {
  const auto end = clock::now() + scaled(deadline);
  while (!holds()) {
    const auto left = std::chrono::duration_cast<milliseconds>(end - clock::now());
    if (left.count() <= 0)
      return false;
    step(left);
  }
  return true;
}

bool at_terminal::sees(std::string_view text, milliseconds deadline) {
  return until(
      [&] {
        const auto at = shown_.find(text, seen_);
        if (at == std::string::npos)
          return false;
        seen_ = at + text.size();
        return true;
      },
      deadline);
}

void at_terminal::look_for(milliseconds time) {
  for (const auto end = clock::now() + time; clock::now() < end;)
    step(milliseconds(10));
}

void at_terminal::resize(window_size size) const {
  winsize w{};
  w.ws_row = size.rows;
  w.ws_col = size.cols;
  ::ioctl(master_.get(), TIOCSWINSZ, &w);
}

termios at_terminal::modes() const {
  termios now{};
  ::tcgetattr(slave_.get(), &now);
  return now;
}

bool at_terminal::cooked() const {
  const auto now = modes();
  constexpr tcflag_t wanted = ICANON | ECHO | ISIG;
  return (now.c_lflag & wanted) == wanted && (now.c_oflag & OPOST) != 0;
}

bool at_terminal::eventually_cooked(bool wanted, milliseconds deadline) {
  return until([&] { return cooked() == wanted; }, deadline);
}

void at_terminal::hang_up() { master_.reset(); }

void at_terminal::signal(int number) const {
  if (pid_ > 0 && status_ < 0)
    ::kill(pid_, number);
}

bool at_terminal::running() {
  int raw = 0;
  if (status_ < 0 && ::waitpid(pid_, &raw, WNOHANG) == pid_)
    status_ = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
  return status_ < 0;
}

int at_terminal::wait(milliseconds deadline) {
  if (!until([this] { return !running(); }, deadline))
    return -1;
  look_for(milliseconds(50)); // its last words
  return status_;
}

} // namespace banger::test
