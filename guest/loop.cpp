#include "guest/loop.hpp"

#include <algorithm>
#include <array>
#include <climits>
#include <ctime>
#include <sys/epoll.h>

namespace banger::guest {

std::uint64_t monotonic_us() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1000;
}

done loop::open() {
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_)
    return failed_to("epoll");
  for (const auto& [fd, e] : watched_)
    if (auto ok = add(fd, *e); !ok)
      return ok;
  return {};
}

done loop::add(int fd, const entry& e) {
  epoll_event event{};
  event.events = e.events | EPOLLET;
  // A number may be used again within one round; the generation tells the old from the new.
  event.data.u64 = (static_cast<std::uint64_t>(e.generation) << 32) | static_cast<unsigned>(fd);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
    return failed_to("watch a descriptor");
  return {};
}

done loop::watch(int fd, std::uint32_t events, handler call) {
  auto e = std::make_shared<entry>(entry{++generation_, events, std::move(call)});
  if (auto ok = add(fd, *e); !ok)
    return ok;
  watched_[fd] = std::move(e);
  return {};
}

void loop::forget(int fd) {
  if (watched_.erase(fd) != 0)
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

loop::timer loop::after_ms(std::uint64_t delay, std::function<void()> call) {
  const auto id = ++last_timer_;
  timers_.emplace(std::pair{monotonic_us() + delay * 1000, id}, std::move(call));
  return id;
}

void loop::cancel(timer which) {
  std::erase_if(timers_, [which](const auto& t) { return t.first.second == which; });
}

int loop::until_next_timer() const {
  if (timers_.empty())
    return -1;
  const auto due = timers_.begin()->first.first;
  const auto now = monotonic_us();
  return due <= now ? 0
                    : static_cast<int>(std::min<std::uint64_t>((due - now + 999) / 1000, INT_MAX));
}

void loop::run_timers() {
  const auto now = monotonic_us();
  while (!timers_.empty() && timers_.begin()->first.first <= now)
    timers_.extract(timers_.begin()).mapped()();
}

void loop::run(const std::function<bool()>& work) {
  std::array<epoll_event, 32> events{};
  stopped_ = false;
  bool more = work();
  while (!stopped_) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                   more ? 0 : until_next_timer());
    for (int i = 0; i < count; ++i) {
      const auto& event = events[static_cast<std::size_t>(i)];
      const auto found = watched_.find(static_cast<int>(event.data.u64 & 0xffffffff));
      if (found == watched_.end() || found->second->generation != event.data.u64 >> 32)
        continue;
      const auto kept = found->second; // a handler may forget itself
      kept->call(event.events);
    }
    run_timers();
    if (!stopped_)
      more = work();
  }
}

} // namespace banger::guest
