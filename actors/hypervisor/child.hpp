// The child's side of a start: everything between fork and exec, as a list of prepared values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <sys/types.h>

namespace banger::hypervisor {

/// Stages in the order they happen; told with the errno when one fails.
enum class stage : std::int32_t {
  fork,
  descriptors,
  session,
  limits,
  user,
  privileges,
  landlock,
  ready, ///< no failure: confined, waits for the word to go
  exec,
};

/// What the child says. The end of the conversation after `ready` and the word to go: it runs.
struct child_report {
  stage at = stage::fork;
  std::int32_t error = 0;
  std::int32_t pid = 0;
  std::uint32_t bars = 0; ///< enum bar
};

struct child_descriptor {
  int number = -1; ///< in the hypervisor
  int source = -1;
};

/// Prepared before the fork: after it nothing may allocate, since the daemon has threads.
struct child_plan {
  const char* const* argv = nullptr;
  const char* const* environment = nullptr;
  child_descriptor* descriptors = nullptr; ///< `source` is overwritten
  std::size_t descriptor_count = 0;
  int null = -1, log = -1;
  int talk = -1;    ///< SEQPACKET: reports go out, one byte comes in
  int ending = -1;  ///< the wait status goes out when the hypervisor has ended
  int ruleset = -1; ///< -1: no Landlock
  bool own_network = false;
  bool change_user = false;
  uid_t uid = 0;
  gid_t gid = 0;
  const gid_t* groups = nullptr;
  std::size_t group_count = 0;
};

/// In the child of a fork: starts the hypervisor, adopted by init like the small process that waits
/// for it, and leaves. Async-signal-safe.
[[noreturn]] void run_child(child_plan& plan);

} // namespace banger::hypervisor
