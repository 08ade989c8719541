#include "privhelper/rules/network.hpp"

#include "privhelper/rules/describe.hpp"

namespace banger::helper {

namespace m = messages;

namespace {

constexpr std::size_t most_taps = 64, most_guests = 1024, most_bridges = 64,
                      most_taps_of_host = 4096;

constexpr std::string_view guests_address =
    "a guest's of the network: not its first, which is the host's, and not its ends";

template <class T>
std::optional<std::string> twice(const policy_task& task, T guest::*member, const char* name) {
  std::set<T> seen;
  for (std::size_t i = 0; i < task.guests.size(); ++i)
    if (!seen.insert(task.guests[i].*member).second)
      return "guests[" + std::to_string(i) + "]." + name;
  return std::nullopt;
}

std::optional<std::string> foreign_address(const policy_task& task) {
  for (std::size_t i = 0; i < task.guests.size(); ++i)
    if (!task.network.is_guest(task.guests[i].address))
      return "guests[" + std::to_string(i) + "].address";
  return std::nullopt;
}

constexpr auto bridge_form = make_form<bridge_task>(
    "bridge", is<gates::operation>("op", &m::bridge_order::op),
    is<gates::our_bridge>("bridge", &m::bridge_order::bridge),
    is<if_present<gates::private_network>>("network", &m::bridge_order::network),
    is<gates::flag>("present", &m::bridge_order::present));

constexpr auto taps_form =
    make_form<taps_task>("taps", is<gates::operation>("op", &m::taps_order::op),
                         is<gates::our_bridge>("bridge", &m::taps_order::bridge),
                         is<list_of<gates::our_tap, 1, most_taps>>("names", &m::taps_order::names),
                         is<gates::flag>("present", &m::taps_order::present));

constexpr auto guest_form =
    make_form<guest>("", is<gates::our_tap>("tap", &m::guest_order::tap),
                     is<gates::mac>("mac", &m::guest_order::mac),
                     is<gates::address>("address", &m::guest_order::address),
                     is<gates::flag>("nat", &m::guest_order::nat));

struct a_guest {
  static verdict<guest> read(const m::guest_order& order, const context& c) {
    auto read = read_fields(guest_form, order, c);
    if (!read)
      read.error().where.insert(0, ".");
    return read;
  }
  static void describe(const std::string& field, std::vector<gate>& into) {
    describe_fields(guest_form, field + ".", into);
  }
};

constexpr auto policy_form =
    make_form<policy_task>(
        "policy", is<gates::operation>("op", &m::policy_order::op),
        is<gates::our_bridge>("bridge", &m::policy_order::bridge),
        is<gates::own_network>("network", &m::policy_order::network),
        is<list_of<a_guest, 0, most_guests>>("guests", &m::policy_order::guests)) &
    relation<policy_task>{"guests[].tap", "of one guest only",
                          [](const policy_task& t) { return twice(t, &guest::tap, "tap"); }} &
    relation<policy_task>{"guests[].mac", "of one guest only",
                          [](const policy_task& t) { return twice(t, &guest::mac, "mac"); }} &
    relation<policy_task>{
        "guests[].address", "of one guest only",
        [](const policy_task& t) { return twice(t, &guest::address, "address"); }} &
    relation<policy_task>{"guests[].address", guests_address, foreign_address};

constexpr auto guest_change_form =
    make_form<guest_task>("guest", is<gates::operation>("op", &m::guest_change::op),
                          is<gates::our_bridge>("bridge", &m::guest_change::bridge),
                          is<gates::own_network>("network", &m::guest_change::network),
                          is<a_guest>("guest", &m::guest_change::guest),
                          is<gates::flag>("present", &m::guest_change::present)) &
    relation<guest_task>{"guest.address", guests_address,
                         [](const guest_task& t) -> std::optional<std::string> {
                           if (t.network.is_guest(t.guest.address))
                             return std::nullopt;
                           return "guest.address";
                         }};

constexpr auto resolver_form =
    make_form<resolver_task>("resolver", is<gates::operation>("op", &m::resolver_order::op),
                             is<gates::our_bridge>("bridge", &m::resolver_order::bridge),
                             is<if_present<gates::loopback>>("server", &m::resolver_order::server),
                             is<gates::flag>("present", &m::resolver_order::present));

constexpr auto sweep_form = make_form<network_sweep_task>(
    "sweep", is<gates::operation>("op", &m::network_sweep::op),
    is<list_of<gates::our_bridge, 0, most_bridges>>("bridges", &m::network_sweep::bridges),
    is<list_of<gates::our_tap, 0, most_taps_of_host>>("taps", &m::network_sweep::taps));

// Nothing here depends on the installation.
const bounds& nothing() {
  static const bounds none;
  return none;
}

} // namespace

expected<bridge_task> check(const m::bridge_order& order) {
  return check_order(bridge_form, order, nothing());
}
expected<taps_task> check(const m::taps_order& order) {
  return check_order(taps_form, order, nothing());
}
expected<policy_task> check(const m::policy_order& order) {
  return check_order(policy_form, order, nothing());
}
expected<guest_task> check(const m::guest_change& order) {
  return check_order(guest_change_form, order, nothing());
}
expected<resolver_task> check(const m::resolver_order& order) {
  return check_order(resolver_form, order, nothing());
}
expected<network_sweep_task> check(const m::network_sweep& order) {
  return check_order(sweep_form, order, nothing());
}

std::vector<verb_gates> network_gates() {
  return gates_of(bridge_form, taps_form, policy_form, guest_change_form, resolver_form,
                  sweep_form);
}

} // namespace banger::helper
