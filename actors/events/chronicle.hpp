// From what operations and VMs say to events: who did what, and how long each step took. Pure.
#pragma once

#include "messages/models.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace banger::events {

/// One thing that happened. What has no meaning for its kind is empty and is not told.
struct event {
  std::string what;  ///< begin | step | end | state | actor
  std::string op;    ///< of begin, step, end
  std::string kind;  ///< of the operation: vm.start, image.build, ...
  std::string actor; ///< vm/NAME, image/NAME
  std::string step;  ///< of `step`: it has ended
  std::string state; ///< of `end`: done | failed | cancelled; of `state`: the VM's; of `actor`:
                     ///< died | restarted | gone
  std::uint64_t duration_us = 0; ///< of step and end
  messages::error_info error;    ///< of an end that is no success; why an actor died
};

/// As a JSON object in one line, with its newline. Times are milliseconds of the Unix epoch.
std::string to_line(const event& e, std::uint64_t number, std::uint64_t time_ms);
/// What a reader is told who has missed so many.
std::string lost_line(std::uint64_t count, std::uint64_t time_ms);

/// "vm/otter" of "vm.start" and "otter".
std::string actor_of(std::string_view kind, std::string_view target);

class chronicle {
public:
  /// `now_us` is any steady clock.
  event begun(const std::string& op, const std::string& kind, const std::string& target,
              std::uint64_t now_us);
  /// The step that ended, if one did: a stage ends where the next one begins.
  std::vector<event> heard(const messages::progress& news);
  /// The step that ran, then the end. Nothing if the operation is not known.
  std::vector<event> ended(const messages::finished& end, std::uint64_t now_us);

  std::size_t running() const { return running_.size(); }

private:
  struct operation {
    std::string kind, actor, step;
    std::uint64_t began_us = 0;      ///< by the caller's clock
    std::uint64_t step_began_us = 0; ///< since the operation began
  };

  static event step_of(const std::string& op, const operation& o, std::uint64_t until_us);

  std::map<std::string, operation> running_;
};

} // namespace banger::events
