// The rules of the lifecycle: what a verb means for a VM in a given state, and what an end means.
// Pure.
#pragma once

#include "actors/vm/record.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace banger::vm {

enum class verb : std::uint8_t {
  create, ///< boot for the first time; a failure leaves no VM
  start,
  stop,
  restart, ///< a stop if it runs, then a start
  kill,    ///< end the hypervisor, whatever the guest is doing; the disks stay
  remove,
  set,    ///< change what was asked for: name, sizes, network, autostart
  sweep,  ///< after a crash: make sure that nothing runs
  reboot, ///< the guest asked for it: what its hypervisor left is let go of, then a start
};
std::string_view to_string(verb v);
std::vector<verb> all_verbs();
/// `unknown_method`: not one that a client may ask for by name.
expected<verb> parse_verb(std::string_view text);

/// What a `set` changes; what is empty stays as it is.
struct change {
  std::optional<vm_name> name;
  std::optional<std::uint32_t> vcpu;
  std::optional<std::uint64_t> memory_mib, disk_bytes;
  std::optional<bool> nat, autostart, nested;
};

/// The VM as it is afterwards. `bad_request`: a disk would shrink, or it runs and the change needs
/// a machine that does not.
expected<record> changed(const record& now, const change& to);

/// An operation under its id. `op` names it in every log line and error.
struct order {
  std::string op;
  verb what = verb::start;
  bool until_booted = false; ///< of what boots: the requester waits for the image's init
  int signal = 0;            ///< of a kill; 0: SIGKILL
  bool force = false;        ///< of a kill: ends what runs and waits before it
  bool only_at_rest = false; ///< refused unless the VM is at rest when it is said
  bool boot = true;          ///< of a create; false: it is made, and left at rest
  change to = {};            ///< of a set
};

/// One step, as its name and what others may know of it. How it is done and undone, the machine
/// knows.
struct step {
  std::string name;
  std::string detail;               ///< for people, while it runs
  bool ours = true;                 ///< false: the time is the hypervisor's or the guest's
  std::chrono::seconds at_most{60}; ///< then it has failed; stretched on slow hosts
  bool boot = false; ///< part of a boot: when it times out, the boot is tried once more
  /// Done only when the requester waits for it. By then the VM is what was asked for, and recorded
  /// so: if this fails, the operation does, but nothing is taken back unless it was cancelled.
  bool awaited = false;
  bool for_boot = false; ///< left out where a VM is made and stays at rest, as are boot and awaited
};

/// Steps by what they are for. Composed from the capabilities (capability.hpp), never written down
/// elsewhere.
struct step_table {
  std::vector<step> start, stop, kill, remove, set, sweep;
};

struct plan {
  std::vector<step> steps;
  state settled = state::error; ///< once all steps are done
  bool gone = false;            ///< there is no VM afterwards
  /// From this step on a failure undoes what was done, in reverse, down to it. None: never.
  std::optional<std::size_t> undo_from = {};

  bool undoable(std::size_t at) const { return undo_from && at >= *undo_from; }
};

/// What `asked` means now. A plan without steps is a verb that has nothing to do on the host.
/// `bad_request` says what to do instead.
expected<plan> decide(const record& now, const order& asked, const step_table& table);

/// What a set that was cut off may have done to this VM, to be undone.
plan undo_of_set(const record& now, const step_table& table);

/// May a forced kill end an operation with this verb in its middle? What ends a VM anyhow goes on.
bool yields_to_force(verb v);

/// The steps of every verb, as docs/lifecycle.md shows them: a table in Markdown.
std::string describe_steps(const step_table& table);

/// What to say to who needs it to run.
failure not_running(const record& vm);

/// What to say to who needs its guest while the hypervisor has halted it. `why` as in a list.
failure paused(const std::string& name, const std::string& why, bool resumes);

/// `bad_request` unless the VM is at rest: it does not run, and `busy` is not set, which is for
/// operations that run or wait.
expected<void> check_rest(const record& now, bool busy);

/// Where a boot that timed out at step `failed` begins again: its first boot step. None if it is
/// not to be tried again.
std::optional<std::size_t> retry_from(const plan& p, std::size_t failed, const failure& why,
                                      unsigned retries);

/// What there is of an operation that failed.
enum class remains : std::uint8_t {
  nothing,   ///< it was undone, or is a verb that is not undone
  untouched, ///< nor was anything done
  in_part,   ///< an undo failed
};
/// What is left of a VM whose operation failed.
struct aftermath {
  state now = state::error;
  bool gone = false;
};
/// `before`: the record, with the process that runs now, if any.
aftermath after_failure(const record& before, verb v, const failure& why,
                        remains of_it = remains::nothing);

/// What to do at daemon start with a VM that is in the database, given what the journal and the
/// host say of it.
enum class recovery : std::uint8_t {
  keep,    ///< at rest, as recorded
  adopt,   ///< it runs, as recorded: take it over
  stopped, ///< it ran, and ended while no daemon watched
  sweep,   ///< an operation was cut off: end what runs
  remove,  ///< half made or half deleted, or nobody waits for it any more
  restart, ///< a restart was cut off, or it ran when the host went down and is to start with it
  revert,  ///< a set was cut off: undo its steps, and take it over if it runs
  rescue,  ///< its create was cut off by the host's end when its guest could run: kept, at rest
};

/// What is known of a VM besides its record.
struct evidence {
  std::optional<verb> unfinished; ///< by the journal
  bool process_lives = false;
  bool host_rebooted = false; ///< since it was recorded as running, or its hypervisor was launched
  bool launched = false;      ///< of a create: its hypervisor was, so that a guest may have written
};
recovery recover(const record& r, const evidence& found);

} // namespace banger::vm
