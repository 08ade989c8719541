// QEMU's machine protocol: one JSON object a line. The conversation is pure: bytes in, bytes out by
// a function, no descriptor.
#pragma once

#include "messages/base/error.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace banger::io::qmp {

struct message {
  enum class kind : std::uint8_t { greeting, result, error, event };
  kind what = kind::event;
  std::uint64_t id = 0; ///< of the command that this answers; 0: none
  std::string name;     ///< name of the event, class of the error
  std::string body; ///< JSON: the return value or the event's data; for an error its description
};

/// `corrupted`: not an object that QMP knows.
expected<message> parse_line(std::string_view line);

inline constexpr std::size_t longest_line = std::size_t{256} * 1024;
inline constexpr std::size_t most_waiting = 64;

/// From greeting to end. Commands that come before the greeting wait for it. After anything that is
/// not QMP it is `dead()`, and every waiting command has failed.
class conversation {
public:
  using reply = std::function<void(expected<std::string>)>; ///< JSON of the return value

  explicit conversation(std::function<void(std::string)> send) : send_(std::move(send)) {}

  /// `arguments` is a JSON object or empty. Errors: `busy` (64 wait already), `disconnected`, and
  /// `operation_failed` with QEMU's own words.
  void command(std::string_view name, std::string_view arguments, reply on_reply);
  void feed(std::string_view bytes);
  /// The peer is gone or nonsense: tells all who wait.
  void end(std::string why);

  bool ready() const { return stage_ == stage::ready; }
  bool dead() const { return stage_ == stage::dead; }
  const std::string& why_dead() const { return why_; }

  std::function<void(const message&)> on_event;

private:
  enum class stage : std::uint8_t { greeting, capabilities, ready, dead };

  void take(const message& m);
  void answer(const message& m);

  std::function<void(std::string)> send_;
  stage stage_ = stage::greeting;
  std::string line_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, reply> waiting_;
  std::vector<std::string> unsent_; ///< until the capabilities are negotiated
  std::string why_;
};

} // namespace banger::io::qmp
