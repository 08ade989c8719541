// Tells when the host's wall clock was set, also by its wake from a suspend. Costs no wake-up else.
#pragma once

#include "messages/base/unique_fd.hpp"

#include <functional>

namespace banger::io {

class reactor;

/// In the reactor's thread.
class clock_watch {
public:
  clock_watch(reactor& loop, std::function<void()> on_set)
      : loop_(loop), on_set_(std::move(on_set)) {}

  /// False: this kernel does not tell.
  bool start();
  void stop();

private:
  void on_ready();

  reactor& loop_;
  std::function<void()> on_set_;
  unique_fd timer_;
};

} // namespace banger::io
