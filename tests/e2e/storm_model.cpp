#include "tests/e2e/storm_model.hpp"

#include <algorithm>

namespace banger::storm {

bool machine::unsettled() const {
  return std::any_of(queue.begin(), queue.end(), [](const auto& p) {
    return p.what == vm::verb::create || p.what == vm::verb::remove;
  });
}

void model::begun(std::size_t vm, const std::string& op, vm::verb what, bool odd) {
  auto& m = vms_[vm];
  if (what == vm::verb::create) {
    m.exists = true;
    m.odd = odd;
    m.now = vm::state::created;
  }
  m.queue.push_back({op, what, false, {}});
  places_[op] = vm;
}

void model::cancelled(const std::string& op) {
  if (const auto at = places_.find(op); at != places_.end())
    for (auto& p : vms_[at->second].queue)
      p.cancel_asked = p.cancel_asked || p.op == op;
}

std::vector<std::string> model::operations() const {
  std::vector<std::string> all;
  all.reserve(places_.size());
  for (const auto& [op, vm] : places_)
    all.push_back(op);
  return all;
}

// Ends come over several connections, so not always in their order; they are accounted for in it.
std::string model::ended(const messages::finished& end) {
  const auto at = places_.find(end.op);
  if (at == places_.end())
    return "an end of " + end.op + ", which does not run";
  auto& m = vms_[at->second];
  places_.erase(at);
  for (auto& p : m.queue)
    if (p.op == end.op)
      p.end = static_cast<errc>(end.error.code);
  std::string wrong;
  while (!m.queue.empty() && m.queue.front().end && wrong.empty()) {
    wrong = account(m);
    m.queue.pop_front();
  }
  return wrong.empty() ? wrong : wrong + " (" + end.error.what + ": " + end.error.why + ")";
}

std::string model::account(machine& m) {
  const auto& p = m.queue.front();
  const auto got = *p.end;
  if (got == errc::cancelled && p.cancel_asked) {
    // Begun or not, a start that is cancelled leaves what there was; a create leaves nothing.
    m.exists = m.exists && p.what != vm::verb::create;
    return {};
  }
  auto predicted = errc::none;
  vm::plan plan;
  if (!m.exists) {
    predicted = errc::not_found;
  } else if (m.odd && p.what == vm::verb::create) {
    predicted = errc::operation_failed;
    m.exists = false;
  } else {
    const vm::record r{*vm_id::parse("000000000000"),
                       *vm_name::parse("x"),
                       {*image_name::parse("tiny"), 1, 256, GiB, false, false},
                       m.now,
                       {},
                       {},
                       1,
                       std::string(32, '0')};
    const auto decided = vm::decide(r, vm::order{"", p.what}, steps_);
    if (decided)
      plan = *decided;
    else
      predicted = decided.error().code;
    if (decided) {
      m.now = plan.settled;
      m.exists = !plan.gone;
    }
  }
  if (got == predicted)
    return {};
  return p.op + ", " + std::string(to_string(p.what)) + " of a VM that is " +
         std::string(to_string(m.now)) + ": " + std::string(to_string(got)) +
         ", but the rules say " + std::string(to_string(predicted));
}

bool model::may_refuse(std::size_t vm, vm::verb what, errc code) const {
  const auto& m = vms_[vm];
  if (what == vm::verb::create)
    return code == errc::already_exists && (m.exists || m.unsettled());
  return code == errc::not_found && (!m.exists || m.unsettled());
}

} // namespace banger::storm
