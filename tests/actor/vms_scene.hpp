// A directory of VMs whose machines are doubles, and one client.
#pragma once

#include "actors/vms/vms.hpp"
#include "tests/actor/stage.hpp"

namespace banger::test {

using namespace messages;

struct inbox {
  std::vector<progress> news;
  std::vector<finished> ends;
};

struct client_double : actor::state_base {
  static inline const char* name = "client";
};

// A client as the CLI has it: asks, and hears of the end.
inline client_actor::behavior_type
client_behavior(client_actor::stateful_pointer<client_double> self, inbox* in) {
  actor::make_sturdy(self); // answers to what `begin` sends in its name mean nothing to it
  return {[in](const progress& p) { in->news.push_back(p); },
          [in](const finished& f) { in->ends.push_back(f); }};
}

struct town : stage {
  script s;
  inbox in;
  std::vector<vm::vm_actor> made;
  vms::vms_actor vms;
  std::chrono::milliseconds stale_after{0};
  client_actor otto = keep(system.spawn(client_behavior, &in));

  town() { open({}); }

  void open(std::vector<vms::found_vm> found) {
    vms::surroundings around;
    around.make_vm = [this](vm::record r, vm::vm_listener directory, vm::recovery then) {
      made.push_back(keep(vm::spawn_vm(system, std::move(r), store, machine(s),
                                       vm::compose(vm::standard_capabilities()), "/vms",
                                       std::move(directory), then)));
      return made.back();
    };
    around.offer_log = [](const std::string& id, bool follow) { return id + (follow ? "+" : ""); };
    around.limits = {4, 8 * GiB};
    around.check_nested = [](std::uint32_t vcpu) {
      return vcpu == 1 ? expected<void>() : fail(errc::unavailable, "one vCPU only");
    };
    around.operations = operations;
    around.images = caf::actor_cast<image::catalogue_actor>(images);
    around.orphan_life = 20s;
    around.stale_after = stale_after;
    vms = keep(vms::spawn_vms(system, std::move(found), std::move(around)));
    scheduler.run();
  }

  // Says it as `otto`, so that he is the listener.
  template <class Request>
  void begin(const Request& request) {
    caf::send_as(caf::actor_cast<caf::actor>(otto), vms, begin_atom::value, request);
    scheduler.run();
  }

  vm_view named(const std::string& wanted) {
    for (const auto& view : list())
      if (view.name == wanted)
        return view;
    FAIL("no VM " << wanted);
    return {};
  }

  template <class Request>
  failure refusal(const Request& request) {
    failure why{errc::none, {}, {}, {}, {}};
    client->send(vms, begin_atom::value, request);
    scheduler.run();
    client->receive([](const op_ticket&) {},
                    [&](const caf::error& e) { why = actor::from_error(e); },
                    caf::after(0s) >> [] { FAIL("no answer"); });
    return why;
  }

  std::vector<vm_view> list() { return ask<std::vector<vm_view>>(vms, list_atom::value); }
};

inline create_request good(const std::string& name, bool ephemeral = false) {
  return {name, "tiny", 1, 256, 64 * MiB, false, ephemeral};
}

} // namespace banger::test
