// vm.json in a VM's folder: of it the VM's record is made again where the database has none. On the
// disk before a create or a start is answered.
#pragma once

#include "actors/vm/record.hpp"

#include <filesystem>

namespace banger::vm {

inline constexpr const char* vm_file_name = "vm.json";

struct vm_file {
  record vm;           ///< at rest, without what was measured
  std::string boot_id; ///< of the host, when the file was written
};

/// Nothing to do if the file says the same already, whatever its boot id. `durable`: it is on the
/// disk when this answers; else that is the caller's to see to.
expected<void> write_vm_file(const record& r, const std::filesystem::path& folder,
                             const std::string& boot_id, bool durable);

/// `not_found`; `corrupted`: torn, written for another folder, or of a newer banger.
expected<vm_file> read_vm_file(const std::filesystem::path& folder);

/// `corrupted` names the first disk that is missing, empty or not what its name says.
expected<void> check_disks(const record& r, const std::filesystem::path& folder);

} // namespace banger::vm
