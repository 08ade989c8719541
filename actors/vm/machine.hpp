// The machine actor: one beside each VM actor. It carries out steps on the host and in the guest,
// one at a time, and holds the link to the running hypervisor. It decides nothing.
#pragma once

#include "actors/image/images.hpp"
#include "actors/io/streams.hpp"
#include "actors/network/network.hpp"
#include "actors/vm/capability.hpp"
#include "actors/vm/record_ptr.hpp"
#include "messages/block.hpp"

namespace banger::vm {

struct step_request {
  std::string op;
  std::string name; ///< of the step
  verb for_verb = verb::start;
  record_ptr vm;
  int signal = 0;                   ///< of a kill; 0: SIGKILL
  std::chrono::seconds at_most{60}; ///< as its step has it
};

/// The hypervisor ended by itself.
struct machine_ended {
  std::string why;        ///< for people; empty after an orderly power-off, and for a reboot
  std::string last_lines; ///< of the console
  bool reboots = false;   ///< the guest asked to be started again
};

/// The hypervisor has halted the machine by itself; with an empty `why`, it goes on.
struct machine_paused {
  std::string why;      ///< for people
  bool resumes = false; ///< by itself, once what is in its way is gone
};

using do_atom = caf::atom_constant<caf::atom("stepdo")>;
using undo_atom = caf::atom_constant<caf::atom("stepundo")>;
using adopt_atom = caf::atom_constant<caf::atom("adopt")>;
using abort_atom = caf::atom_constant<caf::atom("abort")>;
using open_atom = caf::atom_constant<caf::atom("open")>;
using used_atom = caf::atom_constant<caf::atom("used")>;
using in_use_atom = caf::atom_constant<caf::atom("inuse")>;

} // namespace banger::vm

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::vm::step_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::vm::machine_ended)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::vm::machine_paused)

namespace banger::vm {

/// What a machine says unasked, to its VM.
using machine_listener =
    image::note_listener::extend<caf::reacts_to<machine_ended>, caf::reacts_to<machine_paused>,
                                 /// The last command that clients had in the guest has ended.
                                 caf::reacts_to<used_atom>>;

using machine_actor = image::note_listener::extend<
    /// Does the step; answers the VM with what the step found out (disks, process, ...).
    /// `timed_out` names the stage and shows the last console lines; `cancelled` after `abort`.
    caf::replies_to<do_atom, step_request>::with<record_ptr>,
    /// Undoes it, also when it was done in part or not at all. Never fails.
    caf::replies_to<undo_atom, step_request>::with<record_ptr>,
    /// Takes a running VM over from an earlier daemon. `not_found`: it does not run.
    caf::replies_to<adopt_atom, record_ptr>::with<void>,
    /// Fails the step that runs, now.
    caf::reacts_to<abort_atom>,
    /// A token for a new command in the guest. `not_running`, `busy`.
    caf::replies_to<open_atom, messages::exec_request>::with<messages::stream_ticket>,
    /// The same for one that an earlier daemon left.
    caf::replies_to<open_atom, messages::attach_request>::with<messages::stream_ticket>,
    caf::reacts_to<work::thunk>,
    /// Reads, by the committed record. They wait for no step.
    caf::replies_to<messages::stats_atom, record_ptr>::with<messages::vm_stats>,
    /// `not_running`, `timed_out`, `disconnected`; `bad_version`: an agent of an older banger.
    caf::replies_to<messages::ports_atom, record_ptr>::with<messages::vm_ports>,
    /// Whatever is wrong with the guest is its verdict.
    caf::replies_to<messages::health_atom, record_ptr>::with<messages::vm_health>,
    /// `not_running`.
    caf::replies_to<messages::console_atom, record_ptr>::with<messages::stream_ticket>,
    /// Have clients commands in the guest?
    caf::replies_to<in_use_atom>::with<bool>>;

/// What machines share.
struct machine_room {
  host site;
  std::vector<capability> capabilities;
  image::images_actor images;
  io::reactor* loop = nullptr;
  io::stream_server* streams = nullptr;
  work::pool* workers = nullptr;
  work::pool* readers = nullptr;       ///< for what is quick and must not wait for `workers`
  work::pool* flushers = nullptr;      ///< for what waits for the host's disk
  network::network_actor network = {}; ///< null: no bridge
  /// Something to be held by whoever works for this VM (id), until he has let go of everything.
  std::function<std::shared_ptr<void>(const std::string& vm)> attend = {};
};

/// `room` must outlive it, and what it has begun in the pool.
machine_actor spawn_machine(caf::actor_system& system, const machine_room& room,
                            machine_listener owner, std::shared_ptr<void> presence = {});

} // namespace banger::vm
