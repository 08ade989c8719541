// Several references against one snapshot of the VMs, by the daemon's rules: exact id, exact name,
// then a beginning of either that fits one VM only.
#pragma once

#include "messages/base/error.hpp"
#include "messages/models.hpp"

#include <string>
#include <vector>

namespace banger::cli {

struct target {
  std::string ref; ///< as it was typed
  expected<messages::vm_view> vm;
};

/// In the order of `refs`; a VM that is named twice appears once. `not_found`, `ambiguous` for each
/// that fits none or several.
std::vector<target> resolve(const std::vector<std::string>& refs,
                            const std::vector<messages::vm_view>& vms);

} // namespace banger::cli
