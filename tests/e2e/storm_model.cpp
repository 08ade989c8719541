#include "tests/e2e/storm_model.hpp"

#include <algorithm>

namespace banger::storm {

namespace {

std::string line(std::string_view name, std::string_view state, std::uint32_t vcpu,
                 std::uint64_t memory_mib, std::uint64_t disk_bytes) {
  return std::string(name) + " is " + std::string(state) + " with " + std::to_string(vcpu) +
         " CPUs, " + std::to_string(memory_mib) + " MiB, a disk of " + std::to_string(disk_bytes);
}

errc code_of(const messages::finished& end) { return static_cast<errc>(end.error.code); }

} // namespace

std::string summary(const vm::record& r) {
  return line(r.name.str(), to_string(r.now), r.wanted.vcpu, r.wanted.memory_mib,
              r.wanted.disk_bytes);
}

std::string summary(const messages::vm_view& v) {
  return line(v.name, v.state, v.vcpu, v.memory_mib, v.disk_bytes);
}

bool machine::unsettled() const {
  return std::any_of(queue.begin(), queue.end(), [](const auto& p) {
    return p.asked.what == vm::verb::create || p.asked.what == vm::verb::remove;
  });
}

bool machine::renaming() const {
  return std::any_of(queue.begin(), queue.end(), [](const auto& p) { return p.asked.to.name; });
}

void model::created(std::size_t vm, const vm::order& asked, vm::record like) {
  auto& m = vms_[vm];
  m.odd = like.wanted.memory_mib == memory_without_boot;
  m.is = std::move(like);
  begun(vm, asked);
}

void model::begun(std::size_t vm, const vm::order& asked) {
  auto& m = vms_[vm];
  m.odd = m.odd || asked.to.memory_mib == memory_without_boot;
  if (asked.force)
    for (auto& p : m.queue)
      p.may_be_cut_off = true;
  m.queue.push_back({asked, false, {}});
  places_[asked.op] = vm;
}

void model::cancelled(const std::string& op) {
  if (const auto at = places_.find(op); at != places_.end())
    for (auto& p : vms_[at->second].queue)
      p.may_be_cut_off = p.may_be_cut_off || p.asked.op == op;
}

// A restart that is cancelled leaves what ran or not, by when it was; so does a start after an
// error. A forced kill ends what is as unsure after those that it cuts off: it must come.
std::vector<std::string> model::cancellable() const {
  std::vector<std::string> all;
  for (const auto& [op, vm] : places_)
    for (const auto& p : vms_[vm].queue)
      if (p.asked.op == op && !p.asked.force && p.asked.what != vm::verb::restart &&
          (!vms_[vm].odd || p.asked.what != vm::verb::start))
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
    if (p.asked.op == end.op)
      p.end = end;
  std::string wrong;
  while (!m.queue.empty() && m.queue.front().end && wrong.empty()) {
    wrong = account(m);
    m.queue.pop_front();
  }
  return wrong;
}

std::string model::account(machine& m) {
  const auto& asked = m.queue.front().asked;
  const auto& end = *m.queue.front().end;
  const auto got = code_of(end);
  if (got == errc::cancelled && m.queue.front().may_be_cut_off) {
    // Begun or not, it leaves what there was; a create leaves nothing. What a forced kill cuts off
    // may leave less, but nobody sees it before that kill, after which it is the same.
    if (asked.what == vm::verb::create)
      m.is.reset();
    return {};
  }
  const auto before = m.is ? summary(*m.is) : "gone";
  auto predicted = carry_out(m.is, asked);
  // What a forced kill wanted has come true, if it was there in time to see it.
  if (predicted == errc::not_found && asked.force && got == errc::none)
    predicted = errc::none;
  std::string wrong;
  if (got != predicted)
    wrong = std::string(to_string(got)) + " (" + end.error.what + ": " + end.error.why +
            "), but the rules say " + std::string(to_string(predicted));
  else if (m.is && summary(end.vm) != summary(*m.is))
    wrong = summary(end.vm) + ", but the rules say " + summary(*m.is);
  if (wrong.empty())
    return wrong;
  return asked.op + ", " + std::string(to_string(asked.what)) + (asked.force ? " by force" : "") +
         " of a VM that was " + before + ": " + wrong;
}

errc model::carry_out(std::optional<vm::record>& is, const vm::order& asked) const {
  if (!is)
    return errc::not_found;
  const auto plan = vm::decide(*is, asked, steps_);
  if (!plan)
    return plan.error().code;
  const bool boots =
      std::any_of(plan->steps.begin(), plan->steps.end(), [](const vm::step& s) { return s.boot; });
  vm::aftermath after{plan->settled, plan->gone};
  auto result = errc::none;
  if (boots && is->wanted.memory_mib == memory_without_boot) {
    result = errc::operation_failed;
    after = vm::after_failure(*is, asked.what, {result, {}, {}, {}, {}});
  } else if (asked.what == vm::verb::set) {
    is = *vm::changed(*is, asked.to);
  }
  is->now = after.now;
  is->machine.process.pid = after.now == vm::state::running ? 1 : 0;
  if (after.gone)
    is.reset();
  return result;
}

bool model::may_refuse(std::size_t vm, vm::verb what, errc code) const {
  const auto& m = vms_[vm];
  if (what == vm::verb::create)
    return code == errc::already_exists && (m.exists() || m.unsettled());
  return code == errc::not_found && (!m.exists() || m.unsettled());
}

} // namespace banger::storm
