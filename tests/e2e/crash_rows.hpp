// The rows of the crash matrix, generated from the rules and the step tables: a new step has its
// rows by itself, and a new verb does not compile until it is told here how it is tried.
#pragma once

#include "actors/vm/capability.hpp"
#include "messages/base/failpoint.hpp"

#include <string>
#include <vector>

namespace banger::crash {

using words = std::vector<std::string>;

inline constexpr auto gone = ""; ///< as a state: there is no such VM

/// What a VM is made of.
struct sizes {
  std::uint64_t memory_mib = 256, disk_bytes = 8 * GiB;
  friend bool operator==(const sizes&, const sizes&) = default;
};

/// How a verb is tried on the VM `x`.
struct trial {
  std::vector<words> before; ///< makes the old state
  std::string cut_off;       ///< a failpoint that ends what is said last before the verb; or empty
  words command;             ///< empty: a daemon does it by itself when it starts
  std::string old_state, new_state;
  sizes old_sizes = {}, new_sizes = {};
};
trial trial_of(vm::verb v);
/// All but the guest's reboot, which no client can order: its steps are those of a sweep and a
/// start.
std::vector<vm::verb> tried_verbs();

/// A moment that the machine comes by in this verb.
struct row {
  vm::verb what{};
  std::string step;
  work::moment at = work::moment::before;
};
/// Each step, before and after.
std::vector<row> rows_of(vm::verb v);
/// Each step that is undone when the last one fails, before and after its undo.
std::vector<row> undo_rows_of(vm::verb v);

/// What may be there after a row: one of these states, and wholly one of these sizes.
struct ends {
  std::vector<std::string> states;
  std::vector<sizes> made_of = {sizes{}};
  bool may_live_on = true; ///< a hypervisor that was there before the verb
};
/// Old or new, nothing between.
ends whole(const trial& t);
/// What was asked for.
ends done(const trial& t);
/// As if nothing had been asked for.
ends undone(const trial& t);
/// Its step has failed: what the rules say of it; the next daemon ends what still runs.
ends failed(const row& r);

/// "create/launch/before:kill". Of an undo: with the failure that leads there.
std::string failpoint_of(const row& r, std::string_view mishap);
/// The k-th commit: "store/*/before#3:kill".
std::string commit_failpoint(work::moment at, unsigned k, std::string_view mishap);

} // namespace banger::crash
