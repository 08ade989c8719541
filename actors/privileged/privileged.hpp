// Whoever does what needs more rights than the daemon has. One interface, three who stand behind
// it: the root helper, the same actor in this process (bangerd is root), or nobody.
#pragma once

#include "actors/workers/thunk.hpp"
#include "messages/base/unique_fd.hpp"
#include "messages/handover/handover.hpp"
#include "messages/helper.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

namespace banger::privileged {

/// Taps, open, in the order in which they were asked for. Empty where none is to be there.
using open_taps = std::vector<std::shared_ptr<unique_fd>>;
using open_taps_ptr = std::shared_ptr<const open_taps>;

} // namespace banger::privileged

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::privileged::open_taps_ptr)

namespace banger::privileged {

/// As the helper's own (messages/helper.hpp), with descriptors in place of tokens. Beside the
/// helper's errors: `unavailable`: there is none, and what to do; `disconnected`: it went away with
/// this order under way; `bad_version`. Nothing is kept for later: an order fails or is done.
using privileged_actor = caf::typed_actor<
    caf::replies_to<messages::bridge_atom, messages::bridge_order>::with<void>,
    caf::replies_to<messages::taps_atom, messages::taps_order>::with<open_taps_ptr>,
    caf::replies_to<messages::policy_atom, messages::policy_order>::with<messages::policy_reply>,
    caf::replies_to<messages::guest_atom, messages::guest_change>::with<messages::policy_reply>,
    caf::replies_to<messages::resolver_atom, messages::resolver_order>::with<void>,
    caf::replies_to<messages::inventory_atom>::with<messages::network_inventory>,
    caf::replies_to<messages::sweep_atom, messages::network_sweep>::with<messages::sweep_reply>,
    caf::reacts_to<work::thunk>>;

/// How the helper is reached. Both block, for some milliseconds, in a pool.
struct line {
  std::function<expected<messages::network_helper>()> connect;
  /// The descriptors that a token stands for.
  std::function<expected<std::vector<unique_fd>>(const std::string& token, std::size_t count)>
      fetch;
};

/// A line to nobody: every order fails with `why`.
line refusing(const failure& why);
/// To the helper whose sockets are in `folder`. `system` must outlive it.
line to_helper(caf::actor_system& system, const std::filesystem::path& folder);

/// What a daemon that is root has in place of the helper's process: the same actor, and its
/// threads. Outlives every actor. Descriptors go by a socket, as they do elsewhere.
class own_helper {
public:
  /// `already_exists`: another process has the socket in `folder`.
  static expected<std::unique_ptr<own_helper>> start(const std::filesystem::path& folder);
  line line_to(caf::actor_system& system);
  /// Takes the socket away.
  void close() { descriptors_.close(); }

private:
  own_helper(std::filesystem::path socket, handover::server descriptors)
      : socket_(std::move(socket)), descriptors_(std::move(descriptors)) {}

  std::filesystem::path socket_;
  work::pool effects_{1}, reading_{1};
  handover::server descriptors_;
};

/// `lost` is called in the actor whenever a helper that was there is gone: what it did may have to
/// be said again to the next one.
privileged_actor spawn_privileged(caf::actor_system& system, line to, work::run_fn workers,
                                  std::function<void()> lost = {});

} // namespace banger::privileged
