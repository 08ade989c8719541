#include "messages/base/version.hpp"

#include <array>
#include <cstdio>
#include <tuple>

namespace banger {

namespace {

std::tuple<unsigned, unsigned, unsigned> parts(const std::string& version) {
  unsigned major = 0, minor = 0, patch = 0;
  // A version that cannot be read is older than any other.
  if (std::sscanf(version.c_str(), "%u.%u.%u", &major, &minor, &patch) != 3)
    return {0, 0, 0};
  return {major, minor, patch};
}

} // namespace

bool newer(const build_info& a, const build_info& b) {
  const auto left = parts(a.version), right = parts(b.version);
  return left != right ? left > right : a.number > b.number;
}

} // namespace banger
