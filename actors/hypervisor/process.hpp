// Which process is it, really: a pid alone is reused, a pid with its start time and the host's boot
// id is not. The functions of machine.hpp that ask or end a process are here too.
#pragma once

#include "actors/hypervisor/machine.hpp"

namespace banger::hypervisor {

/// Of the running host; empty where /proc does not tell.
std::string host_boot_id();

/// The identity of the process that has this pid now. `not_found`.
expected<process_id> identify(std::uint32_t pid);

/// A descriptor of that very process. `not_found`: it is gone, or the pid is another's now.
expected<unique_fd> open_process(const process_id& process);

inline constexpr const char* identity_file = "process"; ///< in the machine's folder
inline constexpr const char* log_file = "qemu.log";     ///< in the machine's folder

/// What the identity file holds.
struct process_record {
  process_id process;
  std::string confinement;
};

/// Written beside and renamed over: a reader sees all or nothing.
expected<void> write_record(const std::filesystem::path& file, const process_record& record);
expected<process_record> read_record(const std::filesystem::path& file);

} // namespace banger::hypervisor
