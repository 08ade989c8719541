// The network actor with a helper that writes down what it is told.
#pragma once

#include "actors/network/network.hpp"
#include "tests/actor/stage.hpp"

namespace banger::test {

using namespace banger::messages;
using words = std::vector<std::string>;

struct notebook {
  words orders;
  std::vector<guest_order> policy; ///< of the last one
  words wall{"a wall"};            ///< in the way of NAT
  std::string bridge, network;     ///< of the last change of a guest
  network_inventory found;         ///< in the kernel
  network_sweep kept;              ///< of the last sweep
  std::string breaks_at;           ///< an order that fails
  errc breaks_with = errc::not_found;
  int times = -1;              ///< how often it breaks; -1: always
  std::set<std::string> holds; ///< orders that wait until they are let go: "close", "admit", ...
  std::size_t most = 1000;     ///< orders at once; more are `busy`
};

struct helper_double : actor::state_base {
  static inline const char* name = "helper double";
  std::vector<std::function<void()>> held;
};

using held_helper = network_helper::extend<caf::reacts_to<caf::ok_atom>>;

/// Answers now, or when it is let go.
template <class Answer>
caf::result<Answer> respond(held_helper::stateful_pointer<helper_double> self, notebook* n,
                            const std::string& what, expected<Answer> answer) {
  n->orders.push_back(what);
  if (self->state.held.size() >= n->most)
    return actor::to_error({errc::busy, "too much to do", {}, {}, {}});
  if (!n->breaks_at.empty() && what.rfind(n->breaks_at, 0) == 0 && n->times != 0) {
    n->times -= n->times > 0 ? 1 : 0;
    answer = tl::unexpected(failure{n->breaks_with, what + " broke", {}, {}, {}});
  }
  if (n->holds.count(what.substr(0, what.find(' '))) == 0)
    return actor::answer(std::move(answer));
  auto promise = self->template make_response_promise<Answer>();
  self->state.held.emplace_back([promise, answer] { actor::settle(promise, answer); });
  return promise;
}

inline held_helper::behavior_type helper(held_helper::stateful_pointer<helper_double> self,
                                         notebook* n) {
  actor::make_sturdy(self);
  const auto present = [](bool yes, const char* a, const char* b) { return yes ? a : b; };
  return {
      [](hello_atom, const hello_request&) { return helper_about{}; },
      [=](bridge_atom, const bridge_order& o) {
        return respond<void>(
            self, n, o.present ? "bridge " + o.bridge + " " + o.network : "no bridge " + o.bridge,
            {});
      },
      [=](taps_atom, const taps_order& o) {
        std::string what = present(o.present, "open", "close");
        for (const auto& one : o.names)
          what += " " + one;
        return respond<taps_reply>(self, n, what, taps_reply{o.present ? "token" : ""});
      },
      [=](policy_atom, const policy_order& o) {
        n->policy = o.guests;
        return respond<policy_reply>(self, n, "policy", policy_reply{});
      },
      [=](guest_atom, const guest_change& o) {
        n->bridge = o.bridge;
        n->network = o.network;
        const auto what = std::string(present(o.present, "admit ", "expel ")) + o.guest.address +
                          (o.guest.nat ? " nat" : "");
        return respond<policy_reply>(self, n, what, policy_reply{n->wall});
      },
      [=](resolver_atom, const resolver_order& o) {
        return respond<void>(self, n, o.present ? "resolver " + o.server : "no resolver", {});
      },
      [n](inventory_atom) { return n->found; },
      [n](sweep_atom, const network_sweep& o) {
        n->kept = o;
        return sweep_reply{};
      },
      [self](caf::ok_atom) {
        for (const auto& go : std::exchange(self->state.held, {}))
          go();
      },
  };
}

struct bridged : stage {
  notebook n;
  held_helper root_helper;
  std::optional<failure> away; ///< why the helper is not reached
  std::map<std::string, std::string> names;
  std::string name_server = "127.0.0.1:42069";
  std::string no_names;              ///< why nobody answers for them
  std::vector<std::string> troubles; ///< with names, as they were told
  std::vector<network::known_guest> known;
  network::network_actor network;

  void open(const expected<ipv4_net>& net = *ipv4_net::parse("10.213.0.0/20")) {
    start_helper();
    privileged::line to{[this]() -> expected<network_helper> {
                          if (away)
                            return tl::unexpected(*away);
                          return caf::actor_cast<network_helper>(root_helper);
                        },
                        [](const std::string&, std::size_t count) {
                          return expected<std::vector<unique_fd>>(std::vector<unique_fd>(count));
                        }};
    network::name_service service{
        [this](const vm_name& name, ipv4 a, const std::function<void()>& done) {
          names[name.str()] = a.str();
          done();
        },
        [this](const vm_name& name) { names.erase(name.str()); }, name_server, no_names,
        [this](const std::string& why) { troubles.push_back(why); }};
    network =
        keep(network::spawn_network(system, {*bridge_name::parse("br-fc"), net, to,
                                             [](work::pool::task t) { t(); }, service, known}));
    scheduler.run();
  }
  void start_helper() { root_helper = keep(system.spawn(helper, &n)); }

  void come(const std::string& vm, const std::string& address = {}, bool nat = false) {
    client->send(network, network::attach_atom::value,
                 network::arrival{"op-1", vm, vm, address, nat});
    scheduler.run();
  }
  network::lease_ptr attach(const std::string& vm, const std::string& address = {},
                            bool nat = false) {
    come(vm, address, nat);
    return hear_lease();
  }
  network::lease_ptr hear_lease() {
    network::lease_ptr lease;
    client->receive([&](const network::lease_ptr& l) { lease = l; },
                    [](const caf::error& e) { FAIL(describe(actor::from_error(e))); },
                    caf::after(0s) >> [] { FAIL("no answer"); });
    return lease;
  }
  failure hear_refusal() {
    failure why{errc::none, {}, {}, {}, {}};
    client->receive([](const network::lease_ptr&) { FAIL("it came in"); },
                    [&](const caf::error& e) { why = actor::from_error(e); },
                    caf::after(0s) >> [] { FAIL("no answer"); });
    return why;
  }
  failure refusal(const std::string& vm) {
    come(vm);
    return hear_refusal();
  }
  void detach(const std::string& vm, const std::string& bridge = {},
              const std::string& address = {}) {
    client->send(network, network::detach_atom::value,
                 network::departure{"op-2", vm, bridge, address});
  }
  network::policy_ptr set_nat(const std::string& vm, bool nat) {
    return ask<network::policy_ptr>(network, network::nat_atom::value, std::string("op-3"), vm,
                                    nat);
  }
  failure nat_refusal(const std::string& vm, bool nat) {
    failure why{errc::none, {}, {}, {}, {}};
    client->send(network, network::nat_atom::value, std::string("op-3"), vm, nat);
    scheduler.run();
    client->receive([](const network::policy_ptr&) { FAIL("it was changed"); },
                    [&](const caf::error& e) { why = actor::from_error(e); },
                    caf::after(0s) >> [] { FAIL("no answer"); });
    return why;
  }
  void forget(const std::string& vm) {
    client->send(network, network::forget_atom::value, vm);
    scheduler.run();
  }
  /// The helper answers what it holds.
  void let_go() {
    client->send(root_helper, caf::ok_atom::value);
    scheduler.run();
  }
  /// For what is done at once.
  template <class... Words>
  void say(Words... said) {
    auto answer = client->request(network, 1s, said...);
    scheduler.run();
    answer.receive([] {}, [](const caf::error&) { FAIL("refused"); });
  }
  void hear_done() {
    client->receive([] {}, [](const caf::error&) { FAIL("refused"); },
                    caf::after(0s) >> [] { FAIL("no answer"); });
  }
  void hear_nothing() { CHECK(client->mailbox().empty()); }
  words told() { return std::exchange(n.orders, {}); }
};

} // namespace banger::test
