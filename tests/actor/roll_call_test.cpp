// Asking every actor how it is, some of which do not answer.
#include "actors/gateway/roll_call.hpp"
#include "tests/actor/town.hpp"

using namespace banger;
using namespace banger::test;
using namespace banger::messages;

namespace {

struct assembly : supervised_town {
  gateway::roll whom{vms, registry, {}, {}};
  caf::scoped_actor mute{system}; ///< takes no message: as one that is stuck in a call

  std::vector<actor_view> call() {
    const auto asked = keep(gateway::spawn_roll_call(system, whom));
    client->send(asked, actors_atom::value);
    scheduler.run();
    scheduler.advance_time(501ms);
    scheduler.run();
    scheduler.advance_time(501ms);
    scheduler.run();
    std::vector<actor_view> rows;
    client->receive([&](const std::vector<actor_view>& all) { rows = all; },
                    caf::after(0s) >> [] { FAIL("no answer"); });
    return rows;
  }
};

const actor_view& row(const std::vector<actor_view>& all, const std::string& kind,
                      const std::string& name = {}) {
  for (const auto& r : all)
    if (r.kind == kind && r.name == name)
      return r;
  FAIL("no row for " + kind);
  return all.front();
}

} // namespace

TEST_CASE_METHOD(assembly, "every actor is there, with what it does and since when") {
  create("heron");
  s.hangs = {"hello"};
  create("otter");
  order("stop", "otter");
  order("start", "otter");
  scheduler.advance_time(3s);
  scheduler.run();
  whom.others = {{"images", caf::actor_cast<caf::strong_actor_ptr>(images)},
                 {"store", caf::actor_cast<caf::strong_actor_ptr>(store)},
                 {"events", caf::actor_cast<caf::strong_actor_ptr>(events)}};
  const auto all = call();
  CHECK(all.size() == 5 + 4);
  for (const auto& r : all) {
    INFO(r.kind + " " + r.name);
    CHECK(r.state == "ok");
  }
  const auto busy = row(all, "vm", "otter");
  CHECK(busy.step == "hello");
  CHECK(busy.queued == 2);
  CHECK(busy.step_age_us >= 3'000'000);
  CHECK(busy.op.starts_with("op-"));
  CHECK(row(all, "machine", "otter").step == "hello");
  CHECK(row(all, "vm", "heron").op.empty());
  CHECK(row(all, "operations").queued == 3);
}

TEST_CASE_METHOD(assembly, "who does not answer is shown so, and nobody waits for him") {
  create("otter");
  whom.others = {{"store", caf::actor_cast<caf::strong_actor_ptr>(caf::actor(mute))},
                 {"images", caf::actor_cast<caf::strong_actor_ptr>(images)}};
  auto all = call();
  CHECK(row(all, "store").state == "silent");
  CHECK(row(all, "images").state == "ok");
  CHECK(row(all, "vm", "otter").state == "ok");
  whom.vms = caf::actor_cast<vms::vms_actor>(caf::actor(mute));
  all = call();
  CHECK(row(all, "vms").state == "silent");
  CHECK(row(all, "operations").state == "ok");
}

TEST_CASE("a VM whose actor is stuck is shown with what the directory knows of it") {
  assembly t;
  vms::surroundings around;
  around.make_vm = [&](const vm::record&, const vm::vm_listener&, vm::recovery) {
    return caf::actor_cast<vm::vm_actor>(caf::actor(t.mute));
  };
  around.operations = t.registry;
  around.images = caf::actor_cast<image::catalogue_actor>(t.images);
  t.whom.vms = t.keep(vms::spawn_vms(
      t.system, {{some_vm("stone", vm::state::running), vm::recovery::keep}}, around));
  t.scheduler.run();
  const auto all = t.call();
  CHECK(row(all, "vm", "stone").state == "silent");
  CHECK(row(all, "machine", "stone").state == "silent");
  CHECK(row(all, "vms").state == "ok");
}

TEST_CASE_METHOD(assembly, "a VM whose actor has died is shown with its restarts and its error") {
  create("otter");
  kill(made.back());
  CHECK(row(call(), "vm", "otter").restarts == 1);
  const auto works = vms::attend(recall, list().front().id);
  kill(made.back());
  const auto all = call();
  CHECK(row(all, "vm", "otter").state == "restarting");
  CHECK(row(all, "vm", "otter").restarts == 2);
  CHECK_FALSE(row(all, "vm", "otter").last_error.empty());
}
