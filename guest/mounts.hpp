// From the initramfs into the image: what is mounted where, in the order in which it must be.
#pragma once

#include "guest/result.hpp"
#include "messages/guest/protocol.hpp"

#include <string>
#include <vector>

namespace banger::guest {

/// What went wrong without being fatal, for people.
using notes = std::vector<std::string>;

/// /proc, /sys and /dev of the initramfs.
done mount_early();

/// Mounts `root`, or the overlay of `base` and `upper`, and makes it the root of this process.
/// Afterwards proc, sys, dev and run are there, and the layers of an overlay in /run/banger.
done enter_root(const std::vector<disk_body>& disks);

/// What a program expects beside them: pts, shm, cgroup2; with `whole` also a tmpfs on /tmp.
/// Otherwise /tmp is as the image has it, emptied now where systemd would do it later, under
/// running commands.
void mount_common(bool whole, notes& said);

/// The work disk on /root, grown to its device. Answers its bytes, 0 if there is none.
std::uint64_t mount_work(const std::vector<disk_body>& disks, notes& said);
/// The kernel's modules, unless the image has them.
void mount_modules(const std::vector<disk_body>& disks, notes& said);
/// What containers keep cannot lie on an overlay: it is bound from the layer below.
void bind_container_stores(const std::vector<disk_body>& disks, notes& said);

const disk_body* find_role(const std::vector<disk_body>& disks, disk_role role);
/// Where a disk of this role is mounted after all of this; empty if it does not grow.
std::string mount_point_of(disk_role role);

} // namespace banger::guest
