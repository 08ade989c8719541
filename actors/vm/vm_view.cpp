// What a VM tells of itself.
#include "actors/vm/vm_state.hpp"

namespace banger::vm {

using namespace messages;

std::string vm_state::current_step() const {
  if (queue_.empty())
    return {};
  const auto& op = queue_.front();
  return op.at < op.todo.steps.size() ? op.todo.steps[op.at].name
                                      : std::string(to_string(op.wanted.what));
}

void vm_state::say(const std::string& stage, const std::string& detail) {
  if (queue_.empty())
    return;
  const auto& op = queue_.front();
  const auto elapsed = std::chrono::duration_cast<std::chrono::microseconds>(now() - op.began);
  actor::tell(self_, around_.directory,
              progress{op.wanted.op, stage, detail, static_cast<std::uint64_t>(elapsed.count())});
}

void vm_state::show_change() { actor::tell(self_, around_.directory, detail().view); }

finished vm_state::report(const operation& op) const {
  finished end{op.wanted.op, {}, to_view(*vm_), {}};
  if (op.first_error)
    end.error = {static_cast<std::uint8_t>(op.first_error->code), op.first_error->what,
                 op.first_error->why, op.first_error->remedy, op.wanted.op};
  for (const auto& s : op.stages)
    end.stages.push_back({s.name, s.micros, s.ours});
  return end;
}

vm_detail vm_state::detail() const {
  const auto& m = vm_->machine;
  vm_detail d;
  d.view = to_view(*vm_);
  if (vm_->now == state::running && !paused_.empty()) {
    d.view.state = "paused";
    d.view.paused = paused_;
  }
  d.view.operation = current_step();
  d.view.queued = queue_.empty() ? 0 : static_cast<std::uint32_t>(queue_.size() - 1);
  d.folder = around_.folder;
  d.last_error = vm_->last_error;
  d.pid = m.process.pid;
  d.hypervisor = m.hypervisor;
  d.root_disk = m.root_disk;
  d.confinement = m.confinement;
  d.network = network();
  d.address = m.bridge.empty() ? "" : m.address;
  d.kernel = m.kernel;
  d.start_retries = m.start_retries;
  for (const auto& s : m.last_start)
    d.last_start.push_back({s.name, s.micros, s.ours});
  return d;
}

std::string vm_state::network() const {
  const auto& m = vm_->machine;
  const bool nat = vm_->wanted.nat;
  const std::string reaches =
      nat ? "the guest reaches outside" : "the guest reaches nothing outside";
  if (!m.bridge.empty())
    return "bridge " + m.bridge + ", " + reaches +
           (m.in_the_way.empty() ? "" : "; in its way: " + m.in_the_way);
  if (around_.bridged && m.hypervisor.empty())
    return "bridge, once it has started; " + reaches;
  return (nat ? "user-mode, " : "user-mode, closed: ") + reaches +
         (around_.why_user_mode.empty() ? "" : "; no bridge: " + around_.why_user_mode);
}

vm_view to_view(const record& r) {
  return {r.id.str(),
          r.name.str(),
          std::string(to_string(r.now)),
          {},
          0,
          r.wanted.image.str(),
          r.wanted.vcpu,
          r.wanted.memory_mib,
          r.wanted.disk_bytes,
          r.wanted.nat,
          r.wanted.ephemeral,
          r.created_ms,
          r.wanted.autostart,
          r.touched_ms,
          r.wanted.nested,
          {}};
}

} // namespace banger::vm
