// A stage for actor conversations: deterministic scheduler, virtual time, and a machine that does
// as it is told.
#pragma once

#include "actors/vm/vm.hpp"
#include "messages/client.hpp"
#include "messages/transport/transport.hpp"
#include "tests/support/catch.hpp"

#include <caf/scheduler/test_coordinator.hpp>

#include <set>

namespace banger::test {

using namespace std::chrono_literals;

inline vm::record some_vm(const std::string& name, vm::state now = vm::state::created,
                          bool ephemeral = false) {
  std::string id = name;
  id.resize(12, '0');
  for (auto& c : id)
    c = "0123456789abcdef"[static_cast<unsigned char>(c) % 16];
  return {*vm_id::parse(id),
          *vm_name::parse(name),
          {*image_name::parse("tiny"), 1, 256, 64 * MiB, false, ephemeral},
          now,
          {},
          {},
          1,
          std::string(32, 'a')};
}

/// What the machine is to do, and what it was asked. One script may serve several machines.
struct script {
  std::vector<std::string> said; ///< "do launch", "undo launch", "abort", ...
  std::string breaks_at;
  errc breaks_with = errc::operation_failed;
  unsigned times = 1000;       ///< how often it breaks
  std::string stays;           ///< a step that cannot be undone
  std::set<std::string> hangs; ///< steps that do not answer until `abort`
  bool in_use = false;         ///< commands run in the guest
};

struct machine_double : actor::state_base {
  static inline const char* name = "machine double";
  std::optional<caf::typed_response_promise<vm::record_ptr>> hanging;
};

inline vm::record_ptr with_process(const vm::record_ptr& r, std::uint32_t pid) {
  auto copy = std::make_shared<vm::record>(*r);
  copy->machine.process.pid = pid;
  return copy;
}

inline vm::machine_actor::behavior_type
machine_behavior(vm::machine_actor::stateful_pointer<machine_double> self, script* s) {
  actor::make_sturdy(self); // as the real one
  const auto act = [self, s](vm::do_atom,
                             const vm::step_request& x) -> caf::result<vm::record_ptr> {
    s->said.push_back("do " + x.name);
    if (s->hangs.count(x.name) > 0) {
      self->state.hanging = self->make_response_promise<vm::record_ptr>();
      return *self->state.hanging;
    }
    if (x.name == s->breaks_at && s->times > 0) {
      --s->times;
      return actor::to_error({s->breaks_with, x.name + " broke", "for the test", {}, {}});
    }
    if (x.name == "launch")
      return with_process(x.vm, 4711);
    if (x.name == "release" || x.name == "kill")
      return with_process(x.vm, 0);
    return x.vm;
  };
  const auto abort = [self, s](vm::abort_atom) {
    s->said.emplace_back("abort");
    if (self->state.hanging)
      std::exchange(self->state.hanging, std::nullopt)
          ->deliver(actor::to_error({errc::cancelled, "aborted", {}, {}, {}}));
  };
  return {[](const image::note&) {},
          act,
          [s](vm::undo_atom, const vm::step_request& x) -> caf::result<vm::record_ptr> {
            s->said.push_back("undo " + x.name);
            if (x.name == s->stays)
              return actor::to_error({errc::operation_failed, "it does not end", {}, {}, {}});
            return x.name == "launch" ? with_process(x.vm, 0) : x.vm;
          },
          [s](vm::adopt_atom, const vm::record_ptr&) { s->said.emplace_back("adopt"); },
          abort,
          [s](vm::open_atom, const messages::exec_request& x) {
            s->said.push_back("open " + (x.argv.empty() ? "-" : x.argv.front()));
            return messages::stream_ticket{"token", x.ref, 1};
          },
          [s](vm::open_atom, const messages::attach_request& x) {
            s->said.push_back("attach " + std::to_string(x.session));
            return messages::stream_ticket{"token", x.vm, x.session};
          },
          [](const work::thunk& t) { t.run(); },
          [](messages::stats_atom, const vm::record_ptr& r) {
            messages::vm_stats stats;
            stats.name = r->name.str();
            stats.state = to_string(r->now);
            stats.pid = r->machine.process.pid;
            return stats;
          },
          [](messages::ports_atom, const vm::record_ptr& r) {
            return messages::vm_ports{r->id.str(), r->name.str(), {}, 0};
          },
          [](messages::health_atom, const vm::record_ptr& r) {
            messages::vm_health health;
            health.name = r->name.str();
            health.verdict = "healthy";
            return health;
          },
          [](messages::console_atom, const vm::record_ptr& r) {
            return messages::stream_ticket{"token", r->id.str(), 0};
          },
          [s](vm::in_use_atom) { return s->in_use; }};
}

/// Images that are there at once, without a disk.
class instant_workshop : public image::workshop {
public:
  expected<boot::boot_set> kernel(const storage::progress_fn&, const std::stop_token&) override {
    return boot::boot_set{"6.1", "/vmlinux", "/initramfs", "/modules"};
  }
  expected<std::optional<boot::boot_set>> find_kernel() override {
    return std::optional<boot::boot_set>{};
  }
  expected<std::optional<image::image_info>> find(const image_name&) override {
    return std::optional<image::image_info>{};
  }
  expected<image::image_info> ensure(const image_name& name, const storage::progress_fn&,
                                     const std::stop_token&) override {
    return image::image_info{name.str(), "/" + name.str() + ".img", 1, "", "", "", {}};
  }
  expected<image::image_info> build(const image::recipe& what, const storage::progress_fn& progress,
                                    const std::stop_token& stop) override {
    return ensure(*image_name::parse(what.name), progress, stop);
  }
  expected<image::recipe> look(const image_name&) override {
    return fail(errc::not_found, "no such image");
  }
  std::vector<image::shelved> list() override { return {}; }
  void tidy() override {}
  void prune(const image_name&) override {}
  expected<void> remove(const image_name&) override { return {}; }
};

/// The actor system of one test. Kills what a failed check left alive, since CAF waits for it else.
struct stage {
  struct config : caf::actor_system_config {
    config() {
      transport::register_messages(*this);
      transport::register_helper_messages(*this);
      set("scheduler.policy", caf::atom("testing"));
    }
  };

  config cfg;
  caf::actor_system system{cfg};
  caf::scheduler::test_coordinator& scheduler{
      static_cast<caf::scheduler::test_coordinator&>(system.scheduler())};
  caf::scoped_actor client{system};
  std::vector<caf::strong_actor_ptr> cast;
  store::store_actor store =
      keep(store::spawn_store_for_test(system, std::move(*store::database::open(":memory:"))));

  operations::operations_actor operations = keep(operations::spawn_operations(system));
  image::images_actor images = keep(
      image::spawn_images(system, {std::make_shared<instant_workshop>(), [](auto task) { task(); },
                                   [](auto task) { task(); }, operations}));

  stage() { system.await_actors_before_shutdown(false); }
  ~stage() { end_all(); }

  /// For the destructors of stages whose actors look at members of theirs.
  void end_all() {
    for (const auto& actor : cast)
      caf::anon_send_exit(actor, caf::exit_reason::kill);
    scheduler.run();
    cast.clear();
  }

  template <class Handle>
  Handle keep(Handle actor) {
    cast.push_back(caf::actor_cast<caf::strong_actor_ptr>(actor));
    return actor;
  }

  vm::machine_actor machine(script& s) { return keep(system.spawn(machine_behavior, &s)); }

  /// Asks, lets everybody work, and takes the answer.
  template <class Answer, class Handle, class... Ts>
  Answer ask(const Handle& whom, Ts... words) {
    std::optional<Answer> got;
    client->send(whom, words...);
    scheduler.run();
    client->receive([&](const Answer& x) { got = x; }, caf::after(0s) >> [] { FAIL("no answer"); });
    return *got;
  }
};

} // namespace banger::test
