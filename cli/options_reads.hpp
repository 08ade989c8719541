// The verbs that look at VMs, and the one that tidies up after a look.
#pragma once

#include "cli/options.hpp"

namespace banger::cli {

/// Refuses `-q` beside `--json`.
expected<void> ids_or_json(bool quiet, bool json);

expected<command> parse_ps(const std::vector<std::string>& words, const surroundings& around);
expected<command> parse_stats(const std::vector<std::string>& words, const surroundings& around);
expected<command> parse_ports(const std::vector<std::string>& words, const surroundings& around);
expected<command> parse_health(const std::vector<std::string>& words, const surroundings& around);
expected<command> parse_console(const std::vector<std::string>& words, const surroundings& around);
expected<command> parse_adopt(const std::vector<std::string>& words, const surroundings& around);
expected<command> parse_prune(const std::vector<std::string>& words, const surroundings& around);

} // namespace banger::cli
