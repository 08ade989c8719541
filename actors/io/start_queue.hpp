// Commands whose `open_body` is longer than a frame, on their way into the guest: one after the
// other, in pieces, as the channel has room. The guest has to hold one at a time.
#pragma once

#include "messages/base/error.hpp"
#include "messages/guest/protocol.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

namespace banger::io {

class start_queue {
public:
  using send = std::function<void(const guest::header&, std::string_view)>;

  /// May a command of so many bytes be sent to a guest that speaks this protocol? `bad_request`:
  /// longer than Linux takes; `bad_version`, `busy`: too many wait.
  expected<void> admit(std::size_t open, std::uint32_t protocol) const;
  void add(std::uint32_t session, std::string body);
  /// What the guest has of it already is replaced by the next one's.
  void drop(std::uint32_t session);
  void clear();
  bool empty() const { return waiting_.empty(); }
  /// Sends the next `part`, or the `open` that ends one. There must be one.
  void send_next(const send& out);

private:
  static constexpr std::size_t most_bytes = std::size_t{64} * 1024 * 1024;

  struct start {
    std::uint32_t session = 0;
    std::string body;
  };

  std::deque<start> waiting_;
  std::size_t at_ = 0; ///< sent of the first one
  std::size_t bytes_ = 0;
};

} // namespace banger::io
