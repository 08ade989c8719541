// What people type after a flag, turned into numbers. Every error names the flag and the rule.
#pragma once

#include "cli/sizing.hpp"
#include "messages/base/error.hpp"
#include "messages/base/names.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace banger::cli {

/// What argument parsing needs to know of the world around it.
struct surroundings {
  host_limits host;
  const char* (*env)(const char* name) = nullptr; ///< as std::getenv
  config::settings config;
  bool emulated = true;                        ///< no VM is known to have run under KVM here
  bool typed_input = true, seen_output = true; ///< standard input, output are terminals
};
/// Without what is in files: the configuration, and whether KVM works.
surroundings this_host();
/// A guest has booted under KVM here, as the daemon noted in its cache. A /dev/kvm is no proof.
bool kvm_is_proven(const std::filesystem::path& cache);
/// No particular host: what is said then holds everywhere, as in a manual.
surroundings any_host();

expected<std::int64_t> vcpu_value(std::string_view text, const host_limits& host);
/// A bare number means MiB, else a size in whole MiB.
expected<std::int64_t> memory_value(std::string_view text, const host_limits& host);
expected<std::uint64_t> disk_value(std::string_view text);
/// `NAME=value` as it is; `NAME` gets its value from our own environment.
expected<std::string> env_value(const std::string& text, const surroundings& around);
expected<std::string> cwd_value(const std::string& text);
/// A signal for a hypervisor (`parse_signal`), as it was written.
expected<std::string> signal_value(std::string_view text);
/// What a command with a terminal must know of ours: TERM and COLORTERM, unless `given` has them.
/// Where TERM is not set, nothing is known of the terminal, and it is a dumb one.
std::vector<std::string> terminal_env(const std::vector<std::string>& given,
                                      const surroundings& around);
/// No word at all is a login shell.
expected<void> check_command(const std::vector<std::string>& argv);

} // namespace banger::cli
