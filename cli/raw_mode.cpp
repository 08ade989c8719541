#include "cli/raw_mode.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <pthread.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace banger::cli {

bool in_foreground(int fd) {
  const auto front = ::tcgetpgrp(fd);
  return front < 0 || front == ::getpgrp();
}

namespace {

constexpr std::array fatal{SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGTRAP};

// For the handler, which may only make system calls.
termios good;
std::atomic<int> raw_fd{-1};

void restore_and_die(int number) {
  if (const int fd = raw_fd; fd >= 0 && in_foreground(fd))
    ::tcsetattr(fd, TCSANOW, &good);
  ::signal(number, SIG_DFL);
  ::raise(number);
}

void guard(bool wanted) {
  struct sigaction act {};
  act.sa_handler = wanted ? restore_and_die : SIG_DFL;
  // An overflown stack leaves no room for a handler; the others do.
  act.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
  for (const int number : fatal)
    ::sigaction(number, &act, nullptr);
}

int set(int fd, const termios& modes) {
  int result = 0;
  do
    result = ::tcsetattr(fd, TCSANOW, &modes);
  while (result != 0 && errno == EINTR);
  return result;
}

} // namespace

window window_of(int fd) {
  window size;
  winsize known{};
  if (::ioctl(fd, TIOCGWINSZ, &known) != 0)
    return size;
  if (known.ws_row > 0)
    size.rows = known.ws_row;
  if (known.ws_col > 0)
    size.cols = known.ws_col;
  return size;
}

expected<void> raw_mode::enter() {
  if (!in_foreground(fd_)) {
    leave();
    return {};
  }
  if (!known_ && ::tcgetattr(fd_, &before_) != 0)
    return fail_errno("cannot read the terminal's modes", errno);
  known_ = true;
  auto modes = before_;
  ::cfmakeraw(&modes);
  // Both before the change: a crash between them is one in the raw terminal.
  good = before_;
  raw_fd = fd_;
  if (!raw_)
    guard(true);
  raw_ = true;
  if (set(fd_, modes) != 0)
    return fail_errno("cannot switch the terminal to raw mode", errno);
  return {};
}

void raw_mode::leave() {
  if (!raw_)
    return;
  raw_ = false;
  if (in_foreground(fd_))
    set(fd_, before_);
  raw_fd = -1;
  guard(false);
}

// By the signal itself: whoever has no shell to come back from is not stopped by it.
expected<void> raw_mode::suspend() {
  leave();
  sigset_t stop, before;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTSTP);
  ::pthread_sigmask(SIG_UNBLOCK, &stop, &before);
  ::kill(::getpid(), SIGTSTP);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return enter();
}

} // namespace banger::cli
