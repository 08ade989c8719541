#include "tests/hostile/owner.hpp"

#include <future>

namespace banger::hostile {

using namespace messages;

namespace {

/// What became of many questions that were asked at once.
struct tally {
  std::size_t open = 0, done = 0, busy = 0, other = 0, inventories = 0;
  std::size_t orders_open = 0, behind_inventories = 0;
  std::string text;
  std::promise<void> over;

  void close() {
    if (--open == 0)
      over.set_value();
  }
  void order(const caf::error* why) {
    --orders_open;
    const auto code = why == nullptr ? errc::none : actor::from_error(*why).code;
    (code == errc::none ? done : code == errc::busy ? busy : other) += 1;
    if (code != errc::none && code != errc::busy)
      text = describe(actor::from_error(*why));
    close();
  }
  void inventory(bool answered) {
    inventories += answered ? 1 : 0;
    behind_inventories += orders_open > 0 ? 1 : 0;
    close();
  }
};

policy_order large_policy() {
  policy_order o{"", "br-fc", "10.88.0.0/16", {}};
  for (std::uint32_t n = 256; n < 256 + 1024; ++n)
    o.guests.push_back(nth_guest(n, false));
  return o;
}

// storm COUNT: orders at once, the first few of which take the helper a while.
json storm(owner& self, const words& said) {
  const auto to = self.speak().network();
  if (!to)
    return outcome_of(to);
  constexpr std::size_t slow = 4, questions = 8;
  const auto t = std::make_shared<tally>();
  t->orders_open = slow + std::stoul(said.at(1));
  t->open = t->orders_open + questions;
  auto over = t->over.get_future();
  self.speak().system().spawn([&](caf::event_based_actor* asker) {
    for (std::size_t i = 0; i < slow; ++i)
      asker->request(*to, patience, policy_atom::value, large_policy())
          .then([t](const policy_reply&) { t->order(nullptr); },
                [t](const caf::error& why) { t->order(&why); });
    for (std::size_t i = slow; i < t->orders_open; ++i)
      asker
          ->request(*to, patience, taps_atom::value,
                    taps_order{"", "br-fc", {"tap-fc-none"}, false})
          .then([t](const taps_reply&) { t->order(nullptr); },
                [t](const caf::error& why) { t->order(&why); });
    for (std::size_t i = 0; i < questions; ++i)
      asker->request(*to, patience, inventory_atom::value)
          .then([t](const network_inventory&) { t->inventory(true); },
                [t](const caf::error&) { t->inventory(false); });
  });
  over.wait();
  return {{"done", t->done},
          {"busy", t->busy},
          {"other", t->other},
          {"text", t->text},
          {"inventories", t->inventories},
          {"before_the_last_order", t->behind_inventories}};
}

} // namespace

void add_storm(commands& all) { all["storm"] = storm; }

} // namespace banger::hostile
