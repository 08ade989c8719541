// For tests: the daemon dies, stops or fails at a named moment. Armed once, by the environment
// variable BANGER_FAILPOINT, before any thread is there; while it is not, a moment costs one look
// at a pointer.
#pragma once

#include "messages/base/error.hpp"

#include <atomic>
#include <deque>
#include <string>
#include <string_view>

namespace banger::work {

enum class moment : std::uint8_t { before, after, before_undo, after_undo };
std::string_view to_string(moment m);

/// What happens there: SIGKILL or SIGSTOP for this very process, or an error as of a full disk.
enum class mishap : std::uint8_t { kill, stop, fail };

/// SCOPE/NAME/MOMENT:MISHAP, as `create/launch/after:kill` or `store/*/before#3:kill`. The scope is
/// a verb and the name its step, or `store` and the name a commit; `*` fits every name. `#N` is the
/// N-th time that it comes by there, and only that one; without it the first.
struct failpoint {
  std::string scope, name;
  moment at = moment::before;
  mishap what = mishap::kill;
  unsigned countdown = 1;
};

/// Several are parted by commas. Pure. `bad_request` shows the part that is wrong.
expected<std::deque<failpoint>> parse_failpoints(std::string_view text);

/// `text` may be null. Once, before threads. `bad_request` as above.
expected<void> arm_failpoints(const char* text);

/// What of `armed` happens at this moment, if anything does. Counts down.
class trap {
public:
  explicit trap(const std::deque<failpoint>& points);
  const failpoint* spring(std::string_view scope, std::string_view name, moment at);

private:
  struct armed {
    failpoint point;
    std::atomic<unsigned> left;
    explicit armed(const failpoint& p) : point(p), left(p.countdown) {}
  };
  std::deque<armed> points_; ///< a deque: an atomic does not move
};

namespace detail {
extern trap* armed_trap; ///< null unless armed
expected<void> suffer(std::string_view scope, std::string_view name, moment at);
} // namespace detail

/// Said by those who have effects: the machine around each step, the store around each commit, the
/// root helper around each order.
inline expected<void> pass(std::string_view scope, std::string_view name, moment at) {
  return detail::armed_trap == nullptr ? expected<void>{} : detail::suffer(scope, name, at);
}

} // namespace banger::work
