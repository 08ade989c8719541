// The command line of banger-privhelper, and what install.toml says where that is silent.
#pragma once

#include "messages/base/error.hpp"
#include "privhelper/confinement.hpp"
#include "privhelper/rules/rule.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace banger::helper {

struct options {
  std::vector<role> roles;
  std::filesystem::path socket_dir = "/run/banger";
  bounds limits; ///< the owner among them; his uid is never 0
  bool version = false;
  int exit_code = -1; ///< after --help or a mistake; below 0: go on
};

/// Says on stderr what is wrong with it, and ends with 2 then.
options parse_options(int argc, char** argv);

} // namespace banger::helper
