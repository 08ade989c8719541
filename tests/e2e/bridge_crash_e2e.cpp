// bangerd killed before and after each step that has to do with the bridge. The rows are the steps
// that a bridge adds to the table.
#include "actors/vm/capability.hpp"
#include "tests/e2e/bridge_scene.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>

using namespace banger;
using namespace banger::test;

namespace {

struct tried {
  std::string verb;
  std::vector<vm::step> vm::step_table::*steps;
  words command;
};

const std::vector<tried>& verbs() {
  static const std::vector<tried> all{
      {"create", &vm::step_table::start, {"vm", "create", "--image", "tiny", "--name", "a"}},
      {"set", &vm::step_table::set, {"vm", "set", "a", "--nat"}},
      {"stop", &vm::step_table::stop, {"vm", "stop", "a"}},
      {"kill", &vm::step_table::kill, {"vm", "kill", "a"}},
      {"delete", &vm::step_table::remove, {"vm", "delete", "a"}}};
  return all;
}

std::vector<std::string> added_by_bridge(const tried& t) {
  const auto with = vm::compose(vm::standard_capabilities(), true);
  const auto without = vm::compose(vm::standard_capabilities(), false);
  std::vector<std::string> added;
  for (const auto& s : with.*t.steps)
    if (std::none_of((without.*t.steps).begin(), (without.*t.steps).end(),
                     [&](const auto& other) { return other.name == s.name; }))
      added.push_back(s.name);
  return added;
}

void try_row(const tried& t, const std::string& failpoint) {
  INFO(failpoint);
  bridge_scene s(true);
  s.start_helper();
  auto& u = s.user();
  if (t.verb != "create")
    u.good(verbs().front().command);
  u.good({"daemon", "stop"});
  u.env["BANGER_FAILPOINT"] = failpoint;
  u.good({"vm", "list"});
  const auto armed = u.daemon_pid();
  u.banger(t.command);
  CHECK(u.eventually([&] { return u.daemon_pid() != armed; }));
  u.env.erase("BANGER_FAILPOINT");
  u.banger({"daemon", "stop"});
  u.banger({"vm", "delete", "a"}); // of what is there, or is being undone
  CHECK(u.eventually([&] { return u.list().empty(); }));
  CHECK(u.eventually([&] { return s.taps() == 0 && s.elements("guests") == 0; }));
  CHECK(s.elements("nat") == 0);
}

} // namespace

TEST_CASE("lesson 27: a daemon killed at any step on the bridge leaves no tap and no rule",
          "[root][as-user][network][none]") {
  if (skipped_without_bridge())
    return;
  std::size_t rows = 0;
  for (const auto& t : verbs())
    for (const auto& step : added_by_bridge(t))
      for (const std::string at : {"before", "after"}) {
        try_row(t, t.verb + "/" + step + "/" + at + ":kill");
        ++rows;
      }
  CHECK(rows >= 10);
}
