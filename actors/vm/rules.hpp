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
  kill, ///< end the hypervisor, whatever the guest is doing; the disks stay
  remove,
  sweep, ///< after a crash: make sure that nothing runs
};
std::string_view to_string(verb v);
/// `unknown_method`: not one that a client may ask for by name.
expected<verb> parse_verb(std::string_view text);

/// One step, as its name and what others may know of it. How it is done and undone, the machine
/// knows.
struct step {
  std::string name;
  std::string detail; ///< for people, while it runs
  bool ours = true;   ///< false: the time is the hypervisor's or the guest's
  bool boot = false;  ///< part of a boot: when it times out, the boot is tried once more
  /// Done only when the requester waits for it. By then the VM is what was asked for, and recorded
  /// so: if this fails, the operation does, but nothing is taken back unless it was cancelled.
  bool awaited = false;
};

/// Steps by what they are for. Composed from the capabilities (capability.hpp), never written down
/// elsewhere.
struct step_table {
  std::vector<step> start, stop, kill, remove, sweep;
};

struct plan {
  std::vector<step> steps;
  state settled = state::error; ///< once all steps are done
  bool gone = false;            ///< there is no VM afterwards
  bool undoable = false;        ///< a failure undoes what was done, in reverse
};

/// What `v` means now. An empty plan is a verb that has nothing left to do. `bad_request` says what
/// to do instead.
/// `awaited`: the requester waits for what may be waited for.
expected<plan> decide(const record& now, verb v, const step_table& table, bool awaited = false);

/// `bad_request` unless the VM is at rest: it does not run, and `busy` is not set, which is for
/// operations that run or wait.
expected<void> check_rest(const record& now, bool busy);

/// Where a boot that timed out at step `failed` begins again: its first boot step. None if it is
/// not to be tried again.
std::optional<std::size_t> retry_from(const plan& p, std::size_t failed, const failure& why,
                                      unsigned retries);

/// What is left of a VM whose operation failed and was undone.
struct aftermath {
  state now = state::error;
  bool gone = false;
};
aftermath after_failure(const record& before, verb v, const failure& why);

/// What to do at daemon start with a VM that is in the database, given what the journal and the
/// host say of it.
enum class recovery : std::uint8_t {
  keep,    ///< at rest, as recorded
  adopt,   ///< it runs, as recorded: take it over
  stopped, ///< it ran, and ended while no daemon watched
  sweep,   ///< an operation was cut off: end what runs
  remove,  ///< half made or half deleted, or nobody waits for it any more
};
recovery recover(const record& r, std::optional<verb> unfinished, bool process_lives);

} // namespace banger::vm
