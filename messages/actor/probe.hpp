// Whether an actor still takes its messages: CAF answers this question for every actor of ours, in
// its turn, whatever its interface is.
#pragma once

#include <caf/all.hpp>

#include <chrono>
#include <string>

namespace banger::actor {

using probed_actor =
    caf::typed_actor<caf::replies_to<caf::sys_atom, caf::get_atom, std::string>::with<
        caf::ok_atom, std::string, caf::strong_actor_ptr, std::string>>;

/// `.then([](caf::ok_atom, const std::string&, const caf::strong_actor_ptr&, const std::string&)
/// {...}, error)`.
template <class Self, class Handle>
auto probe(Self* self, const Handle& whom, std::chrono::milliseconds deadline) {
  return self->request(caf::actor_cast<probed_actor>(whom), deadline, caf::sys_atom::value,
                       caf::get_atom::value, std::string("info"));
}

} // namespace banger::actor
