// The one I/O thread beside CAF's: an epoll loop. Everything that is registered here is touched in
// its thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

namespace banger::io {

class reactor {
public:
  using clock = std::chrono::steady_clock;
  using task = std::function<void()>;
  using timer_id = std::uint64_t;

  reactor(); ///< throws std::system_error when the process is out of descriptors or threads
  /// Runs what was posted before, then ends the thread. Not from the reactor's own thread.
  ~reactor();
  reactor(const reactor&) = delete;
  reactor& operator=(const reactor&) = delete;

  /// From any thread: runs `t` in the reactor's thread, in order, before descriptors that became
  /// ready meanwhile. The mailbox has no bound of its own: callers post a few tasks per request.
  void post(task t);

  // In the reactor's thread only:
  /// `on_ready(epoll events)`. The descriptor stays the caller's; unwatch before closing it.
  /// A handler may watch and unwatch anything, itself too; what is unwatched is not called again.
  /// A descriptor that cannot be watched gets EPOLLERR once.
  void watch(int fd, std::uint32_t events, std::function<void(std::uint32_t)> on_ready);
  void rearm(int fd, std::uint32_t events);
  void unwatch(int fd);
  /// Rounded up to a millisecond. Ids are never 0.
  timer_id at(clock::time_point when, task t);
  void cancel(timer_id timer); ///< a timer that has fired is ignored
  bool in_thread() const;

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace banger::io
