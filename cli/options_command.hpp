// The verbs whose words end in a command, or in a shell.
#pragma once

#include "cli/options.hpp"

namespace banger::cli {

expected<command> parse_run(const std::vector<std::string>& words, const surroundings& around);
expected<command> parse_set(const std::vector<std::string>& words, const surroundings& around);
expected<command> parse_rename(const std::vector<std::string>& words, const surroundings& around);
expected<command> parse_touch(const std::vector<std::string>& words, const surroundings& around);
expected<command> parse_exec(const std::vector<std::string>& words, const surroundings& around);
expected<command> parse_shell(const std::vector<std::string>& words, const surroundings& around);

} // namespace banger::cli
