#include "actors/io/clock_watch.hpp"

#include "actors/io/reactor.hpp"

#include <cerrno>
#include <cstdint>
#include <ctime>
#include <limits>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace banger::io {

// A timer that is never due, and cancelled whenever its clock is set.
bool clock_watch::start() {
  timer_.reset(::timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC));
  itimerspec never{};
  never.it_value.tv_sec = std::numeric_limits<time_t>::max();
  if (!timer_ || ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET,
                                   &never, nullptr) != 0) {
    timer_.reset();
    return false;
  }
  loop_.watch(timer_.get(), EPOLLIN, [this](std::uint32_t events) {
    if ((events & EPOLLIN) != 0)
      on_ready();
    else
      stop();
  });
  return true;
}

void clock_watch::on_ready() {
  std::uint64_t expirations = 0;
  const auto size = ::read(timer_.get(), &expirations, sizeof expirations);
  if (size < 0 && errno == ECANCELED)
    on_set_();
}

void clock_watch::stop() {
  if (!timer_)
    return;
  loop_.unwatch(timer_.get());
  timer_.reset();
}

} // namespace banger::io
