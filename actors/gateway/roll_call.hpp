// Asks every actor that owns something how it is, all at the same time and none for long. One is
// made for each question and ends with its answer.
#pragma once

#include "actors/vms/vms.hpp"
#include "messages/system.hpp"

namespace banger::gateway {

/// Who is asked. `others` by their kind; they are only asked whether they answer.
struct roll {
  vms::vms_actor vms;
  operations::operations_actor operations;
  std::vector<std::pair<std::string, caf::strong_actor_ptr>> others;
  std::vector<messages::actor_view> known; ///< who need not be asked
};

using roll_call_actor = caf::typed_actor<
    caf::replies_to<messages::actors_atom>::with<std::vector<messages::actor_view>>>;

roll_call_actor spawn_roll_call(caf::actor_system& system, roll whom);

} // namespace banger::gateway
