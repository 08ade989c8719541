// What the role `machine` does about orders that were checked. Hypervisors, jails and devices are
// not built yet: everything that an order names is opened as it would be, which may refuse it, and
// then the answer is `unavailable`. Blocks; one thread at a time. No CAF.
#pragma once

#include "privhelper/rules/machine.hpp"

namespace banger::helper {

/// Errors are those of `open_state_folder`, `open_beneath` and `open_process`, and `unavailable`.
class machine_effects {
public:
  explicit machine_effects(bounds limits) : limits_(std::move(limits)) {}

  expected<messages::launch_reply> carry_out(const launch_task& task);
  expected<void> carry_out(const signal_task& task);
  expected<void> carry_out(const cleanup_task& task);
  expected<messages::root_disk_reply> carry_out(const root_disk_task& task);
  expected<void> carry_out(const socket_task& task);
  expected<messages::sweep_reply> carry_out(const machine_sweep_task& task);

  const bounds& limits() const { return limits_; }

private:
  expected<void> look_at(const managed_path& path) const;

  bounds limits_;
};

} // namespace banger::helper
