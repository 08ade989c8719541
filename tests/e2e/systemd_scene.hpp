// The VM `w` of tests with an init of its own.
#pragma once

#include "tests/support/home.hpp"

namespace banger::test {

inline constexpr milliseconds systemd_time{240'000};

inline std::string in_guest(home& h, const std::string& script) {
  return h.good({"vm", "exec", "w", "--", "sh", "-c", script});
}

} // namespace banger::test
