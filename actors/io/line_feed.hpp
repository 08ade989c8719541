// Lines that are told to whoever follows, and remembered for who comes later. Each follower reads
// from the same bounded ring at his own pace: one that stalls costs nothing but what is under way
// to him, and hears afterwards how much he has missed.
#pragma once

#include "actors/io/line_ring.hpp"
#include "actors/io/reactor.hpp"

#include <functional>
#include <memory>
#include <vector>

namespace banger::io {

/// Somebody who waits for the next line. In the reactor's thread.
class line_follower {
public:
  virtual ~line_follower() = default;
  virtual void on_line() = 0;
};

class line_feed : public std::enable_shared_from_this<line_feed> {
public:
  /// The line that tells a reader how many he has missed.
  using notice = std::function<std::string(std::uint64_t lost)>;

  line_feed(reactor& loop, line_ring ring, notice missed)
      : loop_(loop), ring_(std::move(ring)), missed_(std::move(missed)) {}

  /// From any thread; with its newline.
  void append(std::string line);

  // In the reactor's thread only:
  const line_ring& ring() const { return ring_; }
  std::string missed(std::uint64_t lost) const { return missed_(lost); }
  void join(const std::shared_ptr<line_follower>& who);
  void leave(const line_follower* who);

private:
  reactor& loop_;
  line_ring ring_;
  notice missed_;
  std::vector<std::shared_ptr<line_follower>> followers_;
};

} // namespace banger::io
