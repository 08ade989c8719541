// /etc/banger/install.toml: for whom banger was installed. The root helper reads it when
// it starts without --owner-uid. No CAF.
//
//   [owner]
//   user = "alice"
//   uid = 1000
//   gid = 1000
//   home = "/home/alice"
//
//   [build]
//   version = "0.3.0"
//   commit = "0123abc"
//   built_at = 2026-01-31T12:00:00Z
//
//   [install]
//   installed_at = 2026-02-01T08:30:00Z
//
//   [ids]                    # users and groups that nobody is but hypervisors
//   first = 1879048192
//   count = 65536
#pragma once

#include "messages/base/error.hpp"
#include "privhelper/rules/strong.hpp"

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>

namespace banger::helper {

inline constexpr const char* install_file = "/etc/banger/install.toml";

/// Ids below this belong to people and services of the host.
inline constexpr std::uint32_t least_first_id = 65536;
inline constexpr std::uint32_t most_ids = 0x10000000;

struct install {
  std::string user;           ///< of the owner; 1 to 32 of a-z, 0-9, '_', '-', '.'
  std::uint32_t uid = 0;      ///< of the owner; never 0
  std::uint32_t gid = 0;      ///< of the owner; never 0
  std::filesystem::path home; ///< of the owner; absolute, without . and ..
  std::string version, commit;
  std::chrono::sys_seconds built_at, installed_at;
  id_range ids; ///< without the owner's uid and gid

  friend bool operator==(const install&, const install&) = default;
};

/// Every key must be there, and no other. `bad_request`: "FILE:LINE:COLUMN: KEY", what is wrong,
/// and what to do.
expected<install> parse_install(std::string_view text, const std::filesystem::path& file);

/// The text that is read as `i`.
std::string to_toml(const install& i);

/// Reads the file. `not_found`: banger is not installed. `unauthorized`: file or folder belong to
/// somebody else than `trusted`, or others may write them.
expected<install> load_install(const std::filesystem::path& file = install_file, uid_t trusted = 0);

} // namespace banger::helper
