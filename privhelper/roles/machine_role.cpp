#include "privhelper/roles/machine_role.hpp"

#include <optional>

namespace banger::helper {

using namespace messages;

namespace {

class machine_role_state : public actor::state_base {
public:
  static inline const char* name = "machine role";

  void init(machine_role::pointer self, std::shared_ptr<machine_effects> effects, threads where) {
    effects_ = std::move(effects);
    desk_.emplace(self, std::move(where));
  }

  helper_about hello() const { return about("machine", effects_->limits().owner); }

  template <class Answer, class Order>
  caf::result<Answer> obey(std::string_view verb, const Order& order) {
    return desk_->obey<Answer>(
        verb, order.op, check(order, effects_->limits()),
        [effects = effects_](const auto& task) { return effects->carry_out(task); });
  }

private:
  std::shared_ptr<machine_effects> effects_;
  std::optional<desk<machine_role>> desk_;
};

machine_role::behavior_type behavior(machine_role::stateful_pointer<machine_role_state> self,
                                     std::shared_ptr<machine_effects> effects, threads where) {
  static_assert(actor::sound_state<machine_role_state>);
  actor::make_sturdy(self);
  auto& s = self->state;
  s.init(self, std::move(effects), std::move(where));
  return {
      [&s](hello_atom, const hello_request&) { return s.hello(); },
      [&s](launch_atom, const launch_order& o) { return s.obey<launch_reply>("launch", o); },
      [&s](signal_atom, const signal_order& o) { return s.obey<void>("signal", o); },
      [&s](cleanup_atom, const cleanup_order& o) { return s.obey<void>("cleanup", o); },
      [&s](rootdisk_atom, const root_disk_order& o) {
        return s.obey<root_disk_reply>("rootdisk", o);
      },
      [&s](socket_atom, const socket_order& o) { return s.obey<void>("socket", o); },
      [](inventory_atom) { return machine_inventory{}; }, // it has started nothing
      [&s](sweep_atom, const machine_sweep& o) { return s.obey<sweep_reply>("sweep", o); },
      [](const work::thunk& t) { t.run(); },
  };
}

} // namespace

machine_role spawn_machine_role(caf::actor_system& system, std::shared_ptr<machine_effects> effects,
                                threads where) {
  return system.spawn(behavior, std::move(effects), std::move(where));
}

} // namespace banger::helper
