#include "tests/support/process.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <stdexcept>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace banger::test {

namespace {

struct pipe_ends {
  unique_fd read, write;
};

pipe_ends make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw std::runtime_error("no pipe");
  return {unique_fd(ends[0]), unique_fd(ends[1])};
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> result;
  result.reserve(words.size() + 1);
  for (auto& word : words)
    result.push_back(word.data());
  result.push_back(nullptr);
  return result;
}

bool become(std::int64_t uid) {
  const auto id = static_cast<uid_t>(uid);
  return ::setgroups(0, nullptr) == 0 && ::setresgid(id, id, id) == 0 &&
         ::setresuid(id, id, id) == 0;
}

[[noreturn]] void become_program(const program& p, int in, int out, int err, char** argv,
                                 char** env) {
  ::signal(SIGPIPE, SIG_DFL);
  if (p.in == input::closed)
    ::close(0);
  else
    ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(err, 2);
  // A group of its own: Ctrl-C for it is not Ctrl-C for us.
  ::setpgid(0, 0);
  if (p.uid < 0 || become(p.uid))
    ::execvpe(argv[0], argv, env);
  constexpr std::string_view text = "the test could not start this program\n";
  (void)!::write(2, text.data(), text.size());
  ::_exit(126);
}

} // namespace

milliseconds scaled(milliseconds deadline) {
  const char* text = std::getenv("BANGER_TEST_TIME_SCALE");
  const double scale = text == nullptr ? 1.0 : std::strtod(text, nullptr);
  return milliseconds(
      static_cast<std::int64_t>(static_cast<double>(deadline.count()) * (scale > 0 ? scale : 1.0)));
}

child::child(const program& p) {
  ::signal(SIGPIPE, SIG_IGN);
  auto in = make_pipe(), out = make_pipe(), err = make_pipe();
  const unique_fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  std::vector<std::string> words = p.argv, variables;
  for (const auto& [name, value] : p.env)
    variables.push_back(std::string(name).append("=").append(value));
  auto argv = pointers(words), env = pointers(variables);
  const int stdin_fd = p.in == input::pipe ? in.read.get() : null.get();
  pid_ = ::fork();
  if (pid_ == 0)
    become_program(p, stdin_fd, out.write.get(), err.write.get(), argv.data(), env.data());
  if (pid_ < 0)
    throw std::runtime_error("cannot fork");
  pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (p.in == input::pipe)
    in_ = std::move(in.write);
  out_fd_ = std::move(out.read);
  err_fd_ = std::move(err.read);
  for (const auto* fd : {&in_, &out_fd_, &err_fd_})
    if (*fd)
      ::fcntl(fd->get(), F_SETFL, O_NONBLOCK);
}

child::~child() {
  if (pid_ > 0 && running()) {
    ::kill(pid_, SIGKILL);
    reap(true);
  }
}

void child::signal(int number) const {
  if (pid_ > 0 && status_ < 0)
    ::kill(pid_, number);
}

void child::reap(bool block) {
  if (status_ >= 0)
    return;
  int raw = 0;
  if (::waitpid(pid_, &raw, block ? 0 : WNOHANG) == pid_)
    status_ = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
}

bool child::running() {
  reap(false);
  return status_ < 0;
}

void child::write_some() {
  if (pending_.empty() && source_) {
    pending_ = source_();
    if (pending_.empty()) {
      source_ = nullptr;
      input_ends_ = true;
    }
  }
  if (!pending_.empty()) {
    const auto sent = ::write(in_.get(), pending_.data(), pending_.size());
    if (sent > 0)
      pending_.erase(0, static_cast<std::size_t>(sent));
    else if (errno != EAGAIN)
      in_.reset();
  }
  if (pending_.empty() && input_ends_)
    in_.reset();
}

void child::read_some(unique_fd& fd, bool is_out) {
  static std::array<char, std::size_t{256} * 1024> buffer;
  const auto got = ::read(fd.get(), buffer.data(), buffer.size());
  if (got == 0 || (got < 0 && errno != EAGAIN)) {
    fd.reset();
    return;
  }
  if (got < 0)
    return;
  const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
  if (is_out && sink_)
    sink_(bytes);
  else
    (is_out ? out_ : err_) += bytes;
}

void child::step(milliseconds patience) {
  const bool wants_write = in_ && (!pending_.empty() || source_ || input_ends_);
  std::array<pollfd, 4> set = {{{wants_write ? in_.get() : -1, POLLOUT, 0},
                                {reading_ && out_fd_ ? out_fd_.get() : -1, POLLIN, 0},
                                {err_fd_ ? err_fd_.get() : -1, POLLIN, 0},
                                {status_ < 0 ? pidfd_.get() : -1, POLLIN, 0}}};
  // Not longer, since what is waited for may be nothing of these.
  const auto most = static_cast<int>(std::clamp<std::int64_t>(patience.count(), 0, 10));
  if (::poll(set.data(), set.size(), most) <= 0)
    return;
  if (set[0].revents != 0)
    write_some();
  if (set[1].revents != 0)
    read_some(out_fd_, true);
  if (set[2].revents != 0)
    read_some(err_fd_, false);
  if (set[3].revents != 0)
    reap(false);
}

bool child::until(const std::function<bool()>& met, milliseconds deadline) {
  const auto end = clock::now() + scaled(deadline);
  while (!met()) {
    const auto left = std::chrono::duration_cast<milliseconds>(end - clock::now());
    if (left.count() <= 0)
      return false;
    step(left);
  }
  return true;
}

void child::run_for(milliseconds time) {
  for (const auto end = clock::now() + time; clock::now() < end;)
    step(std::chrono::duration_cast<milliseconds>(end - clock::now()));
}

int child::wait(milliseconds deadline) {
  if (!until([this] { return !running(); }, deadline))
    return -1;
  // What it said last may still be in the pipes. A grandchild may hold them open: not longer than
  // this.
  const auto end = clock::now() + milliseconds(500);
  while ((out_fd_ || err_fd_) && reading_ && clock::now() < end)
    step(milliseconds(10));
  return status_;
}

outcome run(program p, std::string_view stdin_bytes, milliseconds deadline) {
  if (!stdin_bytes.empty())
    p.in = input::pipe;
  const auto begun = clock::now();
  child c(p);
  c.write(stdin_bytes);
  c.end_input();
  outcome result;
  result.status = c.wait(deadline);
  result.took = std::chrono::duration_cast<milliseconds>(clock::now() - begun);
  result.out = c.out();
  result.err = c.err();
  return result;
}

} // namespace banger::test
