#include "actors/vm/rules.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace banger::vm {

namespace {

constexpr std::array<std::pair<verb, std::string_view>, 9> verbs = {{{verb::create, "create"},
                                                                     {verb::start, "start"},
                                                                     {verb::stop, "stop"},
                                                                     {verb::restart, "restart"},
                                                                     {verb::kill, "kill"},
                                                                     {verb::remove, "delete"},
                                                                     {verb::set, "set"},
                                                                     {verb::sweep, "sweep"},
                                                                     {verb::reboot, "reboot"}}};

} // namespace

std::string_view to_string(verb v) { return verbs.at(static_cast<std::size_t>(v)).second; }

std::vector<verb> all_verbs() {
  std::vector<verb> all;
  all.reserve(verbs.size());
  for (const auto& [known, word] : verbs)
    all.push_back(known);
  return all;
}

expected<verb> parse_verb(std::string_view text) {
  for (const auto& [known, word] : verbs)
    if (word == text)
      return known;
  return fail(errc::unknown_method, "unknown verb '" + std::string(text.substr(0, 32)) + "'");
}

namespace {

bool at_rest(const record& now) { return now.now == state::created || now.now == state::stopped; }

expected<void> check_disk(const record& now, const change& to) {
  if (!to.disk_bytes || *to.disk_bytes >= now.wanted.disk_bytes)
    return {};
  return fail(errc::bad_request, "the disk of VM " + now.name.str() + " cannot shrink",
              "it has " + format_size(now.wanted.disk_bytes) + ", asked was " +
                  format_size(*to.disk_bytes),
              "a disk only grows; for a smaller one make another VM");
}

} // namespace

expected<record> changed(const record& now, const change& to) {
  if (auto ok = check_disk(now, to); !ok)
    return tl::unexpected(ok.error());
  auto then = now;
  then.name = to.name.value_or(now.name);
  auto& wanted = then.wanted;
  wanted.vcpu = to.vcpu.value_or(wanted.vcpu);
  wanted.memory_mib = to.memory_mib.value_or(wanted.memory_mib);
  wanted.disk_bytes = to.disk_bytes.value_or(wanted.disk_bytes);
  wanted.nat = to.nat.value_or(wanted.nat);
  wanted.autostart = to.autostart.value_or(wanted.autostart);
  wanted.nested = to.nested.value_or(wanted.nested);
  std::string needs_rest;
  const auto differs = [&](bool does, const char* what) {
    if (does)
      needs_rest += (needs_rest.empty() ? "" : ", ") + std::string(what);
  };
  differs(wanted.vcpu != now.wanted.vcpu, "vcpu");
  differs(wanted.memory_mib != now.wanted.memory_mib, "memory");
  differs(wanted.disk_bytes != now.wanted.disk_bytes, "disk size");
  differs(wanted.nested != now.wanted.nested, "nested");
  differs(wanted.nat != now.wanted.nat && now.machine.bridge.empty(), "network");
  if (needs_rest.empty() || now.machine.process.pid == 0)
    return then;
  return fail(errc::bad_request, "VM " + now.name.str() + " runs", "to change: " + needs_rest,
              "stop it first: `banger vm stop " + now.name.str() + "`");
}

namespace {

// Only what makes it, or all that boots it.
std::vector<step> start_steps(const step_table& table, const order& asked) {
  auto steps = table.start;
  std::erase_if(steps, [&](const step& s) {
    return (s.awaited && !asked.until_booted) ||
           (!asked.boot && (s.boot || s.awaited || s.for_boot));
  });
  return steps;
}

plan start_plan(const step_table& table, const order& asked) {
  return {start_steps(table, asked), asked.boot ? state::running : state::created, false, 0};
}

plan restart_plan(const record& now, const step_table& table, const order& asked) {
  if (at_rest(now))
    return start_plan(table, asked);
  const auto& end = asked.what == verb::reboot ? table.sweep : table.stop;
  plan p{end, state::running, false, end.size()};
  const auto start = start_steps(table, asked);
  p.steps.insert(p.steps.end(), start.begin(), start.end());
  return p;
}

bool is_connected(const record& now) {
  return now.machine.process.pid != 0 && !now.machine.bridge.empty();
}

expected<plan> set_plan(const record& now, const step_table& table, const order& asked) {
  const auto then = changed(now, asked.to);
  if (!then)
    return tl::unexpected(then.error());
  const bool grows = then->wanted.disk_bytes != now.wanted.disk_bytes;
  const bool connected = is_connected(now);
  const bool moves = then->name != now.name || then->wanted.nat != now.wanted.nat;
  auto steps = table.set;
  std::erase_if(steps,
                [&](const step& s) { return s.name == "network" ? !connected || !moves : !grows; });
  return plan{std::move(steps), now.now, false, 0};
}

} // namespace

// Disks grow at rest only, and only a VM on a bridge is known to the network.
plan undo_of_set(const record& now, const step_table& table) {
  auto steps = table.set;
  std::erase_if(steps, [&](const step& s) {
    return s.name == "network" ? !is_connected(now) : now.machine.process.pid != 0;
  });
  return {std::move(steps), now.now, false, 0};
}

expected<plan> decide(const record& now, const order& asked, const step_table& table) {
  const auto name = now.name.str();
  switch (asked.what) {
  case verb::create: return start_plan(table, asked);
  case verb::start:
    if (now.now == state::running)
      return fail(errc::bad_request, "VM " + name + " is running already", {},
                  "nothing is to be done; `banger vm exec " + name + " -- COMMAND` reaches it");
    return start_plan(table, asked);
  case verb::reboot:
    if (at_rest(now)) // it was stopped meanwhile
      return plan{{}, now.now};
    return restart_plan(now, table, asked);
  case verb::restart: return restart_plan(now, table, asked);
  case verb::stop:
  case verb::kill:
    if (at_rest(now))
      return plan{{}, now.now};
    return plan{asked.what == verb::stop ? table.stop : table.kill, state::stopped};
  case verb::remove: return plan{table.remove, state::stopped, true};
  case verb::set: return set_plan(now, table, asked);
  case verb::sweep: return plan{table.sweep, state::stopped};
  }
  return fail(errc::unknown_method, "unknown verb");
}

std::string describe_steps(const step_table& table) {
  std::string text =
      "| verb | step | at most [s] | a failure undoes it |\n| --- | --- | --- | --- |\n";
  const auto add = [&](std::string_view name, const std::vector<step>& steps, bool undone) {
    for (const auto& s : steps)
      text += "| " + std::string(name) + " | `" + s.name + "` | " +
              std::to_string(s.at_most.count()) + " | " +
              (s.awaited ? "no; only if waited for"
               : undone  ? "yes"
                         : "no") +
              " |\n";
  };
  add("create, start", table.start, true);
  add("stop", table.stop, false);
  add("kill", table.kill, false);
  add("delete", table.remove, false);
  add("set", table.set, true);
  add("after a crash", table.sweep, false);
  return text;
}

bool yields_to_force(verb v) {
  return v == verb::create || v == verb::start || v == verb::stop || v == verb::restart ||
         v == verb::reboot;
}

failure not_running(const record& vm) {
  return {errc::not_running,
          "VM " + vm.name.str() + " is not running",
          "its state is " + std::string(to_string(vm.now)),
          "banger vm start " + vm.name.str(),
          {}};
}

failure paused(const std::string& name, const std::string& why, bool resumes) {
  return {errc::unavailable,
          "VM " + name + " is paused",
          why,
          resumes ? "it goes on by itself once the disk takes its writes; `banger vm stop " + name +
                        "` ends it"
                  : "`banger vm restart " + name + "` boots it again",
          {}};
}

expected<void> check_rest(const record& now, bool busy) {
  if (now.now != state::running && !busy)
    return {};
  return fail(errc::bad_request, "VM " + now.name.str() + " is not at rest",
              busy ? "an operation of it is under way" : "it is running",
              "`banger vm delete " + now.name.str() + "` deletes it all the same");
}

std::optional<std::size_t> retry_from(const plan& p, std::size_t failed, const failure& why,
                                      unsigned retries) {
  if (why.code != errc::timed_out || retries > 0 || !p.steps[failed].boot)
    return {};
  const auto first =
      std::find_if(p.steps.begin(), p.steps.end(), [](const step& s) { return s.boot; });
  return static_cast<std::size_t>(first - p.steps.begin());
}

aftermath after_failure(const record& before, verb v, const failure& why, remains of_it) {
  if (v == verb::create)
    return {state::error, of_it != remains::in_part};
  // A VM that runs is none the worse for a set that could not be undone.
  if (of_it == remains::untouched || v == verb::set)
    return {before.now, false};
  if (of_it == remains::in_part)
    return {state::error, false};
  if (why.code != errc::cancelled)
    return {state::error, false};
  if (before.machine.process.pid != 0)
    return {before.now, false};
  return {before.now == state::created ? state::created : state::stopped, false};
}

// On the boot of its create nobody was told of the VM. After another boot the database may have
// lost that somebody was, and its disks are what a guest wrote.
recovery recover(const record& r, const evidence& found) {
  const auto& unfinished = found.unfinished;
  if (unfinished == verb::create && found.host_rebooted && found.launched && !r.wanted.ephemeral)
    return recovery::rescue;
  if (unfinished == verb::create || unfinished == verb::remove)
    return recovery::remove;
  if (r.wanted.ephemeral && (unfinished || r.now != state::running || !found.process_lives))
    return recovery::remove;
  if (unfinished == verb::restart || unfinished == verb::reboot)
    return recovery::restart;
  if (unfinished == verb::set && found.process_lives == (r.now == state::running))
    return recovery::revert;
  if (unfinished)
    return recovery::sweep;
  if (r.now != state::running)
    return found.process_lives ? recovery::sweep : recovery::keep;
  if (found.process_lives)
    return recovery::adopt;
  return r.wanted.autostart && found.host_rebooted ? recovery::restart : recovery::stopped;
}

} // namespace banger::vm
