// How an order is checked: field by field, by rules that are objects. What they check and what
// docs/privileges.md says they check is the same text, so there is no second list.
//
// A rule is a type with
//   static std::string text();   what the field is, reading on from "it is"
//   static std::string later();  if there is one: what is looked at when the order is carried out
//   static std::optional<VALUE> read(const WIRE&, const context&);   nothing: it is not so
#pragma once

#include "messages/base/names.hpp"
#include "privhelper/rules/strong.hpp"

#include <array>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

namespace banger::helper {

/// What the installation and the host decide.
struct bounds {
  id_range ids;            ///< of hypervisors
  std::uint32_t owner = 0; ///< the uid
  std::string state;       ///< the owner's state folder: absolute, without a slash at its end
  host_limits host;
};

struct context {
  const bounds& limits;
  bool present = true; ///< whether the order is about something that shall be there
};

/// What is wrong: where, as "guests[2].mac"; and which rule says so.
struct complaint {
  std::string where, why;
};
template <class T>
using verdict = tl::expected<T, complaint>;

/// One line of the table of gates.
struct gate {
  std::string field, text, later;
};

inline std::string shown(const std::string& text) { return "'" + clean(text) + "'"; }
inline std::string shown(std::uint64_t number) { return std::to_string(number); }

template <class Rule, class Wire>
auto apply(const Wire& wire, const context& c) {
  auto value = Rule::read(wire, c);
  if constexpr (requires { value.error(); }) {
    return value;
  } else {
    using type = typename decltype(value)::value_type;
    if (value)
      return verdict<type>(std::move(*value));
    return verdict<type>(
        tl::unexpected(complaint{{}, "it is " + Rule::text() + "; " + shown(wire) + " is not"}));
  }
}

template <class Rule>
void describe(const std::string& field, std::vector<gate>& into) {
  if constexpr (requires { Rule::describe(field, into); })
    Rule::describe(field, into);
  else if constexpr (requires { Rule::later(); })
    into.push_back({field, Rule::text(), Rule::later()});
  else
    into.push_back({field, Rule::text(), {}});
}

// --- fields and forms ---------------------------------------------------------------------------

template <class Order, class Wire, class Rule>
struct field {
  using rule = Rule;
  std::string_view name;
  Wire Order::*member;
};

template <class Rule, class Order, class Wire>
constexpr auto is(std::string_view name, Wire Order::*member) {
  return field<Order, Wire, Rule>{name, member};
}

/// What must hold between fields that are good each for itself.
template <class Task>
struct relation {
  std::string_view field, text;
  /// The field in which it does not, as "guests[2].mac".
  std::optional<std::string> (*broken)(const Task&);
};

/// An order's fields, in the order of its task's members, and their relations. `verb` is empty for
/// what is part of an order.
template <class Task, std::size_t Relations, class... Fields>
struct form {
  using task = Task;
  std::string_view verb;
  std::tuple<Fields...> fields;
  std::array<relation<Task>, Relations> relations;
};

template <class Task, class... Fields>
constexpr auto make_form(std::string_view verb, Fields... fields) {
  return form<Task, 0, Fields...>{verb, {fields...}, {}};
}

template <class Task, std::size_t N, class... Fields>
constexpr auto operator&(const form<Task, N, Fields...>& f, const relation<Task>& more) {
  form<Task, N + 1, Fields...> all{f.verb, f.fields, {}};
  for (std::size_t i = 0; i < N; ++i)
    all.relations[i] = f.relations[i];
  all.relations[N] = more;
  return all;
}

namespace detail {

template <class Form, class Order, class... Read>
verdict<typename Form::task> read_from(const Form& form, const Order& order, const context& c,
                                       Read&&... read) {
  constexpr auto at = sizeof...(Read);
  if constexpr (at == std::tuple_size_v<decltype(form.fields)>) {
    return typename Form::task{std::forward<Read>(read)...};
  } else {
    const auto& f = std::get<at>(form.fields);
    auto value = apply<typename std::decay_t<decltype(f)>::rule>(order.*f.member, c);
    if (!value)
      return tl::unexpected(
          complaint{std::string(f.name) + value.error().where, std::move(value.error().why)});
    return read_from(form, order, c, std::forward<Read>(read)..., std::move(*value));
  }
}

} // namespace detail

template <class Form, class Order>
verdict<typename Form::task> read_fields(const Form& form, const Order& order, const context& c) {
  auto task = detail::read_from(form, order, c);
  if (task)
    for (const auto& r : form.relations)
      if (auto where = r.broken(*task))
        return tl::unexpected(complaint{*std::move(where), "it is " + std::string(r.text)});
  return task;
}

/// `bad_request`: "VERB order: field FIELD", and the rule.
template <class Form, class Order>
expected<typename Form::task> check_order(const Form& form, const Order& order, const bounds& b) {
  context c{b};
  if constexpr (requires { order.present; })
    c.present = order.present;
  auto task = read_fields(form, order, c);
  if (task)
    return std::move(*task);
  return fail(errc::bad_request,
              std::string(form.verb) + " order: field " + std::move(task.error().where),
              std::move(task.error().why));
}

template <class Form>
void describe_fields(const Form& form, const std::string& before, std::vector<gate>& into) {
  std::apply(
      [&](const auto&... f) {
        (describe<typename std::decay_t<decltype(f)>::rule>(before + std::string(f.name), into),
         ...);
      },
      form.fields);
  for (const auto& r : form.relations)
    into.push_back({before + std::string(r.field), std::string(r.text), {}});
}

// --- rules made of rules ------------------------------------------------------------------------

/// `Least` to `Most` of what `Rule` says, none twice.
template <class Rule, std::size_t Least, std::size_t Most>
struct list_of {
  static std::string text() {
    return std::to_string(Least) + " to " + std::to_string(Most) + ", none twice";
  }

  template <class Wire>
  static auto read(const std::vector<Wire>& wire, const context& c) {
    using value = typename decltype(apply<Rule>(wire.front(), c))::value_type;
    verdict<std::vector<value>> all;
    const auto refuse = [&all](std::string where, std::string why) {
      all = tl::unexpected(complaint{std::move(where), std::move(why)});
      return all;
    };
    if (wire.size() < Least || wire.size() > Most)
      return refuse({}, "it is " + text() + "; " + std::to_string(wire.size()) + " are not");
    std::set<value> seen;
    for (std::size_t i = 0; i < wire.size(); ++i) {
      const auto where = "[" + std::to_string(i) + "]";
      auto one = apply<Rule>(wire[i], c);
      if (!one)
        return refuse(where + one.error().where, std::move(one.error().why));
      if (!seen.insert(*one).second)
        return refuse(where, "it is " + text() + "; this one was there before");
      all->push_back(std::move(*one));
    }
    return all;
  }

  static void describe(const std::string& field, std::vector<gate>& into) {
    into.push_back({field, text(), {}});
    helper::describe<Rule>(field + "[]", into);
  }
};

/// As `Rule`, or left out (empty, 0) where the order takes something away.
template <class Rule>
struct if_present {
  template <class Wire>
  static auto read(const Wire& wire, const context& c) {
    using value = typename decltype(apply<Rule>(wire, c))::value_type;
    if (!c.present && wire == Wire{})
      return verdict<std::optional<value>>(std::optional<value>());
    auto one = apply<Rule>(wire, c);
    if (!one)
      return verdict<std::optional<value>>(tl::unexpected(std::move(one.error())));
    return verdict<std::optional<value>>(std::optional<value>(std::move(*one)));
  }

  static void describe(const std::string& field, std::vector<gate>& into) {
    const auto before = into.size();
    helper::describe<Rule>(field, into);
    into[before].text += "; or left out, where `present` is false";
  }
};

} // namespace banger::helper
