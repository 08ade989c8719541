// What the rules say of a storm: for each VM the operations on their way, and the result that each
// of them must have. The rules themselves are asked (actors/vm/rules.hpp), so a new one is
// believed.
#pragma once

#include "actors/vm/capability.hpp"
#include "messages/models.hpp"
#include "tests/vmm/script.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace banger::storm {

/// In MiB: a machine of that size starts, but no boot of it succeeds.
inline constexpr std::uint64_t memory_without_boot =
    scripted::memory_for(scripted::behaviour::refuses_configure);

/// One operation that was begun and has not been accounted for.
struct pending {
  vm::order asked;
  bool may_be_cut_off = false;           ///< a cancel was said, or a forced kill came after it
  std::optional<messages::finished> end; ///< once it is heard
};

struct machine {
  std::optional<vm::record> is; ///< as it was left by what is accounted for; nothing: there is none
  bool odd = false;             ///< it has, or may come to have, that size
  std::deque<pending> queue;    ///< in the order in which they were begun

  bool exists() const { return is.has_value(); }
  bool idle() const { return queue.empty(); }
  /// Whether it may be gone or come before what is on its way has ended.
  bool unsettled() const;
  /// Whether its name is about to change.
  bool renaming() const;
};

/// What a client can see of a VM's state, sizes and name, in one line.
std::string summary(const vm::record& r);
std::string summary(const messages::vm_view& v);

class model {
public:
  explicit model(std::size_t vms) : vms_(vms) {}

  machine& at(std::size_t i) { return vms_[i]; }
  std::size_t size() const { return vms_.size(); }
  std::size_t outstanding() const { return places_.size(); }

  /// A create was begun under `asked.op`; of a VM that is to be like that.
  void created(std::size_t vm, const vm::order& asked, vm::record like);
  void begun(std::size_t vm, const vm::order& asked);
  void cancelled(const std::string& op);
  /// Those on their way that leave one and the same VM wherever a cancel meets them.
  std::vector<std::string> cancellable() const;
  /// What is wrong with that end; empty if it is as the rules predict.
  std::string ended(const messages::finished& end);
  /// May a request to begin be refused so now?
  bool may_refuse(std::size_t vm, vm::verb what, errc code) const;

private:
  std::string account(machine& m);
  errc carry_out(std::optional<vm::record>& is, const vm::order& asked) const;

  vm::step_table steps_ = vm::compose(vm::standard_capabilities());
  std::vector<machine> vms_;
  std::map<std::string, std::size_t> places_; ///< of operations
};

} // namespace banger::storm
