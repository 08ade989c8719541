// A directory with clients, whose VMs have doubles for machines, and which is supervised.
#pragma once

#include "actors/vms/recall.hpp"
#include "actors/vms/vms.hpp"
#include "tests/actor/stage.hpp"

namespace banger::test {

struct town_client : actor::state_base {
  static inline const char* name = "town_client";
};

struct supervised_town : stage {
  script s;
  bool process_lives = true; ///< what a look at the host finds
  std::vector<messages::finished> ends;
  std::vector<std::string> lines; ///< events
  std::vector<vm::vm_actor> made;
  events::events_actor events = keep(events::spawn_events(
      system, {[this](std::string line) { lines.push_back(std::move(line)); }, {}}));
  operations::operations_actor registry = keep(operations::spawn_operations(system, events));
  vms::attended_recall_actor recall = keep(vms::spawn_recall(
      system, store, [](auto task) { task(); },
      [this](const store::snapshot& one) { return assess(one); }));
  messages::client_actor otto = keep(system.spawn(
      [](messages::client_actor::stateful_pointer<town_client> self,
         std::vector<messages::finished>* told) -> messages::client_actor::behavior_type {
        actor::make_sturdy(self);
        return {[](const messages::progress&) {},
                [told](const messages::finished& f) { told->push_back(f); }};
      },
      &ends));
  vms::vms_actor vms;

  supervised_town() {
    vms::surroundings around;
    around.make_vm = [this](vm::record r, vm::vm_listener directory, vm::recovery then) {
      made.push_back(keep(vm::spawn_vm(system, std::move(r), store, machine(s),
                                       vm::compose(vm::standard_capabilities()), "/vms",
                                       std::move(directory), then)));
      return made.back();
    };
    around.limits = {4, 8 * GiB};
    around.operations = registry;
    around.images = caf::actor_cast<image::catalogue_actor>(images);
    around.events = events;
    around.recall = caf::actor_cast<vms::recall_actor>(recall);
    vms = keep(vms::spawn_vms(system, {}, std::move(around)));
    scheduler.run();
  }

  // The directory first: it would make again what is killed.
  ~supervised_town() {
    caf::anon_send_exit(vms, caf::exit_reason::kill);
    scheduler.run();
    end_all();
  }

  std::vector<vms::found_vm> assess(const store::snapshot& one) const {
    auto r = one.vms.front();
    if (!process_lives)
      r.machine.process = {};
    std::optional<vm::verb> verb;
    if (!one.unfinished.empty())
      verb = *vm::parse_verb(one.unfinished.front().verb);
    const auto then = vm::recover(r, {verb, r.machine.process.pid != 0});
    return {{std::move(r), then}};
  }

  /// As `otto` says it, who hears of the end.
  template <class Request>
  void begin(const Request& request) {
    caf::send_as(caf::actor_cast<caf::actor>(otto), vms, messages::begin_atom::value, request);
    scheduler.run();
  }
  void create(const std::string& name, bool ephemeral = false) {
    begin(messages::create_request{name, "tiny", 1, 256, 64 * MiB, false, ephemeral});
  }
  void order(const std::string& verb, const std::string& name) {
    begin(messages::verb_request{verb, name});
  }

  void kill(const vm::vm_actor& actor, caf::exit_reason why = caf::exit_reason::kill) {
    caf::anon_send_exit(actor, why);
    scheduler.run();
  }

  std::vector<messages::vm_view> list() {
    return ask<std::vector<messages::vm_view>>(vms, messages::list_atom::value);
  }
  std::string state_of(const std::string& name) {
    for (const auto& vm : list())
      if (vm.name == name)
        return vm.state;
    return "not there";
  }
  messages::vm_detail show(const std::string& name) {
    return ask<messages::vm_detail>(vms, messages::show_atom::value, name);
  }
  std::size_t said(const std::string& what) const {
    return static_cast<std::size_t>(std::count(s.said.begin(), s.said.end(), what));
  }
};

} // namespace banger::test
