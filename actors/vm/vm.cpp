// What is said to a VM: orders, cancels, streams, and news of its machine.
#include "actors/vm/vm.hpp"

#include "actors/log/log.hpp"
#include "actors/operations/ids.hpp"
#include "actors/vm/vm_state.hpp"
#include "messages/base/duration.hpp"

#include <algorithm>
#include <type_traits>

namespace banger::vm {

using namespace messages;

constexpr std::size_t longest_queue = 16;

void vm_state::init(vm_actor::pointer self, record vm, surroundings around) {
  self_ = self;
  vm_ = std::make_unique<record>(std::move(vm));
  around_ = std::move(around);
}

expected<void> vm_state::admit(const order& wanted) const {
  // A forced kill makes room for itself.
  if (queue_.size() >= longest_queue && !wanted.force)
    return fail(errc::busy, "VM " + vm_->name.str() + " has too many operations waiting",
                std::to_string(longest_queue) + " at most", "try again later");
  return wanted.only_at_rest ? check_rest(*vm_, !queue_.empty()) : expected<void>{};
}

void vm_state::take(order wanted) {
  const auto admitted = admit(wanted);
  operation op;
  op.wanted = std::move(wanted);
  op.began = op.step_began = now();
  if (!admitted) {
    op.first_error = admitted.error();
    op.first_error->operation = op.wanted.op;
    return actor::tell(self_, around_.directory, report(op));
  }
  if (op.wanted.force)
    make_way(op.wanted.op);
  queue_.push_back(std::move(op));
  if (queue_.size() == 1)
    next();
  else
    show_change();
}

// What runs ends where it is, what waits is not begun.
void vm_state::make_way(const std::string& for_op) {
  if (queue_.empty())
    return;
  while (queue_.size() > 1) {
    auto& waiting = queue_.back();
    waiting.first_error =
        failure{errc::cancelled, "not begun: a forced kill came", for_op, {}, waiting.wanted.op};
    actor::tell(self_, around_.directory, report(waiting));
    queue_.pop_back();
  }
  auto& running = queue_.front();
  if (!yields_to_force(running.wanted.what))
    return;
  running.cancelled = running.interrupted = true;
  actor::tell(self_, around_.machine, abort_atom::value);
}

bool vm_state::cancel(const std::string& id) {
  const auto it = std::find_if(queue_.begin(), queue_.end(),
                               [&](const auto& op) { return op.wanted.op == id; });
  if (it == queue_.end())
    return false;
  if (it == queue_.begin()) {
    // A stop or a delete that was begun is carried through: half of it would be worse.
    if (!it->todo.undo_from)
      return false;
    it->cancelled = true;
    if (it->todo.undoable(it->at))
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
    return actor::to_error(not_running(*vm_));
  // A command that is there already waits with its guest.
  if (!paused_.empty() && std::is_same_v<Request, exec_request>)
    return actor::to_error(paused(vm_->name.str(), paused_, resumes_));
  make_use();
  show_change();
  return self_->delegate(around_.machine, open_atom::value, request);
}

template caf::result<stream_ticket> vm_state::open(const exec_request&);
template caf::result<stream_ticket> vm_state::open(const attach_request&);

// An operation that runs keeps it at its end; a delete must not have its row come back.
void vm_state::touch() {
  hear_use();
  if (queue_.empty())
    keep();
}

void vm_state::hear_use() {
  make_use();
  show_change();
}

void vm_state::hear(const image::note& news) { say(news.stage, news.detail); }

void vm_state::hear(const machine_ended& end) {
  // A step that needs the machine fails by itself; if none does, the end counts afterwards.
  if (queue_.empty())
    note_end(end);
  else
    ended_meanwhile_ = end;
}

void vm_state::hear(const machine_paused& news) {
  paused_ = news.why;
  resumes_ = news.resumes;
  show_change();
}

void vm_state::note_end(machine_ended end) {
  if (vm_->now != state::running)
    return;
  if (end.reboots && reboots_.allow(now())) {
    paused_.clear();
    vm_->machine.process = {};
    return go(verb::reboot);
  }
  if (end.reboots)
    end.why = "the guest rebooted " + std::to_string(most_restarts + 1) + " times within " +
              std::to_string(restart_span.count()) + " minutes";
  paused_.clear();
  vm_->now = end.why.empty() ? state::stopped : state::error;
  vm_->last_error =
      end.why.empty() ? "" : end.why + (end.last_lines.empty() ? "" : "\n" + end.last_lines);
  vm_->machine.process = {};
  log::info({.vm = vm_->id.str()}, "machine_ended_by_itself", {{"text", end.why}});
  show_change();
  keep();
}

void vm_state::make_use() { vm_->touched_ms = unix_ms(); }

void vm_state::keep() {
  actor::ask_kin(self_, around_.store, store::save_atom::value, snapshot())
      .then([] {},
            [](caf::error& why) { log::failed({}, "store_failed", actor::from_error(why)); });
}

void vm_state::recover(recovery what) {
  switch (what) {
  case recovery::keep: return;
  case recovery::stopped:
    vm_->now = state::running;
    return hear(machine_ended{"the machine ended while no daemon watched it", {}});
  case recovery::sweep: return go(verb::sweep);
  case recovery::remove: return go(verb::remove);
  // It may be cut off again, and is a restart then as well.
  case recovery::restart: return go(verb::restart);
  case recovery::revert:
    if (vm_->now == state::running)
      adopt();
    return revert();
  case recovery::adopt: return adopt();
  case recovery::rescue: return settle_rescued();
  }
}

// Its create is over, whatever became of it.
void vm_state::settle_rescued() {
  log::warn({.vm = vm_->id.str()}, "vm_rescued", {{"text", vm_->last_error}});
  show_change();
  actor::ask_kin(self_, around_.store, store::settle_atom::value, snapshot())
      .then([] {},
            [](caf::error& why) { log::failed({}, "store_failed", actor::from_error(why)); });
}

void vm_state::adopt() {
  actor::ask_kin(self_, around_.machine, adopt_atom::value, snapshot())
      .then([] {},
            [this](caf::error& error) {
              const auto why = actor::from_error(error);
              if (why.code == errc::not_found)
                return hear(machine_ended{describe(why), {}});
              // It lives, but nobody can speak to it: better ended than forgotten.
              log::failed({.vm = vm_->id.str()}, "machine_not_taken_over", why);
              go(verb::sweep);
            });
}

void vm_state::go(verb what) { take(own_order(what)); }

order vm_state::own_order(verb what) const {
  order own{operations::new_operation_id(), what};
  actor::tell(self_, around_.directory, own_operation{own.op, vm_->id.str(), what});
  return own;
}

// As if the step that was cut off had failed.
void vm_state::revert() {
  operation op;
  op.wanted = own_order(verb::set);
  op.began = op.step_began = now();
  op.todo = undo_of_set(*vm_, around_.steps);
  op.first_error =
      failure{errc::cancelled, "a change was cut off by the end of the daemon", {}, {}, {}};
  const auto steps = op.todo.steps.size();
  op.at = steps == 0 ? 0 : steps - 1;
  queue_.push_back(std::move(op));
  steps == 0 ? conclude() : roll_back(0);
}

} // namespace banger::vm
