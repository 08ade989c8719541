// A host that keeps account of one VM: doubles of machine and store that work message by message,
// and write down whatever must not be.
#pragma once

#include "tests/actor/stage.hpp"

#include <map>
#include <sstream>

namespace banger::interleave {

using namespace test;

struct host_double;

/// What is really there, whoever believes what.
struct world {
  host_double* machine = nullptr; ///< once it lives
  vm::machine_listener owner;     ///< of the machine
  vm::step_table steps = vm::compose(vm::standard_capabilities());
  bool process = false;
  std::uint32_t pid = 0;          ///< of the last one
  std::string runs;               ///< the step that the machine is at
  unsigned pace = 1;              ///< messages that a step takes
  std::string breaks_at;          ///< a step that fails, once
  std::optional<std::string> row; ///< the VM's state in the store
  std::uint32_t row_pid = 0;
  std::map<std::string, std::string> journal; ///< verb by VM
  std::vector<std::string> wrong;             ///< what must not be

  template <class... Words>
  void never(bool happened, const Words&... what) {
    if (!happened)
      return;
    std::ostringstream line;
    (line << ... << what);
    wrong.push_back(line.str());
  }
};

/// Done when somebody waits for it, and then after the VM is settled: no intent of its own.
inline bool awaited(const world& w, const std::string& name) {
  return std::any_of(w.steps.start.begin(), w.steps.start.end(),
                     [&](const auto& s) { return s.name == name && s.awaited; });
}

struct host_double : actor::state_base {
  static inline const char* name = "host double";
  using promise = caf::typed_response_promise<vm::record_ptr>;

  vm::machine_actor::pointer self = nullptr;
  world* w = nullptr;
  std::optional<promise> answer;
  vm::step_request now;
  bool undoing = false, aborted = false;
  std::uint64_t turn = 0;

  promise begin(const vm::step_request& x, bool undo) {
    w->never(answer.has_value(), "two steps at once: ", x.name, " and ", now.name);
    if (x.op != now.op)
      aborted = false;
    now = x;
    undoing = undo;
    w->runs = (undo ? "undo " : "do ") + x.name;
    auto mine = self->make_response_promise<vm::record_ptr>();
    answer = mine;
    if (aborted && !undo)
      fail_with(errc::cancelled);
    else
      work_on(w->pace, ++turn);
    return mine;
  }

  void look_at_books(const vm::step_request& x) {
    const auto written = w->journal.find(x.vm->id.str());
    w->never(!awaited(*w, x.name) &&
                 (written == w->journal.end() || written->second != to_string(x.for_verb)),
             x.name, " is done and was not intended");
  }

  void work_on(unsigned left, std::uint64_t mine) {
    actor::tell(self, vm::machine_actor(self), work::thunk{[this, left, mine] {
                  if (mine != turn || !answer)
                    return;
                  if (left > 1)
                    return work_on(left - 1, mine);
                  done();
                }});
  }

  void done() {
    if (!undoing && now.name == w->breaks_at) {
      w->breaks_at.clear();
      return fail_with(errc::operation_failed);
    }
    if (now.name == "launch") {
      w->never(w->process && !undoing, "a second process beside the first");
      w->process = !undoing;
      w->pid += undoing ? 0 : 1;
    } else if (now.name == "kill" || now.name == "shutdown") {
      w->process = false;
    }
    auto after = std::make_shared<vm::record>(*now.vm);
    if (now.name == "launch" || now.name == "kill" || now.name == "release")
      after->machine.process.pid = w->process ? w->pid : 0;
    finish()->deliver(vm::record_ptr(std::move(after)));
  }

  std::optional<promise> finish() {
    ++turn;
    w->runs.clear();
    return std::exchange(answer, std::nullopt);
  }
  void fail_with(errc code) {
    finish()->deliver(actor::to_error({code, now.name + " broke", "for the test", {}, {}}));
  }

  bool waits_for_guest() const {
    return answer && !undoing &&
           (now.name == "hello" || now.name == "configure" || now.name == "boot");
  }
  void abort() {
    aborted = true;
    if (waits_for_guest() ||
        (answer && !undoing && (now.name == "image" || now.name == "shutdown")))
      fail_with(errc::cancelled);
  }

  // As machine_state::heard_end: a step that waits for the guest is told, all others are not.
  void end() {
    if (!w->process)
      return;
    w->process = false;
    if (answer && now.name == "shutdown")
      return done();
    const bool waited = waits_for_guest();
    if (!waited || now.name == "boot")
      actor::tell(self, w->owner, vm::machine_ended{"the hypervisor ended unexpectedly", "panic"});
    if (waited)
      fail_with(errc::operation_failed);
  }
};

inline vm::machine_actor::behavior_type
host_behavior(vm::machine_actor::stateful_pointer<host_double> self, world* w) {
  actor::make_sturdy(self);
  auto& m = self->state;
  m.self = self;
  m.w = w;
  w->machine = &m;
  return {[](const image::note&) {},
          [&m](vm::do_atom, const vm::step_request& x) -> caf::result<vm::record_ptr> {
            m.look_at_books(x);
            return m.begin(x, false);
          },
          [&m](vm::undo_atom, const vm::step_request& x) -> caf::result<vm::record_ptr> {
            return m.begin(x, true);
          },
          [](vm::adopt_atom, const vm::record_ptr&) {},
          [&m](vm::abort_atom) { m.abort(); },
          [](vm::open_atom, const messages::exec_request& x) {
            return messages::stream_ticket{"token", x.ref, 1};
          },
          [](vm::open_atom, const messages::attach_request& x) {
            return messages::stream_ticket{"token", x.vm, x.session};
          },
          [](const work::thunk& t) { t.run(); },
          [](messages::stats_atom, const vm::record_ptr&) { return messages::vm_stats{}; },
          [](messages::ports_atom, const vm::record_ptr&) { return messages::vm_ports{}; },
          [](messages::health_atom, const vm::record_ptr&) { return messages::vm_health{}; },
          [](messages::console_atom, const vm::record_ptr& r) {
            return messages::stream_ticket{"token", r->id.str(), 0};
          },
          [](vm::in_use_atom) { return false; }};
}

inline store::store_actor::behavior_type ledger_behavior(store::store_actor::pointer self,
                                                         world* w) {
  actor::make_sturdy(self);
  const auto keep = [w](const vm::record_ptr& r) {
    w->row = std::string(to_string(r->now));
    w->row_pid = r->machine.process.pid;
  };
  return {[keep](store::save_atom, const vm::record_ptr& r) { keep(r); },
          [w](store::intend_atom, const store::intent& i) { w->journal[i.vm] = i.verb; },
          [w, keep](store::settle_atom, const vm::record_ptr& r) {
            keep(r);
            w->journal.erase(r->id.str());
          },
          [w](store::erase_atom, const std::string& id) {
            w->row.reset();
            w->journal.erase(id);
          },
          [](store::find_atom, const std::string&) -> caf::result<store::snapshot_ptr> {
            return std::make_shared<const store::snapshot>();
          }};
}

/// Once nothing is on its way any more: what the VM says of itself is what there is.
inline void look_at_rest(world& w, const std::string& state) {
  w.never(!w.runs.empty(), "hangs in ", w.runs);
  w.never(!w.journal.empty(), "the journal is not empty at rest");
  w.never(w.process != (state == "running"), w.process ? "a process" : "no process", ", but it is ",
          state);
  w.never(w.row.value_or("deleted") != state, "it is ", state, ", but recorded as ",
          w.row.value_or("deleted"));
  w.never(w.row && w.process && w.row_pid != w.pid, "another process is recorded");
}

/// The system of many runs, one after the other; the clock keeps what was asked, so not of too
/// many.
struct theatre {
  stage::config cfg;
  caf::actor_system system{cfg};
  caf::scheduler::test_coordinator& scheduler{
      static_cast<caf::scheduler::test_coordinator&>(system.scheduler())};

  theatre() { system.await_actors_before_shutdown(false); }
};

/// The state in which a verb has something to do.
inline vm::state fit_state(vm::verb v) {
  switch (v) {
  case vm::verb::create: return vm::state::created;
  case vm::verb::start:
  case vm::verb::set: return vm::state::stopped;
  case vm::verb::restart:
  case vm::verb::stop:
  case vm::verb::kill:
  case vm::verb::remove:
  case vm::verb::sweep:
  case vm::verb::reboot: return vm::state::running;
  }
  throw std::logic_error("no such verb");
}

/// A VM as an earlier operation left it.
inline vm::record prepared(world& w, vm::state now) {
  auto r = some_vm("otter", now);
  w.process = now == vm::state::running;
  w.pid = w.process ? 100 : 0;
  r.machine.process.pid = w.pid;
  if (now != vm::state::created) {
    w.row = std::string(to_string(now));
    w.row_pid = w.pid;
  }
  return r;
}

} // namespace banger::interleave
