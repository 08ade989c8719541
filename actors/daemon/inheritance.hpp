// What a process has from the one that started it and that no VM may depend on.
#pragma once

#include <string>
#include <vector>

namespace banger::daemon {

/// Before the first thread: umask, working folder, signals, and soft limits become the same
/// whatever started us. `by_client`: a command of some shell did, and not an administrator's unit;
/// then priorities, CPU affinity and the OOM score do so, too. A line for each that this user may
/// not change.
std::vector<std::string> shed_inheritance(bool by_client);

} // namespace banger::daemon
