#include "tests/e2e/crash_rows.hpp"

#include <algorithm>
#include <stdexcept>

namespace banger::crash {

namespace {

const words make = {"vm",       "create", "--image",     "tiny", "--name", "x",
                    "--memory", "256M",   "--disk-size", "8G",   "--wait", "boot"};
const words resize = {"vm", "set", "x", "--memory", "300M", "--disk-size", "9G"};
const words start = {"vm", "start", "x", "--wait", "boot"};
const words stop = {"vm", "stop", "x"};
const words none;

vm::record record_of(const trial& t) {
  return {*vm_id::parse("000000000000"),
          *vm_name::parse("x"),
          {*image_name::parse("tiny"), 1, t.old_sizes.memory_mib, t.old_sizes.disk_bytes},
          vm::parse_state(t.old_state).value_or(vm::state::created),
          {},
          {},
          1,
          std::string(32, '0')};
}

vm::plan plan_of(vm::verb v) {
  const auto t = trial_of(v);
  vm::order asked{"", v, true};
  if (v == vm::verb::set) {
    asked.to.memory_mib = t.new_sizes.memory_mib;
    asked.to.disk_bytes = t.new_sizes.disk_bytes;
  }
  auto plan = vm::decide(record_of(t), asked, vm::compose(vm::standard_capabilities()));
  if (!plan)
    throw std::logic_error(std::string(vm::to_string(v)) +
                           " is tried where it is refused: " + describe(plan.error()));
  return *plan;
}

} // namespace

std::vector<vm::verb> tried_verbs() {
  auto all = vm::all_verbs();
  std::erase(all, vm::verb::reboot);
  return all;
}

// No default: here a new verb stops the build.
trial trial_of(vm::verb v) {
  switch (v) {
  case vm::verb::create: return {{}, {}, make, gone, "running"};
  case vm::verb::start: return {{make, stop}, {}, start, "stopped", "running"};
  case vm::verb::stop: return {{make}, {}, stop, "running", "stopped"};
  case vm::verb::restart:
    return {{make}, {}, {"vm", "restart", "x", "--wait", "boot"}, "running", "running"};
  case vm::verb::set: return {{make, stop}, {}, resize, "stopped", "stopped", {}, {300, 9 * GiB}};
  case vm::verb::kill: return {{make}, {}, {"vm", "kill", "x"}, "running", "stopped"};
  case vm::verb::remove: return {{make}, {}, {"vm", "delete", "x"}, "running", gone};
  case vm::verb::sweep:
    return {{make, stop, start}, "start/hello/before:kill", none, "stopped", "stopped"};
  case vm::verb::reboot: break;
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

ends whole(const trial& t) { return {{t.old_state, t.new_state}, {t.old_sizes, t.new_sizes}}; }

ends done(const trial& t) { return {{t.new_state}, {t.new_sizes}, false}; }

ends undone(const trial& t) { return {{t.old_state}, {t.old_sizes}}; }

ends failed(const row& r) {
  const auto t = trial_of(r.what);
  const auto steps = plan_of(r.what).steps;
  if (std::any_of(steps.begin(), steps.end(),
                  [&](const auto& s) { return s.name == r.step && s.awaited; }))
    return done(t);
  const auto left = vm::after_failure(record_of(t), r.what, {});
  if (left.gone)
    return {{gone}};
  std::vector<std::string> states{std::string(to_string(left.now))};
  if (left.now == vm::state::error)
    states.emplace_back("stopped");
  return {states, {t.old_sizes}};
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
