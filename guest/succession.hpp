// Another agent once this one was killed: PID 1, which no signal of its guest ends, starts it.
#pragma once

#include "guest/result.hpp"
#include "messages/guest/protocol.hpp"

#include <optional>
#include <string>

namespace banger::guest {

bool is_systemd(const std::string& init);

/// The text of the unit by which systemd keeps an agent there.
std::string successor_unit(const std::string& program);

/// Leaves what a successor needs: the program, what was configured, a unit of systemd's. For other
/// inits nothing. Before the init is executed.
done prepare_successor(const configure_body& order, const configured_body& outcome);

struct inheritance {
  configure_body order; ///< without secrets
  configured_body outcome;
};
/// What an agent of this boot left; nothing if there was none.
std::optional<inheritance> inherit();

/// Waits until no other agent is there; the descriptor says so to the next one as long as it lives.
result<unique_fd> become_the_agent();

} // namespace banger::guest
