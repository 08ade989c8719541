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

caf::result<void> network_state::detach(const std::string& op, const std::string& vm) {
  turn_back(vm);
  auto* goes = leave(op, vm);
  if (goes == nullptr)
    goes = find_leaver([&](const leaver& l) { return l.vm == vm; });
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
  leaving_.push_back({vm, std::move(found->second), {}});
  guests_.erase(found);
  if (being_withdrawn_.empty())
    withdraw(op);
  return find_leaver([&](const leaver& l) { return l.vm == vm; });
}

// Whoever leaves while others are being withdrawn goes with the next batch.
void network_state::withdraw(const std::string& op) {
  const auto count = std::min(leaving_.size(), most_at_once);
  const auto end = leaving_.begin() + static_cast<std::ptrdiff_t>(count);
  being_withdrawn_.assign(std::make_move_iterator(leaving_.begin()), std::make_move_iterator(end));
  leaving_.erase(leaving_.begin(), end);
  withdraw_taps(op, 0);
}

void network_state::withdraw_taps(const std::string& op, unsigned tries) {
  auto taps = about<taps_order>(op);
  taps.present = false;
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
  for (const auto& l : being_withdrawn_) {
    auto change = about<guest_change>(op);
    change.guest = order_of(l.who);
    change.present = false;
    withdraw_guest(change, 0, one_less);
  }
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
  for (const auto& one : std::exchange(returning_, {}))
    if (find_leaver([&](const leaver& l) { return l.who.address == one.address; }) != nullptr)
      returning_.push_back(one);
    else
      settle_in(one);
}

} // namespace banger::network
