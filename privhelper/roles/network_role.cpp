#include "privhelper/roles/network_role.hpp"

#include "privhelper/effects/network_effects.hpp"

#include <map>
#include <memory>
#include <unistd.h>

namespace banger::helper {

using namespace messages;

namespace {

/// Opened by the first who needs it, in the thread that uses it from then on.
class tools {
public:
  explicit tools(resolver::bus_options bus) : bus_(std::move(bus)) {}

  /// `use(network_effects&)`, or the reason why there are none.
  template <class Use>
  auto with(Use use) -> decltype(use(std::declval<network_effects&>())) {
    if (!effects_) {
      auto opened = network_effects::open(bus_);
      if (!opened)
        return tl::unexpected(opened.error());
      effects_.emplace(std::move(*opened));
    }
    return use(*effects_);
  }

private:
  resolver::bus_options bus_;
  std::optional<network_effects> effects_;
};

class network_role_state : public actor::state_base {
public:
  static inline const char* name = "network role";

  void init(network_role::pointer self, network_surroundings around) {
    self_ = self;
    owner_ = around.owner;
    offer_ = std::move(around.offer);
    hands_ = std::make_shared<tools>(around.bus);
    eyes_ = std::make_shared<tools>(around.bus);
    desk_.emplace(self, std::move(around.where));
  }

  helper_about hello() const { return about("network", owner_); }

  template <class Answer, class Order>
  caf::result<Answer> obey(std::string_view verb, const Order& order) {
    return desk_->obey<Answer>(verb, order.op, check(order), [hands = hands_](const auto& task) {
      return hands->with([&](network_effects& e) { return e.carry_out(task); });
    });
  }

  caf::result<taps_reply> taps(const taps_order& order) {
    const auto open = [hands = hands_, offer = offer_,
                       asker = asker()](const taps_task& task) -> expected<taps_reply> {
      auto opened = hands->with([&](network_effects& e) { return e.carry_out(task); });
      if (!opened)
        return tl::unexpected(opened.error());
      if (!task.present)
        return taps_reply{};
      auto token = offer(std::move(*opened), asker);
      if (!token)
        return tl::unexpected(token.error());
      return taps_reply{std::move(*token)};
    };
    return desk_->obey<taps_reply>("taps", order.op, check(order), open);
  }

  caf::result<network_inventory> inventory() {
    return desk_->read<network_inventory>(
        [eyes = eyes_] { return eyes->with([](network_effects& e) { return e.inventory(); }); });
  }

  void visit(std::uint32_t pid, std::uint32_t uid, bool comes) {
    auto& one = visitors_[pid];
    one.uid = uid;
    one.connections += comes ? 1 : -1;
    if (one.connections <= 0)
      visitors_.erase(pid);
  }

private:
  struct visitor {
    std::uint32_t uid = 0;
    int connections = 0;
  };

  // The transport lets nobody name another process in its node than the kernel does.
  local::peer asker() const {
    const auto sender = self_->current_sender();
    if (!sender || sender->node() == self_->node())
      return {static_cast<std::uint32_t>(::getpid()), ::geteuid()};
    const auto* node = dynamic_cast<const caf::node_id::default_data*>(&*sender->node());
    const auto found = visitors_.find(node != nullptr ? node->process_id() : 0);
    return found == visitors_.end() ? local::peer{} : local::peer{found->first, found->second.uid};
  }

  network_role::pointer self_ = nullptr;
  std::uint32_t owner_ = 0;
  std::function<expected<std::string>(std::vector<unique_fd>, local::peer)> offer_;
  std::shared_ptr<tools> hands_, eyes_;
  std::optional<desk<network_role>> desk_;
  std::map<std::uint32_t, visitor> visitors_; ///< by pid
};

network_role::behavior_type behavior(network_role::stateful_pointer<network_role_state> self,
                                     network_surroundings around) {
  static_assert(actor::sound_state<network_role_state>);
  actor::make_sturdy(self);
  auto& s = self->state;
  s.init(self, std::move(around));
  return {
      [&s](hello_atom, const hello_request&) { return s.hello(); },
      [&s](bridge_atom, const bridge_order& o) { return s.obey<void>("bridge", o); },
      [&s](taps_atom, const taps_order& o) { return s.taps(o); },
      [&s](policy_atom, const policy_order& o) { return s.obey<policy_reply>("policy", o); },
      [&s](guest_atom, const guest_change& o) { return s.obey<policy_reply>("guest", o); },
      [&s](resolver_atom, const resolver_order& o) { return s.obey<void>("resolver", o); },
      [&s](inventory_atom) { return s.inventory(); },
      [&s](sweep_atom, const network_sweep& o) { return s.obey<sweep_reply>("sweep", o); },
      [&s](visitor_atom, std::uint32_t pid, std::uint32_t uid, bool comes) {
        s.visit(pid, uid, comes);
      },
      [](const work::thunk& t) { t.run(); },
  };
}

} // namespace

network_role spawn_network_role(caf::actor_system& system, network_surroundings around) {
  return system.spawn(behavior, std::move(around));
}

} // namespace banger::helper
