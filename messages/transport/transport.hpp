// Actor messages over a unix socket: how a process publishes an actor, and how another reaches it.
// Order of life: configure, actor_system, prepare, publish or connect; then the server ends, then
// the actors, then the actor_system. CAF crashes if an actor that was published, or that ever spoke
// to a remote one, still lives when its system is destroyed without waiting for it.
#pragma once

#include "messages/base/error.hpp"
#include "messages/system.hpp"
#include "messages/transport/clauses.hpp"
#include "messages/transport/frames.hpp"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace banger::transport {

enum class role { daemon, client, helper };

/// Scheduler, middleman and types. Never let CAF parse arguments or `caf-application.ini` on top of
/// it.
void configure(caf::actor_system_config& config, role who);

/// Every type that travels, the typed handles, and how errors of category "banger" are printed.
void register_messages(caf::actor_system_config& config);
/// Those that only daemon and helper know.
void register_helper_messages(caf::actor_system_config& config);

/// Removes CAF's own remote services. Right after the actor_system is made, before anything is
/// published.
void prepare(caf::actor_system& system);

// --- the side that serves
// -------------------------------------------------------------------------------------

struct client_info {
  std::uint64_t number = 0; ///< of the connection; unique in this server
  std::uint32_t pid = 0, uid = 0;
};

struct options {
  std::filesystem::path socket;
  std::vector<uid_t> allowed_uids{::geteuid()};
  std::optional<uid_t> socket_owner = {}; ///< of the socket's file; else our own
  int inherited = -1; ///< a listening socket that somebody made for us, such as systemd
  std::size_t max_connections = 64; ///< more are closed at once
  std::size_t kept_for_root = 0;    ///< of these; nobody else gets them
  std::chrono::milliseconds handshake_timeout{5000};
  std::size_t max_unsent =
      16u << 20;        ///< bytes that wait for a client that does not read; beyond it is cut off
  bool bind_pid = true; ///< the client's node id must name the process that the kernel names
  frames::limits limits;
  /// Called in CAF's I/O thread: be quick, block never. A client is opened once it has completed
  /// its handshake; `why` is empty if it left by itself.
  std::function<void(const client_info&)> opened;
  std::function<void(const client_info&, const std::string& why)> closed;
  /// Connections that were refused or that never became clients.
  std::function<void(const client_info&, const std::string& why)> refused;
};

/// A published actor. Destroy it before the actor_system.
class server {
public:
  server(server&&) noexcept;
  server& operator=(server&&) noexcept;
  ~server(); ///< close(), then no callback is called any more, and the lock is released

  /// Takes the socket away; connected clients stay. Harmless when repeated.
  void close();

private:
  struct impl;
  friend expected<server> publish(caf::actor_system&, options, target, std::set<std::string>,
                                  std::vector<target>);
  explicit server(std::unique_ptr<impl>);
  std::unique_ptr<impl> impl_;
};

expected<server> publish(caf::actor_system& system, options opts, target front,
                         std::set<std::string> interface, std::vector<target> facets);

/// Serves `front` on a socket of mode 0600. Clients can talk to `front` and to `facets`
/// (`admit(system, handle)`), and to no other actor. PATH.lock is held as long as the server lives.
/// `already_exists`: another process serves here. `bad_request`: the path is too long or is not a
/// socket.
template <class Interface>
expected<server> publish(caf::actor_system& system, options opts, const Interface& front,
                         std::vector<target> facets = {}) {
  return publish(system, std::move(opts), admit(system, front),
                 system.message_types(caf::detail::type_list<Interface>{}), std::move(facets));
}

// --- the side that asks
// -------------------------------------------------------------------------------------

struct welcome {
  caf::strong_actor_ptr actor;
  std::set<std::string> interface;
};
expected<welcome> reach(caf::actor_system& system, const std::filesystem::path& socket,
                        std::chrono::milliseconds deadline);
failure speaks_otherwise(const std::filesystem::path& socket);

/// The actor that is published at `socket`. `not_found`: nobody serves there. Else as `connect`.
template <class Interface>
expected<Interface> connect_to(caf::actor_system& system, const std::filesystem::path& socket,
                               std::chrono::milliseconds deadline) {
  auto welcomed = reach(system, socket, deadline);
  if (!welcomed)
    return tl::unexpected(welcomed.error());
  if (!welcomed->actor || !system.assignable<Interface>(welcomed->interface))
    return tl::unexpected(speaks_otherwise(socket));
  return caf::actor_cast<Interface>(std::move(welcomed->actor));
}

/// `not_found`: no daemon. `unauthorized`: the socket, or the process behind it, is someone else's.
/// `busy`: it takes no more connections. `disconnected`: it is ending. `timed_out`: it does not
/// answer. `bad_version`: it speaks another protocol.
expected<messages::gateway_actor> connect(caf::actor_system& system,
                                          const std::filesystem::path& socket,
                                          std::chrono::milliseconds deadline);

struct session {
  messages::gateway_actor gateway;
  messages::hello_reply daemon;
  // Null if the protocols differ.
  messages::vms_facet vms;
  messages::operations_facet operations;
  messages::images_facet images;
  messages::system_facet system;
};

/// The first word on a connection. Says who we are, learns who they are. The errors of `connect`,
/// and `disconnected`.
expected<session> greet(caf::actor_system& system, messages::gateway_actor gateway,
                        std::chrono::milliseconds deadline);

} // namespace banger::transport
