#include "actors/privileged/privileged.hpp"
#include "messages/handover/handover.hpp"
#include "privhelper/roles/network_role.hpp"

namespace banger::privileged {

namespace {

constexpr std::chrono::seconds fetch_deadline{2};

/// As the helper's process has them.
struct crew {
  work::pool effects{1};
  work::pool reading{1};
  handover::server descriptors;
  explicit crew(handover::server s) : descriptors(std::move(s)) {}
};

} // namespace

expected<line> in_this_process(caf::actor_system& system, const std::filesystem::path& folder) {
  const auto socket = folder / "descriptors.sock";
  auto listener = local::listen(socket, {}, SOCK_SEQPACKET);
  if (!listener)
    return tl::unexpected(listener.error());
  auto server = handover::server::start(std::move(*listener));
  if (!server)
    return tl::unexpected(server.error());
  const auto c = std::make_shared<crew>(std::move(*server));
  const auto role = helper::spawn_network_role(
      system, {0,
               {[c](work::pool::task t) { c->effects.submit(std::move(t)); },
                [c](work::pool::task t) { c->reading.submit(std::move(t)); }},
               [c](std::vector<unique_fd> fds, local::peer to) {
                 return c->descriptors.offer(std::move(fds), to);
               }});
  return line{[role]() -> expected<messages::network_helper> {
                return caf::actor_cast<messages::network_helper>(role);
              },
              [socket](const std::string& token, std::size_t count) {
                return handover::fetch(socket, token, count, fetch_deadline);
              }};
}

} // namespace banger::privileged
