#include "cli/signals.hpp"

#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <utility>

namespace banger::cli {

namespace {

thread_local const signal_source* innermost_source = nullptr;

// A blocked signal is queued for a signalfd even where it is ignored.
bool is_ignored(int number) {
  struct sigaction now {};
  return ::sigaction(number, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

std::optional<int> read_one(int fd) {
  signalfd_siginfo info{};
  if (::read(fd, &info, sizeof info) != static_cast<ssize_t>(sizeof info))
    return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

} // namespace

signal_source::signal_source(std::initializer_list<int> more)
    : outer_(std::exchange(innermost_source, this)) {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT})
    if (!is_ignored(number))
      sigaddset(&wanted, number);
  const auto ending = wanted;
  for (const int number : more)
    sigaddset(&wanted, number);
  ::pthread_sigmask(SIG_BLOCK, &wanted, &before_);
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGTTIN, &ignore, &input_before_);
  ::sigaction(SIGTTOU, &ignore, &output_before_);
  fd_.reset(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  ending_.reset(::signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK));
}

// What came after the last look is dropped with us: it was meant for what has just ended.
signal_source::~signal_source() {
  while (next()) {
  }
  innermost_source = outer_;
  ::sigaction(SIGTTIN, &input_before_, nullptr);
  ::sigaction(SIGTTOU, &output_before_, nullptr);
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

std::optional<int> signal_source::next() const { return read_one(fd_.get()); }
std::optional<int> signal_source::next_ending() const { return read_one(ending_.get()); }

const signal_source* signal_source::innermost() { return innermost_source; }

signals_blocked::signals_blocked() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before_);
}

signals_blocked::~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

bool impatience::add(clock::time_point now) {
  last_.push_back(now);
  if (last_.size() > 3)
    last_.pop_front();
  return last_.size() == 3 && last_.back() - last_.front() <= std::chrono::seconds(1);
}

} // namespace banger::cli
