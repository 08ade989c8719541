// Folders of VMs that no record knows, as a loss of power or an older copy of the database leaves
// them. A daemon names them and leaves them alone until somebody takes them back or removes them.
#pragma once

#include "actors/vm/record.hpp"
#include "messages/models.hpp"

#include <filesystem>
#include <optional>

namespace banger::vms {

struct orphan {
  messages::orphan_view view;   ///< its folder is empty: there is none
  std::optional<vm::record> vm; ///< what its vm.json makes of it; none: `view.problem` says why
};

/// Blocks for as long as the file system does. `images`: the folder that root disks may stand on.
orphan look_at_orphan(const std::filesystem::path& folder, const std::filesystem::path& images);

/// For good, and on the disk when it answers. `not_found`; `busy`: its hypervisor runs.
expected<void> remove_orphan(const std::filesystem::path& folder);

} // namespace banger::vms
