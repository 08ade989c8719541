// One VM, the machine that does as it is told, and a directory that writes down what it hears.
#pragma once

#include "tests/actor/stage.hpp"

namespace banger::test {

using messages::finished;
using messages::progress;
using messages::vm_view;

/// Writes down what the VM tells its directory.
struct heard {
  std::vector<std::string> stages;
  std::vector<finished> ends;
  std::vector<vm::own_operation> own;
  vm_view last;
};

struct conversation : stage {
  script s;
  heard h;
  vm::vm_listener directory = keep(system.spawn([this]() -> vm::vm_listener::behavior_type {
    return {[this](const vm_view& v) { h.last = v; },
            [this](const vm::own_operation& o) { h.own.push_back(o); },
            [this](const progress& p) { h.stages.push_back(p.stage); },
            [this](const finished& f) { h.ends.push_back(f); }};
  }));
  vm::machine_actor host = machine(s);
  vm::vm_actor otter;

  void wake(vm::record r, vm::recovery then = vm::recovery::keep) {
    otter =
        keep(vm::spawn_vm(system, std::move(r), store, host,
                          vm::compose(vm::standard_capabilities()), "/vms/otter", directory, then));
    scheduler.run();
  }

  void order(const std::string& op, vm::verb what) {
    client->send(otter, vm::order_atom::value, vm::order{op, what});
  }

  void run(const std::string& op, vm::verb what) {
    order(op, what);
    scheduler.run();
  }

  errc end_of(const std::string& op) const {
    for (const auto& f : h.ends)
      if (f.op == op)
        return static_cast<errc>(f.error.code);
    FAIL("operation " + op + " did not end");
    return errc::none;
  }

  messages::vm_detail look() { return ask<messages::vm_detail>(otter, messages::show_atom::value); }
};

} // namespace banger::test
