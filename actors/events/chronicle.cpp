#include "actors/events/chronicle.hpp"

#include "messages/base/error.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace banger::events {

using json = nlohmann::ordered_json;
using namespace messages;

namespace {

// Console lines in an error may be long; an event is to be read at a glance.
constexpr std::size_t longest_text = 2000;

std::string shortened(const std::string& text) {
  return text.size() <= longest_text ? text : text.substr(0, longest_text) + "...";
}

std::string line(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string_view outcome_of(const error_info& error) {
  const auto code = static_cast<errc>(error.code);
  return code == errc::none ? "done" : code == errc::cancelled ? "cancelled" : "failed";
}

} // namespace

std::string to_line(const event& e, std::uint64_t number, std::uint64_t time_ms) {
  json object = {{"number", number}, {"time_ms", time_ms}, {"event", e.what}};
  const auto put = [&](const char* name, const std::string& value) {
    if (!value.empty())
      object[name] = value;
  };
  put("op", e.op);
  put("kind", e.kind);
  put("actor", e.actor);
  put("step", e.step);
  put("state", e.state);
  if (e.what == "step" || e.what == "end")
    object["duration_us"] = e.duration_us;
  if (e.error.code != 0)
    object["error"] = {{"code", std::string(to_string(static_cast<errc>(e.error.code)))},
                       {"what", shortened(e.error.what)},
                       {"why", shortened(e.error.why)},
                       {"remedy", shortened(e.error.remedy)}};
  return line(object);
}

std::string lost_line(std::uint64_t count, std::uint64_t time_ms) {
  return line({{"time_ms", time_ms}, {"event", "lost"}, {"count", count}});
}

std::string actor_of(std::string_view kind, std::string_view target) {
  return std::string(kind.substr(0, kind.find('.'))) + "/" + std::string(target);
}

event chronicle::begun(const std::string& op, const std::string& kind, const std::string& target,
                       std::uint64_t now_us) {
  const auto actor = actor_of(kind, target);
  running_[op] = {kind, actor, {}, now_us, 0};
  return {"begin", op, kind, actor, {}, {}, 0, {}};
}

event chronicle::step_of(const std::string& op, const operation& o, std::uint64_t until_us) {
  return {"step", op, o.kind, o.actor, o.step, {}, until_us - std::min(until_us, o.step_began_us),
          {}};
}

std::vector<event> chronicle::heard(const progress& news) {
  const auto it = running_.find(news.op);
  if (it == running_.end() || it->second.step == news.stage)
    return {};
  auto& o = it->second;
  std::vector<event> told;
  if (!o.step.empty())
    told.push_back(step_of(news.op, o, news.elapsed_us));
  o.step = news.stage;
  o.step_began_us = news.elapsed_us;
  return told;
}

std::vector<event> chronicle::ended(const finished& end, std::uint64_t now_us) {
  const auto it = running_.find(end.op);
  if (it == running_.end())
    return {};
  const auto o = std::move(it->second);
  running_.erase(it);
  const auto took = now_us - std::min(now_us, o.began_us);
  std::vector<event> told;
  if (!o.step.empty())
    told.push_back(step_of(end.op, o, took));
  // The one who did it has measured it, without the way to us.
  if (!told.empty() && !end.stages.empty() && end.stages.back().stage == o.step)
    told.back().duration_us = end.stages.back().micros;
  told.push_back(
      {"end", end.op, o.kind, o.actor, {}, std::string(outcome_of(end.error)), took, end.error});
  return told;
}

} // namespace banger::events
