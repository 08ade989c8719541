// A home whose VMs run under the scripted hypervisor (tests/vmm).
#pragma once

#include "tests/support/home.hpp"
#include "tests/vmm/script.hpp"

namespace banger::test {

struct scripted_home : home {
  scripted_home() { env["BANGER_QEMU"] = bin("scripted-vmm"); }

  static words creation(const std::string& name,
                        scripted::behaviour how = scripted::behaviour::good) {
    const auto memory = std::to_string(scripted::memory_for(how));
    return {"vm", "create", "--image", "tiny", "--name", name, "--memory", memory};
  }
  void create(const std::string& name, scripted::behaviour how = scripted::behaviour::good) {
    good(creation(name, how));
  }
  /// Where the operation of this kind is that runs; empty if none does.
  std::string stage_of(const std::string& kind) {
    for (const auto& o : read({"operations", "--json"}))
      if (o.at("kind") == kind && o.at("state") == "running")
        return o.at("stage");
    return {};
  }
};

} // namespace banger::test
