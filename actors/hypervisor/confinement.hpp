// What a hypervisor is left with: decided by the daemon as data, put on by the child.
#pragma once

#include "actors/hypervisor/machine.hpp"
#include "messages/base/landlock.hpp"

#include <string>
#include <sys/types.h>
#include <vector>

namespace banger::hypervisor {

/// Whom the hypervisor runs as.
struct run_as {
  bool change = false; ///< false: as the daemon itself
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups; ///< only what a device of the plan asks for
  std::string why_root = {}; ///< for people, where root stays root
};

/// First and number of the user ids that belong to VMMs when the daemon is root. Nobody else uses
/// this range (systemd's table of uids calls it unused).
inline constexpr std::uint32_t first_vm_uid = 0x70000000;
inline constexpr std::uint32_t vm_uid_count = 0x0fffff00;

/// The same for the same folder, always; two folders share one with a chance of 1 : 268 million.
std::uint32_t vm_uid(const std::filesystem::path& folder);

/// An unprivileged user for this plan if the daemon is root, else the daemon's own. Root stays root
/// where no other user exists, and where it may not become one or end its processes: in a container
/// without CAP_SETUID, CAP_SETGID or CAP_KILL.
run_as choose_user(const launch_plan& plan);

/// What of the file system the hypervisor needs: itself, its libraries and firmware, and the plan's
/// paths.
landlock_rules file_rules(const launch_plan& plan);

/// Which of the bars really hold: the child reports what worked.
enum bar : std::uint32_t {
  bar_landlock = 1U << 0,
  bar_network = 1U << 1, ///< a network namespace of its own, empty
  bar_user = 1U << 2,    ///< another user than the daemon's
  bar_seccomp = 1U << 3, ///< the hypervisor's own filter, asked for on its command line
};

/// "landlock ABI 7, seccomp, own network namespace, uid 1879048192".
std::string describe_confinement(std::uint32_t bars, int abi, const run_as& user);

} // namespace banger::hypervisor
