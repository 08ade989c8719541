#include "tests/e2e/crash_rows.hpp"

#include <stdexcept>

namespace banger::crash {

namespace {

const words make = {"vm", "create", "--image", "tiny", "--name", "x", "--wait", "boot"};
const words start = {"vm", "start", "x", "--wait", "boot"};
const words stop = {"vm", "stop", "x"};
const words none;

vm::plan plan_of(vm::verb v) {
  const auto t = trial_of(v);
  const vm::record x{*vm_id::parse("000000000000"),
                     *vm_name::parse("x"),
                     {*image_name::parse("tiny"), 1, 256, GiB, false, false},
                     vm::parse_state(t.old_state).value_or(vm::state::created),
                     {},
                     {},
                     1,
                     std::string(32, '0')};
  vm::order asked{"", v, true};
  if (v == vm::verb::set)
    asked.to.disk_bytes = 9 * GiB;
  auto plan = vm::decide(x, asked, vm::compose(vm::standard_capabilities()));
  if (!plan)
    throw std::logic_error(std::string(vm::to_string(v)) +
                           " is tried where it is refused: " + describe(plan.error()));
  return *plan;
}

} // namespace

// No default: here a new verb stops the build.
trial trial_of(vm::verb v) {
  switch (v) {
  case vm::verb::create: return {{}, {}, make, gone, "running"};
  case vm::verb::start: return {{make, stop}, {}, start, "stopped", "running"};
  case vm::verb::stop: return {{make}, {}, stop, "running", "stopped"};
  case vm::verb::restart:
    return {{make}, {}, {"vm", "restart", "x", "--wait", "boot"}, "running", "running"};
  case vm::verb::set:
    return {{make, stop}, {}, {"vm", "set", "x", "--disk-size", "9G"}, "stopped", "stopped"};
  case vm::verb::kill: return {{make}, {}, {"vm", "kill", "x"}, "running", "stopped"};
  case vm::verb::remove: return {{make}, {}, {"vm", "delete", "x"}, "running", gone};
  case vm::verb::sweep:
    return {{make, stop, start}, "start/hello/before:kill", none, "stopped", "stopped"};
  }
  throw std::logic_error("no such verb");
}

std::vector<row> rows_of(vm::verb v) {
  std::vector<row> rows;
  for (const auto& step : plan_of(v).steps)
    for (const auto at : {work::moment::before, work::moment::after})
      rows.push_back({v, step.name, at});
  return rows;
}

std::vector<row> undo_rows_of(vm::verb v) {
  std::vector<row> rows;
  const auto plan = plan_of(v);
  for (std::size_t i = plan.undo_from.value_or(plan.steps.size()); i < plan.steps.size(); ++i)
    if (const auto& step = plan.steps[i]; !step.awaited)
      for (const auto at : {work::moment::before_undo, work::moment::after_undo})
        rows.push_back({v, step.name, at});
  return rows;
}

std::string failpoint_of(const row& r, std::string_view mishap) {
  const std::string verb(vm::to_string(r.what));
  auto text = verb + "/" + r.step + "/" + std::string(work::to_string(r.at)) + ":";
  text += mishap;
  if (r.at == work::moment::before || r.at == work::moment::after)
    return text;
  std::string last;
  for (const auto& step : plan_of(r.what).steps)
    if (!step.awaited)
      last = step.name;
  return verb + "/" + last + "/after:fail," + text;
}

std::string commit_failpoint(work::moment at, unsigned k, std::string_view mishap) {
  return "store/*/" + std::string(work::to_string(at)) + "#" + std::to_string(k) + ":" +
         std::string(mishap);
}

} // namespace banger::crash
