// The story of an operation: next → advance → settle, or roll_back → conclude.
#include "actors/log/log.hpp"
#include "actors/vm/vm_state.hpp"

namespace banger::vm {

using namespace messages;

// What cannot be written fails the step.
template <class Atom, class Word, class Then>
void vm_state::write(Atom what, const Word& word, Then then) {
  actor::ask_kin(self_, around_.store, what, word).then(then, [this](caf::error& why) {
    stumbled(actor::from_error(why));
  });
}

void vm_state::next() {
  if (queue_.empty())
    return;
  auto& op = queue_.front();
  op.began = now();
  log::info({.op = op.wanted.op, .vm = vm_->id.str()}, "operation_started",
            {{"verb", std::string(to_string(op.wanted.what))}});
  auto todo = decide(*vm_, op.wanted, around_.steps);
  if (!todo) {
    op.first_error = todo.error();
    op.left = remains::untouched;
    return conclude();
  }
  op.todo = std::move(*todo);
  if (op.wanted.what == verb::set)
    op.target = *changed(*vm_, op.wanted.to);
  if (op.wanted.what == verb::create)
    record_first();
  else
    advance();
}

// The intent of a create comes before its record: a crash between the two leaves no VM that nobody
// wanted so.
void vm_state::record_first() {
  write(store::intend_atom::value, intent(), [this] {
    queue_.front().intended = true;
    write(store::save_atom::value, snapshot(), [this] { advance(); });
  });
}

void vm_state::advance() {
  auto& op = queue_.front();
  if (op.at == op.todo.steps.size())
    return settle();
  if (op.cancelled && (op.interrupted || op.todo.undoable(op.at)))
    return stumbled({errc::cancelled, "cancelled", {}, {}, {}});
  if (op.todo.steps[op.at].awaited)
    return op.established ? act() : establish();
  op.intended ? act() : intend();
}

// On disk before the first step begins: a crash leaves a trace of what was wanted. How far it came,
// the next daemon sees for itself.
void vm_state::intend() {
  const auto go_on = [this] {
    queue_.front().intended = true;
    advance();
  };
  actor::ask_kin(self_, around_.store, store::intend_atom::value, intent())
      .then(go_on, [this, go_on](caf::error& error) {
        auto& op = queue_.front();
        auto why = actor::from_error(error);
        log::failed({.op = op.wanted.op, .vm = vm_->id.str()}, "not_journaled", why);
        // What frees a full disk does not wait for room on it.
        if (op.wanted.what == verb::remove)
          return go_on();
        op.first_error = std::move(why);
        op.left = remains::untouched;
        conclude();
      });
}

// A daemon that ends while somebody waits takes nothing from a VM that runs.
void vm_state::establish() {
  auto& op = queue_.front();
  op.established = true;
  vm_->now = op.todo.settled;
  vm_->last_error.clear();
  note_start(op);
  write(store::settle_atom::value, snapshot(), [this] { advance(); });
}

store::intent vm_state::intent() const {
  const auto& op = queue_.front();
  const bool destroys = op.wanted.what == verb::remove || op.wanted.what == verb::set;
  return {op.wanted.op, vm_->id.str(), std::string(to_string(op.wanted.what)), current_step(),
          destroys};
}

void vm_state::act() {
  auto& op = queue_.front();
  op.step_began = now();
  say(current_step(), op.todo.steps[op.at].detail);
  show_change();
  const auto with = op.target ? std::make_shared<const record>(*op.target) : snapshot();
  const step_request request{op.wanted.op, current_step(),   op.wanted.what,
                             with,         op.wanted.signal, op.todo.steps[op.at].at_most};
  actor::ask_kin(self_, around_.machine, do_atom::value, request)
      .then([this](const record_ptr& after) { stepped(after); },
            [this](caf::error& why) { stumbled(actor::from_error(why)); });
}

void vm_state::stepped(const record_ptr& after) {
  auto& op = queue_.front();
  const auto& done = op.todo.steps[op.at++];
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(now() - op.step_began);
  op.stages.push_back({done.name, static_cast<std::uint64_t>(took.count()), done.ours});
  if (after->machine.process.pid != vm_->machine.process.pid) {
    ended_meanwhile_.reset();
    paused_.clear();
  }
  vm_->machine = after->machine;
  advance();
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
  if (op.todo.undoable(op.at) && op.at < op.todo.steps.size())
    if (const auto again = retry_from(op.todo, op.at, why, op.retries)) {
      ++op.retries;
      ++vm_->machine.start_retries;
      say("retry", "the boot hung; trying once more");
      return roll_back(*again);
    }
  op.first_error = std::move(why);
  if (!op.todo.undoable(op.at))
    return conclude();
  if (op.at == op.todo.steps.size())
    --op.at;
  const auto first = *op.todo.undo_from;
  if (!op.established)
    return roll_back(first);
  // It was settled; now its end is under way.
  const auto go_on = [this, first] { roll_back(first); };
  actor::ask_kin(self_, around_.store, store::intend_atom::value, intent())
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
  actor::ask_kin(self_, around_.machine, undo_atom::value, request)
      .then(
          [this, undone](const record_ptr& after) {
            vm_->machine = after->machine;
            undone();
          },
          [this](caf::error& why) { undo_failed(actor::from_error(why)); });
}

// What may still be there stays known: a VM whose hypervisor cannot be ended keeps its folder and
// its record.
void vm_state::undo_failed(const failure& why) {
  auto& op = queue_.front();
  log::error({.op = op.wanted.op, .vm = vm_->id.str()}, "undo_failed",
             {{"step", current_step()}, {"text", describe(why)}});
  const auto text = "the step " + current_step() + " could not be undone: " + describe(why);
  if (!op.first_error)
    op.first_error = why;
  op.first_error->why += (op.first_error->why.empty() ? "" : "; ") + text;
  op.left = remains::in_part;
  conclude();
}

void vm_state::retreated() {
  if (queue_.front().first_error)
    return conclude();
  advance();
}

void vm_state::settle() {
  auto& op = queue_.front();
  vm_->now = op.todo.settled;
  if (op.target) {
    exchange_with(*op.target);
    return commit(false);
  }
  vm_->last_error.clear();
  if (vm_->now == state::running)
    note_start(op);
  commit(op.todo.gone);
}

void vm_state::note_start(const operation& op) {
  const auto first = static_cast<std::ptrdiff_t>(*op.todo.undo_from);
  vm_->machine.last_start.assign(op.stages.begin() + first, op.stages.end());
  make_use();
}

// The other one is what it was, in case that it cannot be stored.
void vm_state::exchange_with(record& target) {
  std::swap(vm_->name, target.name);
  std::swap(vm_->wanted, target.wanted);
}

void vm_state::conclude() {
  auto& op = queue_.front();
  op.first_error->operation = op.wanted.op;
  op.target.reset();
  const auto after = after_failure(*vm_, op.wanted.what, *op.first_error, op.left);
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
    if (!failed.target)
      return committed(gone);
    exchange_with(*failed.target);
    if (failed.todo.steps.empty())
      return committed(gone);
    failed.at = failed.todo.steps.size() - 1;
    roll_back(0);
  };
  if (gone)
    actor::ask_kin(self_, around_.store, store::erase_atom::value, vm_->id.str())
        .then(done, not_stored);
  else
    actor::ask_kin(self_, around_.store, store::settle_atom::value, snapshot())
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
    const bool more = !queue_.empty(); // what follows from an end begins by itself
    if (ended_meanwhile_)
      note_end(*std::exchange(ended_meanwhile_, std::nullopt));
    if (more)
      next();
    return;
  }
  auto last = to_view(*vm_);
  last.state = "deleted";
  actor::tell(self_, around_.directory, last);
  actor::tell(self_, around_.directory, end);
  for (auto& waiting : queue_) {
    // What a forced kill wanted has come true.
    if (!waiting.wanted.force)
      waiting.first_error = failure{
          errc::not_found, "VM " + vm_->name.str() + " was deleted", {}, {}, waiting.wanted.op};
    actor::tell(self_, around_.directory, report(waiting));
  }
  self_->send_exit(around_.machine, caf::exit_reason::user_shutdown);
  self_->quit();
}

} // namespace banger::vm
