// Keeps from toml++ the texts that it cannot take: it assumes some things of its input, instead of
// checking them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace banger::config {

/// Why a text is refused, and where; both counted from 1, the column in bytes.
struct toml_fault {
  std::size_t line = 1, column = 1;
  std::string why;
};

/// The first place in the text that toml++ must not see: a character beyond ASCII outside of
/// strings and comments, a table whose name does not begin as names do, a string of several lines.
std::optional<toml_fault> unfit_for_toml(std::string_view text);

} // namespace banger::config
