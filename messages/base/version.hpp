// What this build is. The CLI and the daemon compare it in their handshake.
#pragma once

#include <cstdint>
#include <string>

namespace banger {

/// Bumped when an actor interface or a wire struct changes.
inline constexpr std::uint32_t protocol_version = 5;

struct build_info {
  std::string version;      ///< "0.2.0"
  std::string commit;       ///< short hash, "unknown" outside a checkout
  std::uint64_t number = 0; ///< commit time in seconds; orders builds of one version
};

const build_info& this_build();

/// True when `a` was built from later sources than `b`: by version, then by number.
bool newer(const build_info& a, const build_info& b);

} // namespace banger
