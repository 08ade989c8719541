// Speaks to the root helper as bangerd does: over its real sockets, by typed messages.
#pragma once

#include "messages/actor/remote.hpp"
#include "messages/base/version.hpp"
#include "messages/helper.hpp"
#include "messages/transport/transport.hpp"
#include "tests/hostile/orders.hpp"

#include <filesystem>
#include <optional>
#include <utility>

namespace banger::hostile {

inline constexpr std::chrono::milliseconds patience{30'000};

class speaker {
public:
  explicit speaker(std::filesystem::path sockets) : sockets_(std::move(sockets)) {
    transport::prepare(system_);
  }

  expected<messages::helper_about> hello(const std::string& role) {
    const messages::hello_request who{protocol_version, "0", "", 0};
    if (role == "machine")
      return ask<messages::helper_about>(machine_, role, messages::hello_atom::value, who);
    return ask<messages::helper_about>(network_, role, messages::hello_atom::value, who);
  }
  expected<messages::network_inventory> inventory() {
    return ask<messages::network_inventory>(network_, "network", messages::inventory_atom::value);
  }
  expected<void> give(const order& any) {
    return std::visit([this](const auto& o) { return carry(o); }, any);
  }
  expected<messages::taps_reply> taps(const messages::taps_order& o) {
    return ask<messages::taps_reply>(network_, "network", messages::taps_atom::value, o);
  }

  caf::actor_system& system() { return system_; }
  expected<messages::network_helper> network() { return reach(network_, "network"); }
  const std::filesystem::path& sockets() const { return sockets_; }

private:
  struct config : caf::actor_system_config {
    config() { transport::configure(*this, transport::role::daemon); }
  };

  template <class Handle>
  expected<Handle> reach(std::optional<Handle>& cached, const std::string& role) {
    if (!cached) {
      auto reached = transport::connect_to<Handle>(system_, sockets_ / (role + ".sock"), patience);
      if (!reached)
        return reached;
      cached = std::move(*reached);
    }
    return *cached;
  }

  template <class Answer, class Handle, class... Words>
  expected<Answer> ask(std::optional<Handle>& cached, const std::string& role,
                       const Words&... words) {
    const auto to = reach(cached, role);
    if (!to)
      return tl::unexpected(to.error());
    auto answer = actor::call<Answer>(system_, *to, patience, words...);
    if (!answer && answer.error().code == errc::disconnected)
      cached.reset();
    return answer;
  }

  template <class T>
  static expected<void> whether(const expected<T>& answer) {
    return answer ? expected<void>{} : tl::unexpected(answer.error());
  }
  template <class Answer, class... Words>
  expected<void> net(const Words&... words) {
    return whether(ask<Answer>(network_, "network", words...));
  }
  template <class Answer, class... Words>
  expected<void> vms(const Words&... words) {
    return whether(ask<Answer>(machine_, "machine", words...));
  }

  expected<void> carry(const messages::bridge_order& o) {
    return net<void>(messages::bridge_atom::value, o);
  }
  expected<void> carry(const messages::taps_order& o) { return whether(taps(o)); }
  expected<void> carry(const messages::policy_order& o) {
    return net<messages::policy_reply>(messages::policy_atom::value, o);
  }
  expected<void> carry(const messages::guest_change& o) {
    return net<messages::policy_reply>(messages::guest_atom::value, o);
  }
  expected<void> carry(const messages::resolver_order& o) {
    return net<void>(messages::resolver_atom::value, o);
  }
  expected<void> carry(const messages::network_sweep& o) {
    return net<messages::sweep_reply>(messages::sweep_atom::value, o);
  }
  expected<void> carry(const messages::launch_order& o) {
    return vms<messages::launch_reply>(messages::launch_atom::value, o);
  }
  expected<void> carry(const messages::signal_order& o) {
    return vms<void>(messages::signal_atom::value, o);
  }
  expected<void> carry(const messages::cleanup_order& o) {
    return vms<void>(messages::cleanup_atom::value, o);
  }
  expected<void> carry(const messages::root_disk_order& o) {
    return vms<messages::root_disk_reply>(messages::rootdisk_atom::value, o);
  }
  expected<void> carry(const messages::socket_order& o) {
    return vms<void>(messages::socket_atom::value, o);
  }
  expected<void> carry(const messages::machine_sweep& o) {
    return vms<messages::sweep_reply>(messages::sweep_atom::value, o);
  }

  std::filesystem::path sockets_;
  config config_;
  caf::actor_system system_{config_};
  std::optional<messages::network_helper> network_;
  std::optional<messages::machine_helper> machine_;
};

} // namespace banger::hostile
