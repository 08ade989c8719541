// What the root helper gives up before it serves: rights that its role does not need, and system
// calls. For good; what it starts afterwards has no more than it.
#pragma once

#include "messages/base/error.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace banger::helper {

enum class role : std::uint8_t { network, machine };
std::string_view to_string(role r); ///< "network", "machine"

/// Gives up all of it: capabilities, then files, then system calls. Call it before there is a
/// second thread (CAF's, a server's for descriptors), since those that are there keep their
/// capabilities, and after sockets were made and given to the owner. `unavailable`: the process
/// lacks a capability of its role, or the kernel has no seccomp. `bad_request`: there are other
/// threads. After an error some rights may be gone: end. `sockets`: the folder where they are; left
/// out of the rules if it does not exist.
expected<void> confine(role r, const std::filesystem::path& sockets);

/// The first part. Effective, permitted and bounding set are what the role needs; inheritable and
/// ambient set are empty; no program that is executed gets more (no_new_privs).
expected<void> drop_capabilities(role r);

/// The second part, by Landlock, after the first: everything may be read, and hardly anything be
/// executed, written, made or removed. What was opened before stays open. Where the kernel has no
/// Landlock (`landlock_abi() == 0`) nothing happens.
expected<void> limit_files(role r, const std::filesystem::path& sockets);

/// The third part. `network`: calls that are not listed fail with EPERM. Not by a signal: a
/// library that tries something shall go on without it, and nobody shall be able to end the helper
/// in the middle of a change. `machine`: its hypervisors inherit the filter and bring their own, so
/// only calls that none of them needs fail.
expected<void> filter_system_calls(role r);

/// As capabilities(7) has them: "CAP_NET_ADMIN".
std::vector<std::string> capabilities_of(role r);

/// As docs/privileges.md shows them: capabilities and system calls of each role, in Markdown.
std::string describe_confinement();

} // namespace banger::helper
