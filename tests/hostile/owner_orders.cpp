#include "tests/hostile/owner.hpp"

#include <unistd.h>

namespace banger::hostile {

using namespace messages;

namespace {

json hello(owner& self, const words& said) {
  const auto about = self.speak().hello(said.at(1));
  auto line = outcome_of(about);
  if (about)
    line.update({{"pid", about->pid}, {"role", about->role}, {"owner", about->owner}});
  return line;
}

// A line for each attack, and one at the end.
json orders(owner& self, const words& said) {
  surroundings around;
  around.owner = ::getuid();
  if (said.at(1) == "machine") {
    around.state = said.at(2);
    around.hypervisor = static_cast<std::uint32_t>(std::stoul(said.at(3)));
    for (std::size_t i = 4; i < said.size(); ++i)
      around.others.push_back(static_cast<std::uint32_t>(std::stoul(said[i])));
  }
  const auto all = said.at(1) == "machine" ? machine_attacks(around) : network_attacks();
  for (const auto& one : all) {
    auto line = outcome_of(self.speak().give(one.what));
    line.update({{"verb", one.verb},
                 {"field", one.field},
                 {"said", one.said},
                 {"names", one.names},
                 {"expected", to_string(one.code)}});
    answer(line);
  }
  return {{"done", all.size()}};
}

json taps(owner& self, const words& said) {
  const auto reply = self.speak().taps({"", said.at(1), {said.begin() + 2, said.end()}, true});
  auto line = outcome_of(reply);
  if (reply)
    line["token"] = reply->token;
  return line;
}

json inventory(owner& self, const words&) {
  const auto found = self.speak().inventory();
  auto line = outcome_of(found);
  line["links"] = found ? found->links.size() : 0;
  return line;
}

template <class Make>
command one(Make make) {
  return
      [make](owner& self, const words& said) { return outcome_of(self.speak().give(make(said))); };
}

} // namespace

void add_orders(commands& all) {
  all["hello"] = hello;
  all["orders"] = orders;
  all["taps"] = taps;
  all["inventory"] = inventory;
  all["bridge"] = one([](const words& said) {
    return bridge_order{"", said.at(1), said.at(2), true};
  });
  all["policy"] = one([](const words& said) {
    policy_order o{"", "br-fc", said.size() > 2 ? said[2] : "10.88.0.0/24", {}};
    for (std::uint32_t n = 2; n < 2 + std::stoul(said.at(1)); ++n)
      o.guests.push_back(nth_guest(n));
    return o;
  });
  all["guest"] = one([](const words& said) {
    return guest_change{"", "br-fc", "10.88.0.0/24",
                        nth_guest(static_cast<std::uint32_t>(std::stoul(said.at(1)))), true};
  });
  // Of a bridge that is not there: whatever a host's resolver knows is none of a test's business.
  all["resolver"] = one([](const words&) {
    return resolver_order{"", "br-fc-none", "127.0.0.1:42069", true};
  });
  all["sweep"] = one([](const words&) { return network_sweep{}; });
  all["launch"] = one([](const words&) { return good_launch(); });
  all["signal"] = one([](const words& said) {
    return signal_order{"", vm, static_cast<std::uint32_t>(std::stoul(said.at(1))),
                        std::stoull(said.at(2)), said.at(3)};
  });
}

} // namespace banger::hostile
