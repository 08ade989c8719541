#include "actors/vms/recall.hpp"

#include <map>

namespace banger::vms {

namespace {

class recall_state : public actor::state_base {
public:
  static inline const char* name = "recall";

  void init(attended_recall_actor::pointer self, store::store_actor store, work::run_fn workers,
            assess_fn assess) {
    self_ = self;
    store_ = std::move(store);
    workers_ = std::move(workers);
    assess_ = std::move(assess);
  }

  caf::result<found_vm_ptr> recall(const std::string& vm) {
    auto answer = self_->make_response_promise<found_vm_ptr>();
    if (present_.count(vm) == 0)
      look(vm, answer);
    else
      waiting_.emplace(vm, answer);
    return answer;
  }

  void arrived(const std::string& vm) { ++present_[vm]; }

  void departed(const std::string& vm) {
    if (--present_[vm] > 0)
      return;
    present_.erase(vm);
    const auto [from, to] = waiting_.equal_range(vm);
    for (auto it = from; it != to; ++it)
      look(vm, it->second);
    waiting_.erase(from, to);
  }

private:
  using promise = caf::typed_response_promise<found_vm_ptr>;

  void look(const std::string& vm, promise answer) {
    actor::ask_kin(self_, store_, store::find_atom::value, vm)
        .then([this, answer](const store::snapshot_ptr& known) { judge(known, answer); },
              [answer](caf::error& why) mutable { answer.deliver(std::move(why)); });
  }

  void judge(const store::snapshot_ptr& known, promise answer) {
    if (!known->quarantined.empty())
      answer.deliver(actor::to_error(
          {errc::corrupted, "the VM's record cannot be read", known->quarantined.front(), {}, {}}));
    else if (known->vms.empty())
      answer.deliver(actor::to_error({errc::not_found, "the VM was not recorded yet", {}, {}, {}}));
    else
      work::submit(
          workers_, attended_recall_actor(self_),
          [known, assess = assess_] { return assess(*known); },
          [answer](std::vector<found_vm> found) mutable {
            answer.deliver(found_vm_ptr(std::make_shared<const found_vm>(std::move(found.at(0)))));
          });
  }

  attended_recall_actor::pointer self_ = nullptr;
  store::store_actor store_;
  work::run_fn workers_;
  assess_fn assess_;
  std::map<std::string, std::uint32_t> present_; ///< by VM: who works for it
  std::multimap<std::string, promise> waiting_;
};

attended_recall_actor::behavior_type
behavior(attended_recall_actor::stateful_pointer<recall_state> self, store::store_actor store,
         work::run_fn workers, assess_fn assess) {
  static_assert(actor::sound_state<recall_state>);
  actor::make_sturdy(self);
  auto& s = self->state;
  s.init(self, std::move(store), std::move(workers), std::move(assess));
  return {
      [&s](recall_atom, const std::string& vm) { return s.recall(vm); },
      [&s](arrived_atom, const std::string& vm) { s.arrived(vm); },
      [&s](departed_atom, const std::string& vm) { s.departed(vm); },
      [](const work::thunk& t) { t.run(); },
  };
}

} // namespace

attended_recall_actor spawn_recall(caf::actor_system& system, store::store_actor store,
                                   work::run_fn workers, assess_fn assess) {
  return system.spawn(behavior, std::move(store), std::move(workers), std::move(assess));
}

std::shared_ptr<void> attend(const attended_recall_actor& recall, const std::string& vm) {
  actor::tell_from_outside(recall, arrived_atom::value, vm);
  return {static_cast<void*>(nullptr),
          [recall, vm](void*) { actor::tell_from_outside(recall, departed_atom::value, vm); }};
}

} // namespace banger::vms
