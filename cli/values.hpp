// What people type after a flag, turned into numbers. Every error names the flag and the rule.
#pragma once

#include "messages/base/error.hpp"
#include "messages/base/names.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace banger::cli {

/// The image of a VM when none is named, and what it is happy with.
inline constexpr const char* default_image = "tiny";
inline constexpr std::uint64_t tiny_memory_mib = 256;
inline constexpr std::uint64_t default_disk_bytes = 8 * GiB;

/// What argument parsing needs to know of the world around it.
struct surroundings {
  host_limits host;
  const char* (*env)(const char* name) = nullptr; ///< as std::getenv
};
surroundings this_host();

/// Sizes that a VM gets when its flags say nothing.
std::int64_t default_vcpu(const host_limits& host);
std::int64_t default_memory_mib(const host_limits& host, std::string_view image);

expected<std::int64_t> vcpu_value(std::string_view text, const host_limits& host);
/// A bare number means MiB, else a size in whole MiB.
expected<std::int64_t> memory_value(std::string_view text, const host_limits& host);
expected<std::uint64_t> disk_value(std::string_view text);
/// `NAME=value` as it is; `NAME` gets its value from our own environment.
expected<std::string> env_value(const std::string& text, const surroundings& around);
expected<std::string> cwd_value(const std::string& text);
/// Command, environment and folder travel in one frame, so their sum has a bound.
expected<void> check_command(const std::vector<std::string>& argv,
                             const std::vector<std::string>& env);

} // namespace banger::cli
