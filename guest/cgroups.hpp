// One cgroup per command, so that all of it can be ended at once. Nothing here fails: where there
// is no cgroup2, the process group has to do.
#pragma once

#include <cstdint>
#include <string>

namespace banger::guest {

/// After cgroup2 was mounted on /sys/fs/cgroup.
void prepare_cgroups();
/// Instead of it, for another agent of the same boot: ends the commands of the one that was killed,
/// but not what commands left behind when they had ended.
void resume_cgroups();
/// The path of a new group, or nothing.
std::string make_cgroup(std::uint32_t id);
/// SIGKILL to all of it. False if there is no such group.
bool kill_cgroup(const std::string& path);
/// Now, or later if there are processes in it that were left behind.
void remove_cgroup(std::string path);

} // namespace banger::guest
