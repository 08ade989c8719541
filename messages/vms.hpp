// The facet for VMs: what a client can say about them.
#pragma once

#include "messages/block.hpp"

namespace banger::messages {

using vms_facet = caf::typed_actor<
    /// Makes a VM and boots it. The sender gets `progress` and `finished`.
    /// `bad_request` (field and rule), `already_exists`, `not_found` (image), `busy`: nothing was
    /// made.
    caf::replies_to<begin_atom, create_request>::with<op_ticket>,
    /// start, stop, restart, kill or delete; takes its turn behind what the VM is doing, except a
    /// forced kill, which ends that. The sender gets `progress` and `finished`. `not_found`,
    /// `ambiguous`, `unknown_method` (verb), `busy` (too many wait).
    caf::replies_to<begin_atom, verb_request>::with<op_ticket>,
    /// Changes what was asked for, in its turn. The sender gets `finished`: `bad_request` if it
    /// runs and must not, or a disk would shrink. `not_found`, `ambiguous`, `bad_request` (field
    /// and rule), `already_exists` (name): nothing has begun.
    caf::replies_to<begin_atom, set_request>::with<op_ticket>,
    /// As if a command had been run in it: it is in use. `not_found`, `ambiguous`.
    caf::replies_to<touch_atom, std::string>::with<void>,
    /// All VMs, by creation time. Answered from memory, whatever the VMs are doing.
    caf::replies_to<list_atom>::with<std::vector<vm_view>>,
    /// One VM. `not_found`, `ambiguous`.
    caf::replies_to<show_atom, std::string>::with<vm_detail>,
    /// A stream to a new command in the guest. `not_found`, `ambiguous`, `not_running`,
    /// `bad_request`, `busy`.
    caf::replies_to<exec_atom, exec_request>::with<stream_ticket>,
    /// A stream to a command whose stream was lost with an earlier daemon. `not_found`: the VM is
    /// gone; `not_running`. A command that is gone is told on the stream.
    caf::replies_to<attach_atom, attach_request>::with<stream_ticket>,
    /// A stream of the console log: `data` on stream 1, then `eof` unless it follows. `not_found`,
    /// `ambiguous`.
    caf::replies_to<logs_atom, logs_request>::with<stream_ticket>,
    /// What a VM costs its host now. Like the reads below it waits for no operation. `not_found`,
    /// `ambiguous`.
    caf::replies_to<stats_atom, std::string>::with<vm_stats>,
    /// Who listens in the guest. `not_found`, `ambiguous`, `not_running`; `timed_out`,
    /// `disconnected`: its agent does not answer; `bad_version`: it is too old.
    caf::replies_to<ports_atom, std::string>::with<vm_ports>,
    /// A sign of life, at most 2 s later. A guest that does not give one is an answer, not an
    /// error. `not_found`, `ambiguous`.
    caf::replies_to<health_atom, std::string>::with<vm_health>,
    /// A stream of the console: its last lines, what is added, and an end when the VMM ends.
    /// `not_found`, `ambiguous`, `not_running`.
    caf::replies_to<console_atom, std::string>::with<stream_ticket>,
    /// Makes a VM of a folder that no record knows, by its vm.json. `not_found`, `already_exists`
    /// (id, name), `corrupted` (vm.json or a disk), `busy`.
    caf::replies_to<reclaim_atom, reclaim_request>::with<vm_view>,
    /// Removes such a folder (id), for good. `not_found`, `already_exists` (a VM has it), `busy`:
    /// its hypervisor runs.
    caf::replies_to<discard_atom, std::string>::with<void>,
    /// Ends the VM's actor as a bug would. For tests: `unknown_method` unless the daemon was
    /// started with BANGER_DEBUG_VERBS=1.
    caf::replies_to<crash_atom, std::string>::with<void>>;

} // namespace banger::messages
