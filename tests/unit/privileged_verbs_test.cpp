// The interfaces of the helper, and the rules for what is said on them: neither has what the other
// has not.
#include "messages/helper.hpp"
#include "privhelper/rules/describe.hpp"
#include "privhelper/rules/machine.hpp"
#include "privhelper/rules/network.hpp"
#include "tests/support/catch.hpp"

#include <set>

using namespace banger;

namespace {

template <class Order>
constexpr bool is_checked = requires(const Order& order, const helper::bounds& b) {
  helper::check(order);
}
|| requires(const Order& order, const helper::bounds& b) { helper::check(order, b); };

template <class Clause>
struct clause;

template <caf::atom_value Verb, class... In, class Out>
struct clause<caf::typed_mpi<caf::detail::type_list<caf::atom_constant<Verb>, In...>, Out>> {
  static std::string name() { return caf::to_string(Verb); }
  static constexpr bool checked =
      ((is_checked<In> || std::is_same_v<In, messages::hello_request>)&&...);
};

template <class... Clauses>
std::set<std::string> verbs_of(const caf::typed_actor<Clauses...>*) {
  static_assert((clause<Clauses>::checked && ...), "an order without a rule");
  return {clause<Clauses>::name()...};
}

std::set<std::string> verbs_of(const std::vector<helper::verb_gates>& gates) {
  std::set<std::string> names;
  for (const auto& v : gates)
    names.insert(v.verb);
  return names;
}

} // namespace

TEST_CASE("every verb of the helper has its gates, and every gate a verb") {
  CHECK(verbs_of(static_cast<const messages::network_helper*>(nullptr)) ==
        verbs_of(helper::network_gates()));
  CHECK(verbs_of(static_cast<const messages::machine_helper*>(nullptr)) ==
        verbs_of(helper::machine_gates()));
}
