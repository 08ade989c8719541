// A well-behaved client, as the CLI is one.
#pragma once

#include "messages/actor/remote.hpp"
#include "messages/client.hpp"
#include "messages/transport/transport.hpp"

#include <stdexcept>

namespace banger::test {

using namespace banger::messages;
using namespace std::chrono_literals;

struct client_config : caf::actor_system_config {
  client_config() { transport::configure(*this, transport::role::client); }
};

struct client_node {
  client_node() { transport::prepare(system); }
  client_config config;
  caf::actor_system system{config};
};

struct client : client_node {
  explicit client(const std::filesystem::path& socket) {
    auto gateway = transport::connect(system, socket, 5s);
    if (!gateway)
      throw std::runtime_error(describe(gateway.error()));
    auto greeted = transport::greet(system, *gateway, 5s);
    if (!greeted)
      throw std::runtime_error(describe(greeted.error()));
    session = std::move(*greeted);
  }

  bool served() {
    const auto status = actor::call<daemon_status>(system, session.system, 5s, status_atom::value);
    return status && status->pid == session.daemon.pid;
  }

  transport::session session;
};

} // namespace banger::test
