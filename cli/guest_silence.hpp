// Since when the guest owes an answer: to the start of a command, or to a signal for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

namespace banger::cli {

class guest_silence {
public:
  using clock = std::chrono::steady_clock;

  /// `tell` is called once, when there was no answer for 3 s. May be empty.
  explicit guest_silence(std::function<void()> tell) : tell_(std::move(tell)) {}

  void opened() { opened_ = true; }
  void signalled(std::uint32_t number) {
    if (!signal_)
      since_ = clock::now();
    signal_ = number;
  }
  void confirmed() { signal_.reset(); }
  /// The guest is asked on another connection. The signal to be sent again, if there is one.
  std::optional<std::uint32_t> ask_again() {
    since_ = clock::now();
    return signal_;
  }

  /// When `look` has something to do.
  std::optional<clock::time_point> wake_at() const {
    if (tell_ && owed())
      return since_ + silence;
    return signal_ ? std::optional(since_ + deafness) : std::nullopt;
  }
  /// The signal that nobody confirmed for 5 s.
  std::optional<std::uint32_t> look() {
    const auto silent = clock::now() - since_;
    if (owed() && silent >= silence && tell_)
      std::exchange(tell_, nullptr)();
    return silent >= deafness ? signal_ : std::nullopt;
  }

private:
  static constexpr std::chrono::milliseconds silence{3000}, deafness{5000};

  bool owed() const { return !opened_ || signal_; }

  std::function<void()> tell_;
  clock::time_point since_ = clock::now();
  std::optional<std::uint32_t> signal_;
  bool opened_ = false;
};

} // namespace banger::cli
