// Who goes: one batch after the other, since the kernel takes as long for one tap as for many.
#include "actors/log/log.hpp"
#include "actors/network/network_state.hpp"

#include <algorithm>

namespace banger::network {

using namespace messages;

namespace {
constexpr std::size_t most_at_once = 64; ///< taps in one order
constexpr unsigned most_tries = 20;
constexpr std::chrono::milliseconds pause{250};
} // namespace

caf::result<void> network_state::detach(const departure& who) {
  turn_back(who.vm);
  auto* goes = leave(who.op, who.vm);
  if (goes == nullptr)
    goes = find_leaver([&](const leaver& l) { return l.vm == who.vm; });
  if (goes == nullptr)
    goes = leave_elsewhere(who);
  if (goes == nullptr)
    return caf::unit;
  return goes->answers.emplace_back(self_->make_response_promise<void>());
}

// Whoever waits for something else is told when it is there.
void network_state::turn_back(const std::string& vm) {
  arriving_.erase(vm);
  const auto waits = std::stable_partition(returning_.begin(), returning_.end(),
                                           [&](const newcomer& n) { return n.who.vm != vm; });
  const std::vector<newcomer> turned(waits, returning_.end());
  returning_.erase(waits, returning_.end());
  for (const auto& one : turned)
    turned_back(one);
}

leaver* network_state::find_leaver(const std::function<bool(const leaver&)>& is_it) {
  for (auto* some : {&being_withdrawn_, &leaving_})
    for (auto& one : *some)
      if (is_it(one))
        return &one;
  return nullptr;
}

leaver* network_state::leave(const std::string& op, const std::string& vm) {
  const auto found = guests_.find(vm);
  if (found == guests_.end())
    return nullptr;
  if (const auto called = vm_name::parse(found->second.name))
    around_->names.remove(*called);
  auto gone = std::move(found->second);
  guests_.erase(found);
  return go(op, {vm, std::move(gone), around_->bridge.str(), around_->net->str(), {}});
}

// Where its record has it, unless one of ours is there.
leaver* network_state::leave_elsewhere(const departure& who) {
  elsewhere_.erase(who.vm);
  const auto net = network_of(who.address);
  const auto address = ipv4::parse(who.address.substr(0, who.address.find('/')));
  if (who.bridge.empty() || !net || !address ||
      std::any_of(guests_.begin(), guests_.end(),
                  [&](const auto& g) { return g.second.address == *address; }))
    return nullptr;
  return go(who.op, {who.vm, {{}, *address}, who.bridge, net->str(), {}});
}

leaver* network_state::go(const std::string& op, leaver one) {
  const auto vm = one.vm;
  leaving_.push_back(std::move(one));
  if (being_withdrawn_.empty())
    withdraw(op);
  return find_leaver([&](const leaver& l) { return l.vm == vm; });
}

// Whoever leaves while others are being withdrawn goes with the next batch.
void network_state::withdraw(const std::string& op) {
  const auto place = std::make_pair(leaving_.front().bridge, leaving_.front().network);
  auto end = leaving_.begin();
  while (end != leaving_.end() && being_withdrawn_.size() < most_at_once &&
         place == std::make_pair(end->bridge, end->network))
    being_withdrawn_.push_back(std::move(*end++));
  leaving_.erase(leaving_.begin(), end);
  withdraw_taps(op, 0);
}

void network_state::withdraw_taps(const std::string& op, unsigned tries) {
  taps_order taps{op, being_withdrawn_.front().bridge, {}, false};
  for (const auto& l : being_withdrawn_)
    taps.names.push_back(tap_of(l.who.address).str());
  say(
      taps_atom::value, taps, [this, op](const privileged::open_taps_ptr&) { withdraw_guests(op); },
      [this, op, tries](const failure& why) {
        not_tidied(
            why, tries, [this, op, tries] { withdraw_taps(op, tries + 1); },
            [this] { withdrawn(); });
      });
}

void network_state::withdraw_guests(const std::string& op) {
  const auto one_less = [this, left = std::make_shared<std::size_t>(being_withdrawn_.size())] {
    if (--*left == 0)
      withdrawn();
  };
  for (const auto& l : being_withdrawn_)
    withdraw_guest({op, l.bridge, l.network, order_of(l.who), false}, 0, one_less);
}

void network_state::withdraw_guest(const guest_change& change, unsigned tries,
                                   const std::function<void()>& done) {
  say(
      guest_atom::value, change, [done](const policy_reply&) { done(); },
      [this, change, tries, done](const failure& why) {
        not_tidied(
            why, tries, [this, change, tries, done] { withdraw_guest(change, tries + 1, done); },
            done);
      });
}

// A helper that is busy with the orders of others will have time; nobody else takes this away.
void network_state::not_tidied(const failure& why, unsigned tries, std::function<void()> again,
                               const std::function<void()>& give_up) {
  if (why.code == errc::busy && tries < most_tries)
    return actor::after(self_, pause, work::thunk{std::move(again)});
  ground_ = false; // the next time, the whole policy is said anew
  log::failed({}, "network_not_tidied", why);
  give_up();
}

void network_state::withdrawn() {
  for (const auto& gone : std::exchange(being_withdrawn_, {}))
    for (const auto& who : gone.answers)
      actor::done(who);
  if (!leaving_.empty())
    withdraw({});
  else if (parting_)
    part_from_names();
  for (const auto& one : std::exchange(returning_, {}))
    if (find_leaver([&](const leaver& l) { return l.who.address == one.address; }) != nullptr)
      returning_.push_back(one);
    else
      settle_in(one);
}

// -- the daemon goes ------------------------------------------------------------------------------

caf::result<void> network_state::part() {
  const auto answer = self_->make_response_promise<void>();
  parting_ = answer;
  if (being_withdrawn_.empty())
    part_from_names();
  return answer;
}

// Any program of this host could answer in our place.
void network_state::part_from_names() {
  if (!ours_)
    return parted();
  auto names = about<resolver_order>({});
  names.present = false;
  say(
      resolver_atom::value, names, [this] { part_from_bridge(); },
      [this](const failure& why) {
        log::failed({}, "names_not_taken_back", why);
        part_from_bridge();
      });
}

// The rules go with it, also those in the chains of others.
void network_state::part_from_bridge() {
  if (!guests_.empty())
    return parted();
  auto bridge = about<bridge_order>({});
  bridge.present = false;
  say(
      bridge_atom::value, bridge, [this] { parted(); },
      [this](const failure& why) {
        log::failed({}, "bridge_not_removed", why);
        parted();
      });
}

void network_state::parted() {
  if (const auto answer = std::exchange(parting_, std::nullopt))
    actor::done(*answer);
}

} // namespace banger::network
