// Values of the root helper's that are inside their rules, beside those of messages/base.
#pragma once

#include "messages/base/names.hpp"

#include <sys/types.h>

namespace banger::helper {

/// Ids of users that nobody has but hypervisors: `first` and the `count - 1` after it. They are
/// ids of groups, too.
struct id_range {
  std::uint32_t first = 0, count = 0;

  bool contains(std::uint32_t id) const { return id >= first && id - first < count; }
  friend bool operator==(const id_range&, const id_range&) = default;
};

/// `op-` and 10 of 0-9 and a-f, or empty: outside operations.
struct operation_id_grammar {
  static expected<void> check(std::string_view text);
};
using operation_id = strong_name<operation_id_grammar>;

/// What a path shall lead to.
enum class thing : std::uint8_t { file, folder, socket };
std::string_view to_string(thing what);

/// A path below the owner's state folder, relative to it. Only its text has been looked at:
/// privhelper/paths opens it, and looks at what is there.
class managed_path {
public:
  /// Relative, or absolute below `state`. `bad_request`: empty, longer than 1024 bytes, elsewhere,
  /// with an empty, `.` or `..` component, one longer than 255 bytes, or with control characters.
  static expected<managed_path> parse(std::string_view text, thing what, std::string_view state);

  const std::string& str() const { return text_; }
  thing what() const { return what_; }
  /// Whether it is in `folder`, at any depth.
  bool is_below(std::string_view folder) const;
  friend bool operator==(const managed_path&, const managed_path&) = default;
  friend auto operator<=>(const managed_path&, const managed_path&) = default;

private:
  managed_path(std::string text, thing what) : text_(std::move(text)), what_(what) {}
  std::string text_;
  thing what_;
};

inline constexpr std::size_t longest_path = 1024, longest_component = 255; ///< bytes

/// For people: at most 32 characters, and none that a terminal obeys.
std::string clean(std::string_view text);

} // namespace banger::helper
