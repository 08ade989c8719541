#include "actors/gateway/roll_call.hpp"

#include "messages/actor/probe.hpp"

#include <map>

namespace banger::gateway {

using namespace std::chrono_literals;
using namespace messages;

namespace {

constexpr auto patience = 500ms;

class roll_call_state : public actor::state_base {
public:
  static inline const char* name = "roll call";

  void init(roll_call_actor::pointer self, roll whom) {
    self_ = self;
    whom_ = std::move(whom);
  }

  caf::result<std::vector<actor_view>> begin() {
    answer_ = self_->make_response_promise<std::vector<actor_view>>();
    // Rows are known by their numbers: more come while others are asked.
    rows_ = std::move(whom_.known);
    const auto others = rows_.size();
    for (const auto& [kind, handle] : whom_.others)
      rows_.push_back(silent(kind));
    operations_row_ = rows_.size();
    rows_.push_back(silent("operations"));
    vms_row_ = rows_.size();
    rows_.push_back(silent("vms"));
    for (std::size_t i = 0; i < whom_.others.size(); ++i)
      probe(others + i, whom_.others[i].second);
    ask_operations();
    ask_vms();
    return *answer_;
  }

private:
  static actor_view silent(std::string kind) {
    actor_view row;
    row.kind = std::move(kind);
    row.state = "silent";
    return row;
  }

  template <class Handle>
  void probe(std::size_t row, const Handle& whom) {
    ++open_;
    actor::probe(self_, whom, patience)
        .then(
            [this, row](caf::ok_atom, const std::string&, const caf::strong_actor_ptr&,
                        const std::string&) {
              rows_[row].state = "ok";
              answered();
            },
            [this](caf::error&) { answered(); });
  }

  void ask_operations() {
    ++open_;
    actor::ask(self_, whom_.operations, patience, operations::steps_atom::value)
        .then(
            [this](const operations::running_steps& steps) {
              auto& row = rows_[operations_row_];
              row.state = "ok";
              row.queued = static_cast<std::uint32_t>(steps.all.size());
              for (const auto& s : steps.all)
                steps_[s.op] = s;
              answered();
            },
            [this](caf::error&) { answered(); });
  }

  void ask_vms() {
    ++open_;
    actor::ask(self_, whom_.vms, patience, vms::roster_atom::value)
        .then(
            [this](const vms::roster& all) {
              rows_[vms_row_].state = "ok";
              rows_[vms_row_].queued = all.operations;
              for (const auto& vm : all.vms)
                add(vm);
              answered();
            },
            [this](caf::error&) { answered(); });
  }

  // What the directory knows stands, unless the VM itself knows better.
  void add(const vms::roster_entry& vm) {
    auto row = silent("vm");
    row.id = vm.view.id;
    row.name = vm.view.name;
    row.queued = vm.view.queued;
    row.step = vm.view.operation;
    row.restarts = vm.restarts;
    row.last_error = vm.last_error;
    const auto at = rows_.size();
    if (vm.state != "ok") {
      row.state = vm.state;
      rows_.push_back(std::move(row));
      return;
    }
    auto machine = silent("machine");
    machine.id = row.id;
    machine.name = row.name;
    rows_.push_back(std::move(row));
    rows_.push_back(std::move(machine));
    operations_of_[at] = vm.operations;
    ask_vm(at, vm.actor);
  }

  void ask_vm(std::size_t at, const vm::vm_actor& whom) {
    open_ += 2;
    actor::ask(self_, whom, patience, show_atom::value)
        .then(
            [this, at](const vm_detail& now) {
              auto& row = rows_[at];
              row.state = "ok";
              row.queued = now.view.queued;
              row.step = now.view.operation;
              if (row.last_error.empty())
                row.last_error = now.last_error;
              answered();
            },
            [this](caf::error&) { answered(); });
    actor::ask(self_, whom, patience, vm::machine_atom::value)
        .then(
            [this, at](const vm::machine_actor& machine) {
              probe(at + 1, machine);
              answered();
            },
            [this](caf::error&) { answered(); });
  }

  void answered() {
    if (--open_ > 0)
      return;
    for (const auto& [at, ops] : operations_of_)
      place_steps(at, ops);
    answer_->deliver(std::move(rows_));
    self_->quit();
  }

  // The operation that runs is the one that has a step; the others wait.
  void place_steps(std::size_t at, const std::vector<std::string>& ops) {
    for (const auto& op : ops) {
      const auto it = steps_.find(op);
      if (it == steps_.end() || it->second.step.empty())
        continue;
      for (auto* row : {&rows_[at], &rows_[at + 1]}) {
        row->op = op;
        row->step = it->second.step;
        row->step_age_us = static_cast<std::uint64_t>(it->second.age.count());
      }
      return;
    }
  }

  roll_call_actor::pointer self_ = nullptr;
  roll whom_;
  std::optional<caf::typed_response_promise<std::vector<actor_view>>> answer_;
  std::vector<actor_view> rows_;
  std::size_t operations_row_ = 0, vms_row_ = 0;
  std::map<std::size_t, std::vector<std::string>> operations_of_; ///< by the row of the VM
  std::map<std::string, operations::running_step> steps_;
  int open_ = 0; ///< questions
};

roll_call_actor::behavior_type behavior(roll_call_actor::stateful_pointer<roll_call_state> self,
                                        roll whom) {
  static_assert(actor::sound_state<roll_call_state>);
  actor::make_sturdy(self);
  auto& s = self->state;
  s.init(self, std::move(whom));
  return {[&s](actors_atom) { return s.begin(); }};
}

} // namespace

roll_call_actor spawn_roll_call(caf::actor_system& system, roll whom) {
  return system.spawn(behavior, std::move(whom));
}

} // namespace banger::gateway
