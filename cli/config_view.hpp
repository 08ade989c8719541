// What holds for each key of config.toml, and where it comes from. Pure.
#pragma once

#include "cli/values.hpp"

#include <string>
#include <vector>

namespace banger::cli {

struct effective {
  std::string key, value;
  std::string from; ///< "config.toml", "BANGER_LOG_LEVEL", "builtin", "host, 8 CPUs / 4"
};

std::vector<effective> effective_config(const surroundings& around);

std::string config_page(const surroundings& around);
std::string config_json(const surroundings& around);

} // namespace banger::cli
