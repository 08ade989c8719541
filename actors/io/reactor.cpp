#include "actors/io/reactor.hpp"

#include "messages/base/unique_fd.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <map>
#include <mutex>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace banger::io {

namespace {

unique_fd checked(int fd, const char* what) {
  if (fd < 0)
    throw std::system_error(errno, std::generic_category(), what);
  return unique_fd(fd);
}

} // namespace

struct reactor::state {
  using handler = std::function<void(std::uint32_t)>;

  /// The serial tells an event of this registration from one of an earlier owner of the number.
  struct watched {
    std::uint32_t serial = 0;
    std::shared_ptr<handler> on_ready;
  };

  state()
      : epoll(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
        wake(checked(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = wake_key;
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &event) != 0)
      throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }

  // Serials start at 1, so that no registration has this key.
  static constexpr std::uint64_t wake_key = 0;
  static std::uint64_t key(int fd, std::uint32_t serial) {
    return std::uint64_t{serial} << 32 | static_cast<std::uint32_t>(fd);
  }

  void run() {
    for (;;) {
      std::array<epoll_event, 64> events{};
      const int count = ::epoll_wait(epoll.get(), events.data(), events.size(), timeout());
      // The mailbox goes first: what a peer does because of an answer finds that answer's effects
      // here.
      take_mail();
      if (ended)
        return;
      for (int i = 0; i < count; ++i)
        dispatch(events[static_cast<std::size_t>(i)]);
      run_timers();
    }
  }

  int timeout() const {
    if (timers.empty())
      return -1;
    const auto left = timers.begin()->first.first - clock::now();
    if (left <= clock::duration::zero())
      return 0;
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
    return static_cast<int>(std::min<std::int64_t>(ms, 60'000));
  }

  void take_mail() {
    std::vector<task> mail;
    {
      std::lock_guard lock(mutex);
      if (mailbox.empty())
        return;
      mail.swap(mailbox);
      std::uint64_t ignored = 0;
      [[maybe_unused]] const auto n = ::read(wake.get(), &ignored, sizeof ignored);
    }
    for (auto& t : mail)
      t();
  }

  void dispatch(const epoll_event& event) {
    if (event.data.u64 == wake_key)
      return;
    const auto fd = static_cast<int>(event.data.u64 & 0xffffffffU);
    const auto found = handlers.find(fd);
    if (found == handlers.end() || key(fd, found->second.serial) != event.data.u64)
      return;
    const auto keep = found->second.on_ready; // it may unwatch itself
    (*keep)(event.events);
  }

  // Only what is due now: a timer that sets itself again to a past time cannot hold the loop.
  void run_timers() {
    const auto now = clock::now();
    const auto last = next_timer;
    for (auto it = timers.begin(); it != timers.end() && it->first.first <= now;
         it = timers.begin()) {
      if (it->first.second > last)
        break;
      auto t = std::move(it->second);
      due.erase(it->first.second);
      timers.erase(it);
      t();
    }
  }

  unique_fd epoll;
  unique_fd wake;
  std::mutex mutex; ///< of `mailbox`, held for a push or a swap; the only lock in this folder
  std::vector<task> mailbox;

  // Of the reactor's thread.
  bool ended = false;
  std::uint32_t next_serial = 1;
  timer_id next_timer = 0;
  std::unordered_map<int, watched> handlers;
  std::map<std::pair<clock::time_point, timer_id>, task> timers;
  std::unordered_map<timer_id, clock::time_point> due;
  std::thread thread;
};

// Signals are for the main thread.
reactor::reactor() : state_(std::make_unique<state>()) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  state_->thread = std::thread([s = state_.get()] { s->run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_setname_np(state_->thread.native_handle(), "reactor");
}

reactor::~reactor() {
  post([s = state_.get()] { s->ended = true; });
  state_->thread.join();
}

void reactor::post(task t) {
  std::lock_guard lock(state_->mutex);
  state_->mailbox.push_back(std::move(t));
  if (state_->mailbox.size() > 1)
    return; // woken already
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(state_->wake.get(), &one, sizeof one);
}

void reactor::watch(int fd, std::uint32_t events, std::function<void(std::uint32_t)> on_ready) {
  auto& s = *state_;
  const auto serial = s.next_serial++;
  if (s.next_serial == 0)
    s.next_serial = 1;
  auto handler = std::make_shared<state::handler>(std::move(on_ready));
  epoll_event event{};
  event.events = events;
  event.data.u64 = state::key(fd, serial);
  if (::epoll_ctl(s.epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    // Out of watches or memory: for the handler this is a descriptor that broke.
    s.handlers[fd] = {serial, handler};
    post([&s, event] { s.dispatch({EPOLLERR | EPOLLHUP, event.data}); });
    return;
  }
  s.handlers[fd] = {serial, std::move(handler)};
}

void reactor::rearm(int fd, std::uint32_t events) {
  const auto found = state_->handlers.find(fd);
  if (found == state_->handlers.end())
    return;
  epoll_event event{};
  event.events = events;
  event.data.u64 = state::key(fd, found->second.serial);
  ::epoll_ctl(state_->epoll.get(), EPOLL_CTL_MOD, fd, &event);
}

void reactor::unwatch(int fd) {
  if (state_->handlers.erase(fd) != 0)
    ::epoll_ctl(state_->epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
}

reactor::timer_id reactor::at(clock::time_point when, task t) {
  const auto id = ++state_->next_timer;
  state_->timers.emplace(std::pair(when, id), std::move(t));
  state_->due.emplace(id, when);
  return id;
}

void reactor::cancel(timer_id timer) {
  const auto found = state_->due.find(timer);
  if (found == state_->due.end())
    return;
  state_->timers.erase({found->second, timer});
  state_->due.erase(found);
}

bool reactor::in_thread() const { return std::this_thread::get_id() == state_->thread.get_id(); }

} // namespace banger::io
