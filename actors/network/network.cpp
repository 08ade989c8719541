#include "actors/network/network_state.hpp"

#include "actors/log/log.hpp"

namespace banger::network {

using namespace messages;

namespace {
constexpr std::size_t most_at_once = 64; ///< taps in one order
} // namespace

void network_state::init(network_actor::pointer self, surroundings around) {
  self_ = self;
  around_ = std::move(around);
  const network_actor me = self;
  privileged_ =
      privileged::spawn_privileged(self->home_system(), around_->to, around_->workers, [me, this] {
        actor::tell_from_outside(me, work::thunk{[this] { ground_ = false; }});
      });
  self_->link_to(privileged_);
  if (!around_->net)
    return;
  addresses_.emplace(*around_->net);
  for (const auto& k : around_->known) {
    const auto address = ipv4::parse(k.address);
    const auto called = vm_name::parse(k.name);
    if (!address || !called || addresses_->take(k.vm, *address).value_or(ipv4{}) != *address)
      continue;
    if (!k.runs)
      continue;
    guests_.emplace(k.vm, guest{k.name, *address, k.nat});
    around_->names.set(*called, *address, [] {});
  }
  around_->known.clear();
  // Those that run have what they need; but the daemon before us may have left more than that.
  if (!guests_.empty())
    lay_ground({}, [](const expected<void>&) {});
  else
    look_around();
}

guest_order network_state::order_of(const guest& g) const {
  return {tap_of(g.address).str(), mac_address::of(g.address).str(), g.address.str(), g.nat};
}

// -- who comes ------------------------------------------------------------------------------------

caf::result<lease_ptr> network_state::attach(const arrival& who) {
  if (!around_->net)
    return actor::to_error(around_->net.error());
  const auto before = ipv4::parse(who.address);
  const auto address = addresses_->take(who.vm, before ? std::optional(*before) : std::nullopt);
  if (!address)
    return actor::to_error(address.error());
  auto answer = self_->make_response_promise<lease_ptr>();
  settle_in({who, *address, answer});
  return answer;
}

void network_state::settle_in(const newcomer& one) {
  lay_ground(one.who.op, [this, one](const expected<void>& ready) mutable {
    if (ready)
      admit(one);
    else
      not_admitted(one, ready.error());
  });
}

// Somebody took our tables or our bridge away: they are made again, once.
void network_state::not_admitted(newcomer one, const failure& why) {
  if (why.code != errc::not_found || std::exchange(one.again, true)) {
    leave(one.who.op, one.who.vm, {});
    one.answer.deliver(actor::to_error(why));
    return;
  }
  log::warn({.op = one.who.op}, "network_made_again", {{"text", describe(why)}});
  guests_.erase(one.who.vm);
  ground_ = false;
  settle_in(one);
}

// The policy first: a tap without one can do nothing.
void network_state::admit(const newcomer& one) {
  const auto& g = guests_[one.who.vm] = guest{one.who.name, one.address, one.who.nat};
  auto change = about<guest_change>(one.who.op);
  change.guest = order_of(g);
  say(
      guest_atom::value, change, [this, one](const policy_reply& policy) { open_tap(one, policy); },
      [this, one](const failure& why) { not_admitted(one, why); });
}

void network_state::open_tap(const newcomer& one, const policy_reply& policy) {
  auto made = std::make_shared<lease>();
  made->address = one.address.str() + "/" + std::to_string(around_->net->prefix());
  made->gateway = around_->net->host().str();
  made->mac = mac_address::of(one.address).str();
  made->tap = tap_of(one.address).str();
  made->bridge = around_->bridge.str();
  if (one.who.nat)
    made->obstacles = policy.obstacles;
  auto order = about<taps_order>(one.who.op);
  order.names = {made->tap};
  say(
      taps_atom::value, order,
      [this, one, made](const privileged::open_taps_ptr& taps) {
        made->device = taps->front();
        hand_out(one.who, made, one.answer);
      },
      [this, one](const failure& why) { not_admitted(one, why); });
}

// A VM that is reported running can be reached by its name.
void network_state::hand_out(const arrival& who, lease_ptr made, promise answer) {
  const auto called = vm_name::parse(who.name);
  const auto found = guests_.find(who.vm);
  if (!called || found == guests_.end()) {
    answer.deliver(std::move(made));
    return;
  }
  const network_actor me = self_;
  around_->names.set(*called, found->second.address,
                     [me, made = std::move(made), answer]() mutable {
                       actor::tell_from_outside(
                           me, work::thunk{[made, answer]() mutable { answer.deliver(made); }});
                     });
}

// -- who goes -------------------------------------------------------------------------------------

caf::result<void> network_state::detach(const std::string& op, const std::string& vm) {
  if (guests_.count(vm) == 0)
    return caf::unit;
  auto answer = self_->make_response_promise<void>();
  leave(op, vm, answer);
  return answer;
}

void network_state::leave(const std::string& op, const std::string& vm,
                          std::optional<caf::typed_response_promise<void>> answer) {
  const auto found = guests_.find(vm);
  if (found == guests_.end())
    return;
  if (const auto called = vm_name::parse(found->second.name))
    around_->names.remove(*called);
  leaving_.push_back({std::move(found->second), std::move(answer)});
  guests_.erase(found);
  if (being_withdrawn_.empty())
    withdraw(op);
}

// Whoever leaves while others are being withdrawn goes with the next batch: the kernel takes as
// long for one tap as for many.
void network_state::withdraw(const std::string& op) {
  const auto count = std::min(leaving_.size(), most_at_once);
  const auto end = leaving_.begin() + static_cast<std::ptrdiff_t>(count);
  being_withdrawn_.assign(std::make_move_iterator(leaving_.begin()), std::make_move_iterator(end));
  leaving_.erase(leaving_.begin(), end);
  auto taps = about<taps_order>(op);
  taps.present = false;
  for (const auto& l : being_withdrawn_)
    taps.names.push_back(tap_of(l.who.address).str());
  const auto failed = [this](const failure& why) {
    ground_ = false; // the next time, the whole policy is said anew
    log::failed({}, "network_not_tidied", why);
    withdrawn();
  };
  const auto policy = [this, op](const privileged::open_taps_ptr&) {
    auto left = std::make_shared<std::size_t>(being_withdrawn_.size());
    for (const auto& l : being_withdrawn_) {
      auto change = about<guest_change>(op);
      change.guest = order_of(l.who);
      change.present = false;
      const auto one_less = [this, left] {
        if (--*left == 0)
          withdrawn();
      };
      say(
          guest_atom::value, change, [one_less](const policy_reply&) { one_less(); },
          [this, one_less](const failure& why) {
            ground_ = false;
            log::failed({}, "network_not_tidied", why);
            one_less();
          });
    }
  };
  say(taps_atom::value, taps, policy, failed);
}

void network_state::withdrawn() {
  for (auto& l : std::exchange(being_withdrawn_, {}))
    if (l.answer)
      actor::done(*l.answer);
  if (!leaving_.empty())
    withdraw({});
}

// -- what changes ---------------------------------------------------------------------------------

caf::result<policy_reply> network_state::set_nat(const std::string& op, const std::string& vm,
                                                 bool nat) {
  const auto found = guests_.find(vm);
  if (found == guests_.end() || found->second.nat == nat)
    return policy_reply{};
  auto answer = self_->make_response_promise<policy_reply>();
  auto changed = found->second;
  changed.nat = nat;
  auto change = about<guest_change>(op);
  change.guest = order_of(changed);
  say(
      guest_atom::value, change,
      [this, vm, nat, answer](const policy_reply& policy) mutable {
        if (const auto now = guests_.find(vm); now != guests_.end())
          now->second.nat = nat;
        answer.deliver(policy);
      },
      [answer](const failure& why) mutable { answer.deliver(actor::to_error(why)); });
  return answer;
}

caf::result<void> network_state::rename(const std::string& vm, const std::string& to) {
  const auto found = guests_.find(vm);
  const auto called = vm_name::parse(to);
  if (found == guests_.end() || !called)
    return caf::unit;
  if (const auto old = vm_name::parse(found->second.name))
    around_->names.remove(*old);
  found->second.name = to;
  around_->names.set(*called, found->second.address, [] {});
  return caf::unit;
}

void network_state::forget(const std::string& vm) {
  if (addresses_)
    addresses_->drop(vm);
}

namespace {

network_actor::behavior_type behavior(network_actor::stateful_pointer<network_state> self,
                                      surroundings around) {
  static_assert(actor::sound_state<network_state>);
  actor::make_sturdy(self);
  auto& s = self->state;
  s.init(self, std::move(around));
  return {
      [&s](attach_atom, const arrival& who) { return s.attach(who); },
      [&s](detach_atom, const std::string& op, const std::string& vm) { return s.detach(op, vm); },
      [&s](nat_atom, const std::string& op, const std::string& vm, bool nat) {
        return s.set_nat(op, vm, nat);
      },
      [&s](rename_atom, const std::string& vm, const std::string& to) { return s.rename(vm, to); },
      [&s](forget_atom, const std::string& vm) { s.forget(vm); },
      [](const work::thunk& t) { t.run(); },
  };
}

} // namespace

network_actor spawn_network(caf::actor_system& system, surroundings around) {
  return system.spawn(behavior, std::move(around));
}

} // namespace banger::network
