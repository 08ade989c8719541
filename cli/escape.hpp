// What somebody types in a terminal session, minus what is meant for us: after a newline, an escape
// character begins a word of ours, as in ssh. Pure.
#pragma once

#include "messages/base/error.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace banger::cli {

inline constexpr char default_escape = '~';

/// A character, or "none". `bad_request`.
expected<std::optional<char>> escape_value(std::string_view text);

enum class escape_act : std::uint8_t {
  none,
  leave,   ///< `~.`
  suspend, ///< `~^Z`
  help,    ///< `~?`
};

class escape_filter {
public:
  explicit escape_filter(std::optional<char> escape) : escape_(escape) {}

  /// Takes bytes from the front of `typed` and appends what the guest gets, until there are no more
  /// or an act is wanted. The guest may get one byte more than was typed: an escape character that
  /// was held back.
  escape_act feed(std::string_view& typed, std::string& to_guest);

  /// For people, lines ended by "\r\n".
  std::string help() const;

private:
  escape_act finish(char c, std::string& to_guest);
  void pass(char c, std::string& to_guest);

  std::optional<char> escape_;
  bool line_begins_ = true;
  bool held_ = false; ///< the escape character has come, and waits for the next one
};

} // namespace banger::cli
