// Manual pages in roff (man macros), from the table of commands. Pure.
#pragma once

#include <string>
#include <vector>

namespace banger::cli {

struct manual_page {
  std::string file; ///< "banger-vm.1"
  std::string text;
};

/// `banger.1`, one page for each group, and `banger-config.5`. They are about any host.
std::vector<manual_page> manual_pages();

} // namespace banger::cli
