#include "actors/store/store.hpp"

#include "messages/base/failpoint.hpp"

namespace banger::store {

namespace {

using commit_atom = caf::atom_constant<caf::atom("commit")>;
using committing_store_actor = store_actor::extend<caf::reacts_to<commit_atom>>;

class store_state : public actor::state_base {
public:
  static inline const char* name = "store";

  void init(committing_store_actor::pointer self, database db) {
    self_ = self;
    db_ = std::make_unique<database>(std::move(db));
  }

  database& file() { return *db_; }

  // The commit is the last in the mailbox now: words that came while the disk was busy share it.
  template <class Act>
  caf::result<void> durably(std::string_view what, Act act) {
    if (!db_->in_batch()) {
      if (auto ok = db_->begin_batch(); !ok)
        return actor::answer(std::move(ok));
      actor::tell(self_, committing_store_actor(self_), commit_atom::value);
    }
    return write(what, act);
  }

  template <class Act>
  caf::result<void> write(std::string_view what, Act act) {
    auto done = work::pass("store", what, work::moment::before);
    if (done)
      done = act();
    if (!done && db_->lost_batch())
      commit(); // fails, and all who wait are told
    if (!done || !db_->in_batch())
      return actor::answer(done ? work::pass("store", what, work::moment::after) : std::move(done));
    return waiting_.emplace_back(self_->make_response_promise<void>(), what).answer;
  }

  void commit() {
    const auto done = db_->commit_batch();
    for (auto& [answer, what] : std::exchange(waiting_, {})) {
      const auto after = done ? work::pass("store", what, work::moment::after) : done;
      if (after)
        actor::done(answer);
      else
        answer.deliver(actor::to_error(after.error()));
    }
  }

  // Nobody is told of what a loss of power may take back.
  caf::result<snapshot_ptr> find(const std::string& vm) {
    if (db_->in_batch())
      commit();
    auto one = db_->load_one(vm);
    if (!one)
      return actor::to_error(one.error());
    return snapshot_ptr(std::make_shared<const snapshot>(std::move(*one)));
  }

private:
  struct waiting {
    caf::typed_response_promise<void> answer;
    std::string_view what;
    waiting(caf::typed_response_promise<void> a, std::string_view w)
        : answer(std::move(a)), what(w) {}
  };

  committing_store_actor::pointer self_ = nullptr;
  std::unique_ptr<database> db_;
  std::vector<waiting> waiting_; ///< for the commit of the batch
};

committing_store_actor::behavior_type
store(committing_store_actor::stateful_pointer<store_state> self,
      const std::shared_ptr<database>& db) {
  static_assert(actor::sound_state<store_state>);
  actor::make_sturdy(self);
  auto& s = self->state;
  s.init(self, std::move(*db));
  return {
      [&s](save_atom, const vm::record_ptr& r) {
        return s.write("save", [&] { return s.file().save(*r); });
      },
      [&s](intend_atom, const intent& i) {
        const auto act = [&] { return s.file().intend(i); };
        return i.first_to_disk ? s.durably("intend", act) : s.write("intend", act);
      },
      [&s](settle_atom, const vm::record_ptr& r) {
        return s.durably("settle", [&] { return s.file().settle(*r); });
      },
      [&s](erase_atom, const std::string& vm) {
        return s.durably("erase", [&] { return s.file().erase(vm); });
      },
      [&s](find_atom, const std::string& vm) { return s.find(vm); },
      [&s](commit_atom) {
        if (s.file().in_batch())
          s.commit();
      },
  };
}

} // namespace

store_actor spawn_store(caf::actor_system& system, database db) {
  return system.spawn<caf::detached>(store, std::make_shared<database>(std::move(db)));
}

store_actor spawn_store_for_test(caf::actor_system& system, database db) {
  return system.spawn(store, std::make_shared<database>(std::move(db)));
}

} // namespace banger::store
