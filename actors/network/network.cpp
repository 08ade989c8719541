#include "actors/network/network_state.hpp"

#include "actors/log/log.hpp"

namespace banger::network {

using namespace messages;

void network_state::init(network_actor::pointer self, surroundings around) {
  self_ = self;
  around_ = std::move(around);
  no_names_ = around_->names.why_not;
  const network_actor me = self;
  privileged_ =
      privileged::spawn_privileged(self->home_system(), around_->to, around_->workers, [me, this] {
        actor::tell_from_outside(me, work::thunk{[this] { ground_ = false; }});
      });
  self_->link_to(privileged_);
  settle_known();
  if (!around_->net)
    return;
  // Those that run have what they need; but the daemon before us may have left more than that.
  if (!guests_.empty())
    lay_ground({}, [](const expected<void>&) {});
  else
    look_around();
}

// Those that run first: nobody else may have what they have.
void network_state::settle_known() {
  if (around_->net)
    addresses_.emplace(*around_->net);
  for (const auto& k : around_->known) {
    if (k.bridge.empty())
      continue;
    const auto address = ipv4::parse(k.address);
    const auto called = vm_name::parse(k.name);
    if (addresses_ && address && called && k.bridge == around_->bridge.str() &&
        addresses_->hold(k.vm, *address)) {
      guests_.emplace(k.vm, guest{k.name, *address, k.nat});
      around_->names.set(*called, *address, [] {});
    } else {
      elsewhere_.emplace(k.vm, k);
    }
  }
  for (const auto& k : around_->known)
    if (const auto address = ipv4::parse(k.address); addresses_ && k.bridge.empty() && address)
      addresses_->hold(k.vm, *address);
  around_->known.clear();
}

guest_order network_state::order_of(const guest& g) const {
  return {tap_of(g.address).str(), mac_address::of(g.address).str(), g.address.str(), g.nat};
}

// More at once than the helper has room for would fail, though nothing is wrong with them.
void network_state::in_turn(std::function<void()> order) {
  if (under_way_ == most_under_way)
    return orders_.push_back(std::move(order));
  ++under_way_;
  order();
}

void network_state::heard() {
  if (orders_.empty()) {
    --under_way_;
    return;
  }
  const auto next = std::move(orders_.front());
  orders_.pop_front();
  next();
}

// -- who comes ------------------------------------------------------------------------------------

// Whoever had the address before must be gone: what takes it away knows it by nothing else.
caf::result<lease_ptr> network_state::attach(const arrival& who) {
  if (!around_->net)
    return actor::to_error(around_->net.error());
  const auto before = ipv4::parse(who.address);
  const auto address = addresses_->take(who.vm, before ? std::optional(*before) : std::nullopt);
  if (!address)
    return actor::to_error(address.error());
  const newcomer one{who, *address, self_->make_response_promise<lease_ptr>(), ++last_visit_};
  arriving_[who.vm] = one.visit;
  if (find_leaver([&](const leaver& l) { return l.who.address == one.address; }) != nullptr)
    returning_.push_back(one);
  else
    settle_in(one);
  return one.answer;
}

void network_state::settle_in(const newcomer& one) {
  lay_ground(one.who.op, [this, one](const expected<void>& ready) {
    if (turned_back(one))
      return;
    if (ready)
      admit(one);
    else
      not_admitted(one, ready.error());
  });
}

void network_state::answer(const newcomer& one, expected<lease_ptr> outcome) {
  if (const auto at = arriving_.find(one.who.vm); at != arriving_.end() && at->second == one.visit)
    arriving_.erase(at);
  actor::settle(one.answer, std::move(outcome));
}

// It went again while it came. What it had got by then, its leaving takes away.
bool network_state::turned_back(const newcomer& one) {
  const auto at = arriving_.find(one.who.vm);
  if (at != arriving_.end() && at->second == one.visit)
    return false;
  answer(one, fail(errc::cancelled, "VM " + one.who.name + " was taken off the bridge",
                   "while it was being connected to it"));
  return true;
}

// Somebody took our tables or our bridge away: they are made again, once.
void network_state::not_admitted(newcomer one, const failure& why) {
  if (why.code != errc::not_found || std::exchange(one.again, true)) {
    leave(one.who.op, one.who.vm);
    return answer(one, tl::unexpected(why));
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
      guest_atom::value, change,
      [this, one](const policy_reply& policy) {
        if (!turned_back(one))
          open_tap(one, policy);
      },
      [this, one](const failure& why) {
        if (!turned_back(one))
          not_admitted(one, why);
      });
}

void network_state::open_tap(const newcomer& one, const policy_reply& policy) {
  auto made = std::make_shared<lease>();
  made->address = one.address.str() + "/" + std::to_string(around_->net->prefix());
  made->gateway = around_->net->host().str();
  made->mac = mac_address::of(one.address).str();
  made->tap = tap_of(one.address).str();
  made->bridge = around_->bridge.str();
  made->obstacles = told(one.who.nat ? policy.obstacles : std::vector<std::string>());
  auto order = about<taps_order>(one.who.op);
  order.names = {made->tap};
  say(
      taps_atom::value, order,
      [this, one, made](const privileged::open_taps_ptr& taps) {
        if (turned_back(one))
          return;
        made->device = taps->front();
        hand_out(one, made);
      },
      [this, one](const failure& why) {
        if (!turned_back(one))
          not_admitted(one, why);
      });
}

// A VM that is reported running can be reached by its name.
void network_state::hand_out(const newcomer& one, const lease_ptr& made) {
  const auto called = vm_name::parse(one.who.name);
  if (!called)
    return answer(one, made);
  const network_actor me = self_;
  around_->names.set(*called, one.address, [this, me, one, made] {
    actor::tell_from_outside(me, work::thunk{[this, one, made] {
                               if (!turned_back(one))
                                 answer(one, made);
                             }});
  });
}

// -- what changes ---------------------------------------------------------------------------------

namespace {

failure not_here(const std::string& vm, const std::map<std::string, known_guest>& elsewhere) {
  const auto found = elsewhere.find(vm);
  const auto name = found == elsewhere.end() ? vm : found->second.name;
  const auto bridge = found == elsewhere.end() ? "" : " (" + found->second.bridge + ")";
  return {errc::unavailable,
          "cannot change what VM " + name + " may reach while it runs",
          "it is not on the bridge that this daemon looks after" + bridge,
          "stop it, then change it",
          {}};
}

} // namespace

// The ground first, in case that somebody took it away; if it cannot be laid, the VM may be there
// all the same.
caf::result<policy_ptr> network_state::set_nat(const std::string& op, const std::string& vm,
                                               bool nat) {
  const auto found = guests_.find(vm);
  if (found == guests_.end()) {
    const auto other = elsewhere_.find(vm);
    if (other != elsewhere_.end() && other->second.nat == nat)
      return policy_ptr();
    return actor::to_error(not_here(vm, elsewhere_));
  }
  if (found->second.nat == nat && !found->second.unsure)
    return policy_ptr();
  auto answer = self_->make_response_promise<policy_ptr>();
  lay_ground(op, [this, op, vm, nat, answer](const expected<void>&) mutable {
    const auto now = guests_.find(vm);
    if (now == guests_.end()) {
      answer.deliver(actor::to_error(not_here(vm, elsewhere_)));
      return;
    }
    auto to = now->second;
    to.nat = nat;
    change(op, vm, to, answer);
  });
  return answer;
}

void network_state::change(const std::string& op, const std::string& vm, const guest& to,
                           caf::typed_response_promise<policy_ptr> answer) {
  auto order = about<guest_change>(op);
  order.guest = order_of(to);
  say(
      guest_atom::value, order,
      [this, vm, to, answer](const policy_reply& policy) mutable {
        if (const auto now = guests_.find(vm); now != guests_.end()) {
          now->second.nat = to.nat;
          now->second.unsure = false;
        }
        auto all = policy;
        all.obstacles = told(std::move(all.obstacles));
        answer.deliver(std::make_shared<const policy_reply>(std::move(all)));
      },
      [this, vm, answer](const failure& why) mutable {
        ground_ = false;
        if (const auto now = guests_.find(vm); now != guests_.end())
          now->second.unsure = true;
        answer.deliver(actor::to_error(why));
      });
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
      [&s](detach_atom, const departure& who) { return s.detach(who); },
      [&s](nat_atom, const std::string& op, const std::string& vm, bool nat) {
        return s.set_nat(op, vm, nat);
      },
      [&s](rename_atom, const std::string& vm, const std::string& to) { return s.rename(vm, to); },
      [&s](forget_atom, const std::string& vm) { s.forget(vm); },
      [&s](part_atom) { return s.part(); },
      [](const work::thunk& t) { t.run(); },
  };
}

} // namespace

network_actor spawn_network(caf::actor_system& system, surroundings around) {
  return system.spawn(behavior, std::move(around));
}

} // namespace banger::network
