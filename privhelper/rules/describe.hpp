// Every verb, field and gate, read off the rules that check them.
#pragma once

#include "privhelper/rules/rule.hpp"

namespace banger::helper {

struct verb_gates {
  std::string verb;
  std::vector<gate> gates; ///< in the order in which they are looked at
};

/// With a row for each verb that reads nothing, too.
std::vector<verb_gates> network_gates();
std::vector<verb_gates> machine_gates();

/// As docs/privileges.md shows them: a table in Markdown for each role.
std::string describe_gates();

template <class... Forms>
std::vector<verb_gates> gates_of(const Forms&... forms) {
  std::vector<verb_gates> all{{"hello", {}}, {"inventory", {}}};
  const auto add = [&all](const auto& form) {
    auto& one = all.emplace_back(verb_gates{std::string(form.verb), {}});
    describe_fields(form, {}, one.gates);
  };
  (add(forms), ...);
  return all;
}

} // namespace banger::helper
