// toml++ as we use it: without exceptions, and safe with any bytes. Slow to compile: for the files
// that parse, and no other.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_ENABLE_WINDOWS_COMPAT 0
// Its assertions are followed by code that handles what they deny; without NDEBUG they are no
// promise to the compiler.
#undef NDEBUG
#define TOML_ASSERT(expr) static_assert(true)
#include <toml++/toml.h>

namespace banger::config {

/// Why a text is refused, and where; both counted from 1, the column in bytes.
struct toml_fault {
  std::size_t line = 1, column = 1;
  std::string why;
};

/// The only way to its parser. Characters beyond ASCII are taken in strings and comments; the
/// columns in the table, too, are counted in bytes. A byte order mark at the start counts as none.
tl::expected<toml::table, toml_fault> parse_toml(std::string_view text);

} // namespace banger::config
