#include "actors/vm/rules.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace banger::vm {

namespace {

constexpr std::array<std::pair<verb, std::string_view>, 6> verbs = {{{verb::create, "create"},
                                                                     {verb::start, "start"},
                                                                     {verb::stop, "stop"},
                                                                     {verb::kill, "kill"},
                                                                     {verb::remove, "delete"},
                                                                     {verb::sweep, "sweep"}}};

} // namespace

std::string_view to_string(verb v) { return verbs.at(static_cast<std::size_t>(v)).second; }

expected<verb> parse_verb(std::string_view text) {
  for (const auto& [known, word] : verbs)
    if (word == text)
      return known;
  return fail(errc::unknown_method, "unknown verb '" + std::string(text.substr(0, 32)) + "'");
}

namespace {

plan start_plan(const step_table& table, bool awaited) {
  plan p{table.start, state::running, false, true};
  if (!awaited)
    std::erase_if(p.steps, [](const step& s) { return s.awaited; });
  return p;
}

} // namespace

expected<plan> decide(const record& now, verb v, const step_table& table, bool awaited) {
  const auto name = now.name.str();
  switch (v) {
  case verb::create: return start_plan(table, awaited);
  case verb::start:
    if (now.now == state::running)
      return fail(errc::bad_request, "VM " + name + " is running already", {},
                  "nothing is to be done; `banger vm exec " + name + " -- COMMAND` reaches it");
    return start_plan(table, awaited);
  case verb::stop:
  case verb::kill:
    if (now.now == state::created || now.now == state::stopped)
      return plan{{}, now.now};
    return plan{v == verb::stop ? table.stop : table.kill, state::stopped};
  case verb::remove: return plan{table.remove, state::stopped, true};
  case verb::sweep: return plan{table.sweep, state::stopped};
  }
  return fail(errc::unknown_method, "unknown verb");
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

aftermath after_failure(const record& before, verb v, const failure& why) {
  if (v == verb::create)
    return {state::error, true};
  if (v == verb::start && why.code == errc::cancelled)
    return {state::stopped, false};
  // What could not begin has changed nothing.
  if (why.code == errc::bad_request)
    return {before.now, false};
  return {state::error, false};
}

recovery recover(const record& r, std::optional<verb> unfinished, bool process_lives) {
  if (unfinished == verb::create || unfinished == verb::remove)
    return recovery::remove;
  if (r.wanted.ephemeral && (unfinished || r.now != state::running || !process_lives))
    return recovery::remove;
  if (unfinished)
    return recovery::sweep;
  if (r.now == state::running)
    return process_lives ? recovery::adopt : recovery::stopped;
  return process_lives ? recovery::sweep : recovery::keep;
}

} // namespace banger::vm
