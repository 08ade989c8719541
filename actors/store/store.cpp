#include "actors/store/store.hpp"

#include "messages/base/failpoint.hpp"

namespace banger::store {

namespace {

struct store_state : actor::state_base {
  static inline const char* name = "store";
  std::unique_ptr<database> db;
};

template <class Commit>
caf::result<void> commit(std::string_view what, Commit act) {
  if (auto ok = work::pass("store", what, work::moment::before); !ok)
    return actor::answer(std::move(ok));
  auto done = act();
  if (done)
    done = work::pass("store", what, work::moment::after);
  return actor::answer(std::move(done));
}

store_actor::behavior_type store(store_actor::stateful_pointer<store_state> self,
                                 const std::shared_ptr<database>& db) {
  static_assert(actor::sound_state<store_state>);
  actor::make_sturdy(self);
  self->state.db = std::make_unique<database>(std::move(*db));
  auto& file = *self->state.db;
  return {
      [&file](save_atom, const vm::record_ptr& r) {
        return commit("save", [&] { return file.save(*r); });
      },
      [&file](intend_atom, const intent& i) {
        return commit("intend", [&] { return file.intend(i); });
      },
      [&file](settle_atom, const vm::record_ptr& r) {
        return commit("settle", [&] { return file.settle(*r); });
      },
      [&file](erase_atom, const std::string& vm) {
        return commit("erase", [&] { return file.erase(vm); });
      },
      [&file](find_atom, const std::string& vm) -> caf::result<snapshot_ptr> {
        auto one = file.load_one(vm);
        if (!one)
          return actor::to_error(one.error());
        return snapshot_ptr(std::make_shared<const snapshot>(std::move(*one)));
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
