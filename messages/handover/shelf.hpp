// Descriptors that wait to be fetched. Knows no threads and no sockets; time is told to it.
#pragma once

#include "messages/base/unique_fd.hpp"
#include "messages/handover/packets.hpp"
#include "messages/transport/socket.hpp"

#include <chrono>
#include <map>
#include <vector>

namespace banger::handover {

using clock = std::chrono::steady_clock;
using descriptors = std::vector<unique_fd>;

class shelf {
public:
  shelf(std::chrono::milliseconds life, std::size_t most) : life_(life), most_(most) {}

  /// `bad_request`: none, more than 64, or `to` is nobody. `busy`: more would wait than may. What
  /// was not taken is closed.
  expected<token> put(descriptors fds, local::peer to, clock::time_point now);

  /// What is behind the token, once, and for nobody else than it was put there for. Empty: nothing.
  descriptors take(const token& shown, local::peer by, clock::time_point now);

  /// Is there anything for this process?
  bool expects(local::peer who, clock::time_point now) const;

  /// What nobody came for, to be closed.
  std::vector<descriptors> expire(clock::time_point now);

  /// When the next one expires; `max()`: none is there.
  clock::time_point next() const;
  std::size_t held() const { return held_; } ///< descriptors

private:
  struct offer {
    local::peer to;
    clock::time_point until;
    descriptors fds;
  };

  std::chrono::milliseconds life_;
  std::size_t most_, held_ = 0;
  std::map<token, offer> offers_;
};

} // namespace banger::handover
