// Landlock by its system calls: the kernel takes a process' right to open files and sockets,
// without root. A rule set is made first, and put on by whoever is to be held to it.
#pragma once

#include "messages/base/error.hpp"
#include "messages/base/unique_fd.hpp"

#include <filesystem>
#include <vector>

namespace banger {

/// What may still be opened; all the rest of the file system is closed. A folder stands for
/// everything below it. Paths that do not exist are left out.
struct landlock_rules {
  std::vector<std::filesystem::path> execute; ///< also readable
  std::vector<std::filesystem::path> read;
  std::vector<std::filesystem::path> write;  ///< files and devices; also readable, never creatable
  std::vector<std::filesystem::path> manage; ///< folders: files and sockets come and go, too
  bool connect_tcp = false;                  ///< ports are never bound
  bool signal_others = false;                ///< that have not these rules
};

/// Version of the interface; 0: this kernel does not offer it.
int landlock_abi();

/// A rule set with every right that `abi` can govern. `operation_failed`.
expected<unique_fd> make_ruleset(int abi, const landlock_rules& rules);

/// Puts it on this thread, for good, and on all it starts. Needs no_new_privs. Async-signal-safe;
/// false with errno.
bool restrict_self(int ruleset);

} // namespace banger
