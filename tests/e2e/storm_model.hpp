// What the rules say of a storm: for each VM the operations on their way, and the result that each
// of them must have. The rules themselves are asked (actors/vm/rules.hpp), so a new one is
// believed.
#pragma once

#include "actors/vm/capability.hpp"
#include "messages/models.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace banger::storm {

/// One operation that was begun and has not been accounted for.
struct pending {
  std::string op;
  vm::verb what{};
  bool cancel_asked = false;
  std::optional<errc> end; ///< once it is heard
};

struct machine {
  bool exists = false;
  bool odd = false; ///< its boot fails
  vm::state now = vm::state::created;
  std::deque<pending> queue; ///< in the order in which they were begun

  bool idle() const { return queue.empty(); }
  /// Whether it may be gone or come before what is on its way has ended.
  bool unsettled() const;
};

class model {
public:
  explicit model(std::size_t vms) : vms_(vms) {}

  machine& at(std::size_t i) { return vms_[i]; }
  std::size_t size() const { return vms_.size(); }
  std::size_t outstanding() const { return places_.size(); }

  void begun(std::size_t vm, const std::string& op, vm::verb what, bool odd = false);
  void cancelled(const std::string& op);
  /// Of all that are on their way.
  std::vector<std::string> operations() const;
  /// What is wrong with that end; empty if it is as the rules predict.
  std::string ended(const messages::finished& end);
  /// May a request to begin be refused so now?
  bool may_refuse(std::size_t vm, vm::verb what, errc code) const;

private:
  std::string account(machine& m);

  vm::step_table steps_ = vm::compose(vm::standard_capabilities());
  std::vector<machine> vms_;
  std::map<std::string, std::size_t> places_; ///< of operations
};

} // namespace banger::storm
