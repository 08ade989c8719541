// Catch2 as our tests use it, of both releases that distributions ship: 2.13 is one header, 3 is a
// library whose string matchers have a namespace of their own.
#pragma once

#if __has_include(<catch2/catch_test_macros.hpp>)

#  include <catch2/catch_test_macros.hpp>
#  include <catch2/generators/catch_generators.hpp>
#  include <catch2/matchers/catch_matchers_string.hpp>

namespace Catch {
using Matchers::EndsWith;
using Matchers::Matches;
using Matchers::StartsWith;

/// In 3 this name is a matcher of ranges.
inline Matchers::StringContainsMatcher Contains(const std::string& part) {
  return Matchers::ContainsSubstring(part);
}
} // namespace Catch

#else
#  include <catch2/catch.hpp>
#endif
