#include "actors/privileged/privileged.hpp"
#include "privhelper/roles/network_role.hpp"

namespace banger::privileged {

namespace {
constexpr std::chrono::seconds fetch_deadline{2};
} // namespace

expected<std::unique_ptr<own_helper>> own_helper::start(const std::filesystem::path& folder) {
  auto socket = folder / "descriptors.sock";
  auto listener = local::listen(socket, {}, SOCK_SEQPACKET);
  if (!listener)
    return tl::unexpected(listener.error());
  auto server = handover::server::start(std::move(*listener));
  if (!server)
    return tl::unexpected(server.error());
  return std::unique_ptr<own_helper>(new own_helper(std::move(socket), std::move(*server)));
}

line own_helper::line_to(caf::actor_system& system) {
  const auto role = helper::spawn_network_role(
      system, {0,
               {[this](work::pool::task t) { effects_.submit(std::move(t)); },
                [this](work::pool::task t) { reading_.submit(std::move(t)); }},
               [this](std::vector<unique_fd> fds, local::peer to) {
                 return descriptors_.offer(std::move(fds), to);
               }});
  return {[role]() -> expected<messages::network_helper> {
            return caf::actor_cast<messages::network_helper>(role);
          },
          [socket = socket_](const std::string& token, std::size_t count) {
            return handover::fetch(socket, token, count, fetch_deadline);
          }};
}

} // namespace banger::privileged
