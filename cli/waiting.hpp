// How the main thread waits for others: a process, a lock, an answer. INT, TERM, HUP and QUIT end
// every wait, also where a `signal_source` has taken their usual effect from them. No CAF.
#pragma once

#include "cli/mailbox.hpp"
#include "cli/signals.hpp"
#include "messages/base/error.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <poll.h>
#include <thread>
#include <utility>

namespace banger::cli {

using wait_clock = std::chrono::steady_clock;
inline constexpr auto for_ever = wait_clock::time_point::max();

/// The signal that ended a wait. From then on every wait ends at once.
std::optional<int> interruption();

/// While it exists no wait is ended by a signal: what is waited for has a deadline of its own.
class uninterrupted {
public:
  uninterrupted();
  ~uninterrupted();
  uninterrupted(const uninterrupted&) = delete;
  uninterrupted& operator=(const uninterrupted&) = delete;
};

/// Until one of `fds` is ready: true; or it is `until`: false. `cancelled`: a signal came.
expected<bool> await(pollfd* fds, std::size_t count, wait_clock::time_point until);
expected<bool> await(int fd, short events, wait_clock::time_point until);

/// So long a daemon may owe an answer before that is told.
inline constexpr std::chrono::milliseconds silence_of_daemon{3000};

/// Tells on standard error that the daemon behind `socket` does not answer, and what helps. Once.
void tell_silence(const std::filesystem::path& socket);

/// What `act` answers, in a thread of its own, because it blocks. It may outlive this call: it owns
/// all that it uses. `on_silence` is called once when it took `silence_of_daemon`; may be empty.
/// `cancelled`: a signal came.
template <class T>
expected<T> in_thread(std::function<expected<T>()> act,
                      const std::function<void()>& on_silence = {}) {
  auto letters = std::make_shared<mailbox>();
  auto result = std::make_shared<std::optional<expected<T>>>();
  {
    const signals_blocked quiet;
    std::thread([letters, result, act = std::move(act)] {
      auto got = std::make_shared<expected<T>>(act());
      letters->post([result, got] { *result = std::move(*got); });
    }).detach();
  }
  auto until = on_silence ? wait_clock::now() + silence_of_daemon : for_ever;
  while (!letters->open_letters()) {
    const auto ready = await(letters->fd(), POLLIN, until);
    if (!ready)
      return tl::unexpected(ready.error());
    if (!*ready)
      on_silence();
    if (wait_clock::now() >= until)
      until = for_ever;
  }
  return std::move(**result);
}

} // namespace banger::cli
