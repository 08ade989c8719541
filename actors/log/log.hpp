// The daemon's log: one JSON object a line, written with one write(2) to a file opened O_APPEND, so
// that threads, and two daemons during a hand-over, share it without a lock.
//
//   log::info({.op = op, .vm = name}, "vm_started", {{"pid", pid}, {"text", "booted in 1.4 s"}});
//   {"ts":"2026-01-02T03:04:05.678Z","level":"info","op":"op-1a2b3c","vm":"a",
//    "event":"vm_started","pid":77,"text":"booted in 1.4 s"}
#pragma once

#include "messages/base/error.hpp"

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace banger::log {

enum class level : std::uint8_t { debug, info, warn, error };

/// "debug", "info", "warn" or "error"; anything else is `bad_request`.
expected<level> parse_level(std::string_view text);
std::string_view to_string(level l);

/// What a line is about; empty members are left out.
struct about {
  std::string_view op = {};
  std::string_view vm = {};
};

/// A further member of the object. Texts are cut after 4 KiB; bytes that are not UTF-8 become
/// U+FFFD.
struct field {
  using value_type = std::variant<std::string_view, std::int64_t, std::uint64_t, bool>;

  field(std::string_view k, std::string_view v) : key(k), value(v) {}
  field(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  field(std::string_view k, bool v) : key(k), value(v) {}
  template <std::signed_integral T>
  field(std::string_view k, T v) : key(k), value(static_cast<std::int64_t>(v)) {}
  template <std::unsigned_integral T>
  field(std::string_view k, T v) : key(k), value(static_cast<std::uint64_t>(v)) {}

  std::string_view key;
  value_type value;
};

struct options {
  std::filesystem::path file; ///< made with mode 0600
  int descriptor = -1;        ///< in place of a file: stderr, say, which somebody else looks after
  level least = level::info;
  std::uint64_t max_bytes =
      std::uint64_t{4} * 1024 * 1024; ///< then `file` moves to `file`.1; never more than twice that
};

/// Once, early in main. Until then, and if it fails, lines go nowhere. `operation_failed`: errno.
expected<void> open(const options& o);

/// Cheap: callers may ask before they gather expensive fields.
bool enabled(level l);

/// From any thread. `event` is a fixed name for programs; a sentence for people goes into a `text`
/// field.
void write(level l, const about& a, std::string_view event,
           std::initializer_list<field> fields = {});

inline void debug(const about& a, std::string_view event,
                  std::initializer_list<field> fields = {}) {
  write(level::debug, a, event, fields);
}
inline void info(const about& a, std::string_view event, std::initializer_list<field> fields = {}) {
  write(level::info, a, event, fields);
}
inline void warn(const about& a, std::string_view event, std::initializer_list<field> fields = {}) {
  write(level::warn, a, event, fields);
}
inline void error(const about& a, std::string_view event,
                  std::initializer_list<field> fields = {}) {
  write(level::error, a, event, fields);
}

/// A failure as an error line: its code, and `describe` as text; `op` from the failure if `a` has
/// none.
void failed(const about& a, std::string_view event, const failure& f);

/// The line without the newline, for tests. `unix_ms`: milliseconds since the Unix epoch.
std::string format(std::int64_t unix_ms, level l, const about& a, std::string_view event,
                   std::initializer_list<field> fields);

} // namespace banger::log
