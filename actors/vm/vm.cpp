#include "actors/vm/vm.hpp"

#include "actors/log/log.hpp"
#include "actors/operations/ids.hpp"
#include "actors/vm/vm_state.hpp"

#include <algorithm>

namespace banger::vm {

using namespace std::chrono_literals;
using namespace messages;

// The machine keeps the deadlines of its steps; this one only ends a wait for a machine that is
// broken.
constexpr auto machine_deadline = 2h;
constexpr auto store_deadline = 30s;
constexpr std::size_t longest_queue = 16;

void vm_state::init(vm_actor::pointer self, record vm, surroundings around) {
  self_ = self;
  vm_ = std::make_unique<record>(std::move(vm));
  around_ = std::move(around);
}

// -- what is said to a VM
// ---------------------------------------------------------------------------

void vm_state::take(order wanted) {
  operation op;
  op.wanted = std::move(wanted);
  op.began = op.step_began = now();
  if (queue_.size() >= longest_queue) {
    op.first_error =
        failure{errc::busy, "VM " + vm_->name.str() + " has too many operations waiting",
                std::to_string(longest_queue) + " at most", "try again later", op.wanted.op};
    return actor::tell(self_, around_.directory, report(op));
  }
  queue_.push_back(std::move(op));
  if (queue_.size() == 1)
    next();
  else
    show_change();
}

bool vm_state::cancel(const std::string& id) {
  const auto it = std::find_if(queue_.begin(), queue_.end(),
                               [&](const auto& op) { return op.wanted.op == id; });
  if (it == queue_.end())
    return false;
  if (it == queue_.begin()) {
    // A stop or a delete that was begun is carried through: half of it would be worse.
    if (!it->todo.undoable)
      return false;
    it->cancelled = true;
    actor::tell(self_, around_.machine, abort_atom::value);
    return true;
  }
  it->first_error = failure{errc::cancelled, "cancelled before its turn", {}, {}, id};
  actor::tell(self_, around_.directory, report(*it));
  queue_.erase(it);
  show_change();
  return true;
}

template <class Request>
caf::result<stream_ticket> vm_state::open(const Request& request) {
  if (vm_->now != state::running)
    return actor::to_error({errc::not_running,
                            "VM " + vm_->name.str() + " is not running",
                            "its state is " + std::string(to_string(vm_->now)),
                            "banger vm start " + vm_->name.str(),
                            {}});
  return self_->delegate(around_.machine, open_atom::value, request);
}

template caf::result<stream_ticket> vm_state::open(const exec_request&);
template caf::result<stream_ticket> vm_state::open(const attach_request&);

void vm_state::hear(const image::note& news) { say(news.stage, news.detail); }

void vm_state::hear(const machine_ended& end) {
  // A step that needs the machine fails by itself; if none does, the end counts afterwards.
  if (!queue_.empty()) {
    ended_meanwhile_ = end;
    return;
  }
  if (vm_->now != state::running)
    return;
  vm_->now = end.why.empty() ? state::stopped : state::error;
  vm_->last_error =
      end.why.empty() ? "" : end.why + (end.last_lines.empty() ? "" : "\n" + end.last_lines);
  vm_->machine.process = {};
  log::info({.vm = vm_->id.str()}, "machine_ended_by_itself", {{"text", end.why}});
  show_change();
  actor::ask(self_, around_.store, store_deadline, store::save_atom::value, snapshot())
      .then([] {},
            [](caf::error& why) { log::failed({}, "store_failed", actor::from_error(why)); });
}

void vm_state::recover(recovery what) {
  switch (what) {
  case recovery::keep: return;
  case recovery::stopped:
    vm_->now = state::running;
    return hear(machine_ended{"the machine ended while no daemon watched it", {}});
  case recovery::sweep: return take({operations::new_operation_id(), verb::sweep});
  case recovery::remove: return take({operations::new_operation_id(), verb::remove});
  case recovery::adopt:
    actor::ask(self_, around_.machine, store_deadline, adopt_atom::value, snapshot())
        .then([] {},
              [this](caf::error& error) {
                const auto why = actor::from_error(error);
                // It lives, but nobody can speak to it: better ended than forgotten.
                if (why.code != errc::not_found)
                  return take({operations::new_operation_id(), verb::sweep});
                hear(machine_ended{describe(why), {}});
              });
  }
}

// -- one operation after the other
// ------------------------------------------------------------------

void vm_state::next() {
  if (queue_.empty())
    return;
  auto& op = queue_.front();
  op.began = now();
  log::info({.op = op.wanted.op, .vm = vm_->id.str()}, "operation_started",
            {{"verb", std::string(to_string(op.wanted.what))}});
  auto todo = decide(*vm_, op.wanted.what, around_.steps, op.wanted.until_booted);
  if (!todo) {
    op.first_error = todo.error();
    return conclude();
  }
  op.todo = std::move(*todo);
  if (op.wanted.what != verb::create)
    return advance();
  actor::ask(self_, around_.store, store_deadline, store::save_atom::value, snapshot())
      .then([this] { advance(); }, [this](caf::error& why) { stumbled(actor::from_error(why)); });
}

// The intent is on disk before the step begins, so that a crash leaves a trace of what may have
// happened.
void vm_state::advance() {
  auto& op = queue_.front();
  if (op.at == op.todo.steps.size())
    return settle();
  if (op.cancelled && op.todo.undoable)
    return stumbled({errc::cancelled, "cancelled", {}, {}, {}});
  if (op.todo.steps[op.at].awaited)
    return op.established ? act() : establish();
  intend();
}

// A daemon that ends while somebody waits takes nothing from a VM that runs.
void vm_state::establish() {
  auto& op = queue_.front();
  op.established = true;
  vm_->now = op.todo.settled;
  vm_->last_error.clear();
  vm_->machine.last_start = op.stages;
  actor::ask(self_, around_.store, store_deadline, store::settle_atom::value, snapshot())
      .then([this] { advance(); }, [this](caf::error& why) { stumbled(actor::from_error(why)); });
}

void vm_state::intend() {
  const auto& op = queue_.front();
  const store::intent next{op.wanted.op, vm_->id.str(), std::string(to_string(op.wanted.what)),
                           current_step()};
  actor::ask(self_, around_.store, store_deadline, store::intend_atom::value, next)
      .then([this] { act(); }, [this](caf::error& why) { stumbled(actor::from_error(why)); });
}

void vm_state::act() {
  auto& op = queue_.front();
  op.step_began = now();
  say(current_step(), op.todo.steps[op.at].detail);
  show_change();
  const step_request request{op.wanted.op, current_step(), op.wanted.what, snapshot(),
                             op.wanted.signal};
  actor::ask(self_, around_.machine, machine_deadline, do_atom::value, request)
      .then([this](const record_ptr& after) { stepped(after); },
            [this](caf::error& why) { stumbled(actor::from_error(why)); });
}

void vm_state::stepped(const record_ptr& after) {
  auto& op = queue_.front();
  const auto& done = op.todo.steps[op.at++];
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(now() - op.step_began);
  op.stages.push_back({done.name, static_cast<std::uint64_t>(took.count()), done.ours});
  const bool process_changed = after->machine.process.pid != vm_->machine.process.pid;
  if (process_changed)
    ended_meanwhile_.reset();
  vm_->machine = after->machine;
  if (!process_changed)
    return advance();
  // A process that nothing remembers would be lost in a crash.
  actor::ask(self_, around_.store, store_deadline, store::save_atom::value, snapshot())
      .then([this] { advance(); }, [this](caf::error& why) { stumbled(actor::from_error(why)); });
}

void vm_state::stumbled(failure why) {
  auto& op = queue_.front();
  if (op.cancelled)
    why.code = errc::cancelled;
  log::warn({.op = op.wanted.op, .vm = vm_->id.str()}, "step_failed",
            {{"step", current_step()}, {"text", describe(why)}});
  if (op.established && !op.cancelled) {
    why.operation = op.wanted.op;
    op.first_error = std::move(why);
    return committed(false);
  }
  if (op.todo.undoable && op.at < op.todo.steps.size())
    if (const auto again = retry_from(op.todo, op.at, why, op.retries)) {
      ++op.retries;
      ++vm_->machine.start_retries;
      say("retry", "the boot hung; trying once more");
      return roll_back(*again);
    }
  op.first_error = std::move(why);
  if (!op.todo.undoable)
    return conclude();
  if (op.at == op.todo.steps.size())
    --op.at;
  if (!op.established)
    return roll_back(0);
  // It was settled; now its end is under way.
  const store::intent undoing{op.wanted.op, vm_->id.str(), std::string(to_string(op.wanted.what)),
                              current_step()};
  const auto go_on = [this] { roll_back(0); };
  actor::ask(self_, around_.store, store_deadline, store::intend_atom::value, undoing)
      .then(go_on, [go_on](caf::error&) { go_on(); });
}

// A step that failed may have happened in part, so it is undone too.
void vm_state::roll_back(std::size_t down_to) {
  const auto& op = queue_.front();
  const step_request request{op.wanted.op, current_step(), op.wanted.what, snapshot()};
  const auto undone = [this, down_to] {
    auto& now_undoing = queue_.front();
    if (now_undoing.at == down_to)
      return retreated();
    --now_undoing.at;
    roll_back(down_to);
  };
  actor::ask(self_, around_.machine, machine_deadline, undo_atom::value, request)
      .then(
          [this, undone](const record_ptr& after) {
            vm_->machine = after->machine;
            undone();
          },
          [this, undone](caf::error& why) {
            log::error({.op = queue_.front().wanted.op, .vm = vm_->id.str()}, "undo_failed",
                       {{"step", current_step()}, {"text", describe(actor::from_error(why))}});
            undone();
          });
}

void vm_state::retreated() {
  if (queue_.front().first_error)
    return conclude();
  advance();
}

void vm_state::settle() {
  auto& op = queue_.front();
  vm_->now = op.todo.settled;
  vm_->last_error.clear();
  if (op.todo.undoable)
    vm_->machine.last_start = op.stages;
  commit(op.todo.gone);
}

void vm_state::conclude() {
  auto& op = queue_.front();
  op.first_error->operation = op.wanted.op;
  const auto after = after_failure(*vm_, op.wanted.what, *op.first_error);
  if (after.now == state::error)
    vm_->last_error = describe(*op.first_error);
  vm_->now = after.now;
  commit(after.gone);
}

void vm_state::commit(bool gone) {
  const auto done = [this, gone] { committed(gone); };
  const auto not_stored = [this, gone](caf::error& why) {
    auto& failed = queue_.front();
    if (!failed.first_error)
      failed.first_error = actor::from_error(why);
    committed(gone);
  };
  if (gone)
    actor::ask(self_, around_.store, store_deadline, store::erase_atom::value, vm_->id.str())
        .then(done, not_stored);
  else
    actor::ask(self_, around_.store, store_deadline, store::settle_atom::value, snapshot())
        .then(done, not_stored);
}

void vm_state::committed(bool gone) {
  auto op = std::move(queue_.front());
  queue_.pop_front();
  const auto end = report(op);
  log::info({.op = op.wanted.op, .vm = vm_->id.str()}, "operation_ended",
            {{"verb", std::string(to_string(op.wanted.what))}, {"error", end.error.what}});
  if (!gone) {
    show_change();
    actor::tell(self_, around_.directory, end);
    if (queue_.empty() && ended_meanwhile_)
      hear(*std::exchange(ended_meanwhile_, std::nullopt));
    return next();
  }
  auto last = to_view(*vm_);
  last.state = "deleted";
  actor::tell(self_, around_.directory, last);
  actor::tell(self_, around_.directory, end);
  for (auto& waiting : queue_) {
    waiting.first_error = failure{
        errc::not_found, "VM " + vm_->name.str() + " was deleted", {}, {}, waiting.wanted.op};
    actor::tell(self_, around_.directory, report(waiting));
  }
  self_->send_exit(around_.machine, caf::exit_reason::user_shutdown);
  self_->quit();
}

// -- what a VM tells
// ----------------------------------------------------------------------------------

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
  d.view.operation = current_step();
  d.view.queued = queue_.empty() ? 0 : static_cast<std::uint32_t>(queue_.size() - 1);
  d.folder = around_.folder;
  d.last_error = vm_->last_error;
  d.pid = m.process.pid;
  d.hypervisor = m.hypervisor;
  d.root_disk = m.root_disk;
  d.confinement = m.confinement;
  d.network = vm_->wanted.nat ? "user-mode, the guest reaches outside"
                              : "user-mode, closed: the guest reaches nothing outside";
  d.kernel = m.kernel;
  d.start_retries = m.start_retries;
  for (const auto& s : m.last_start)
    d.last_start.push_back({s.name, s.micros, s.ours});
  return d;
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
          r.created_ms};
}

} // namespace banger::vm
