// Orders that a daemon which somebody took over may give, and how each of them has to be refused.
#pragma once

#include "messages/base/net.hpp"
#include "messages/helper.hpp"
#include "tests/unit/helper_attacks.hpp"

#include <filesystem>
#include <functional>
#include <variant>

namespace banger::hostile {

using order =
    std::variant<messages::bridge_order, messages::taps_order, messages::policy_order,
                 messages::guest_change, messages::resolver_order, messages::network_sweep,
                 messages::launch_order, messages::signal_order, messages::cleanup_order,
                 messages::root_disk_order, messages::socket_order, messages::machine_sweep>;

struct attack {
  std::string verb, field;
  std::string said;  ///< the bad value, for people
  std::string names; ///< what the refusal must say
  errc code = errc::bad_request;
  order what;
};
using attacks = std::vector<attack>;

/// Variations of one good order.
template <class Order>
class attacks_on {
public:
  attacks_on(attacks& into, std::string verb, Order good)
      : into_(into), verb_(std::move(verb)), good_(std::move(good)) {}

  template <class Change>
  void with(const std::string& field, const std::string& said, Change change) {
    into_.push_back({verb_, field, helper::clean(said), verb_ + " order: field " + field,
                     errc::bad_request, changed(change)});
  }
  /// Good as text, refused when it is carried out; `names`: the path or process in question.
  template <class Change>
  void later(const std::string& field, errc code, const std::string& names, Change change) {
    into_.push_back({verb_, field, helper::clean(names), names, code, changed(change)});
  }
  /// `at(order)` is a string that takes neither of these.
  template <class At>
  void strings(const std::string& field, At at, const std::vector<std::string>& bad) {
    for (const auto& value : bad)
      with(field, value, [&](Order& o) { at(o) = value; });
  }
  template <class At>
  void poison(const std::string& field, At at, const std::vector<std::string>& more = {}) {
    strings(field, at, test::poison());
    strings(field, at, more);
  }
  template <class At, class Number>
  void numbers(const std::string& field, At at, std::initializer_list<Number> bad) {
    for (const auto value : bad)
      with(field, std::to_string(value), [&](Order& o) { at(o) = value; });
  }

private:
  template <class Change>
  Order changed(Change change) const {
    auto bad = good_;
    change(bad);
    return bad;
  }

  attacks& into_;
  std::string verb_;
  Order good_;
};

attacks network_attacks();

/// What the machine's orders are about; see `host::make_state`.
struct surroundings {
  std::filesystem::path state;
  std::uint32_t owner = 0;
  std::uint32_t hypervisor = 0;      ///< a living process that runs as an id for hypervisors
  std::vector<std::uint32_t> others; ///< living processes that do not
};
attacks machine_attacks(const surroundings& around);

inline constexpr const char* vm = "0123456789ab";
inline constexpr const char* linked_vm = "0123456789ac";  ///< its folder is a link to that of `vm`
inline constexpr const char* foreign_vm = "0123456789ad"; ///< its folder is root's
inline constexpr const char* file_vm = "0123456789ae";    ///< its folder is a file
inline constexpr std::uint32_t first_hypervisor_id = 1879048192;

/// The n-th guest of 10.88.0.0/24, or of the networks behind it.
messages::guest_order nth_guest(std::uint32_t n, bool nat = true);
messages::launch_order good_launch();

} // namespace banger::hostile
