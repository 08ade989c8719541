// toml++ as we use it: without exceptions, and safe with any bytes. Slow to compile: for the files
// that parse, and no other.
#pragma once

#include "messages/config/toml_text.hpp"

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

/// The only way to its parser.
inline tl::expected<toml::table, toml_fault> parse_toml(std::string_view text) {
  if (auto unfit = unfit_for_toml(text))
    return tl::unexpected(std::move(*unfit));
  auto parsed = toml::parse(text);
  if (parsed)
    return std::move(parsed).table();
  const auto& at = parsed.error().source().begin;
  return tl::unexpected(toml_fault{at.line, at.column, std::string(parsed.error().description())});
}

} // namespace banger::config
