// Events and actors, for people and for programs.
#include "cli/print.hpp"

#include <nlohmann/json.hpp>

#include <array>
#include <ctime>

namespace banger::cli {

using namespace messages;
using json = nlohmann::ordered_json;

namespace {

std::string local_time(std::uint64_t ms) {
  const auto when = static_cast<std::time_t>(ms / 1000);
  std::tm parts{};
  std::array<char, 32> text{};
  if (::localtime_r(&when, &parts) == nullptr ||
      std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S.", &parts) == 0)
    return "-";
  const auto digits = std::to_string(1000 + ms % 1000);
  return text.data() + digits.substr(1);
}

std::string text_of(const json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

std::uint64_t number_of(const json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_number_unsigned() ? it->get<std::uint64_t>() : 0;
}

std::string reason(const json& event) {
  const auto it = event.find("error");
  if (it == event.end())
    return {};
  return ": " + describe({errc::operation_failed, text_of(*it, "what"), text_of(*it, "why"),
                          text_of(*it, "remedy"), ""});
}

// What comes after the time and the actor.
std::string story(const json& event) {
  auto what = text_of(event, "event");
  const auto kind = text_of(event, "kind");
  const auto verb = kind.substr(kind.find('.') + 1);
  const auto op = " (" + text_of(event, "op") + ")";
  const auto took = duration(number_of(event, "duration_us"));
  if (what == "begin")
    return verb + " begins" + op;
  if (what == "step")
    return verb + ": " + text_of(event, "step") + " took " + took;
  if (what == "end")
    return verb + " " + text_of(event, "state") + " after " + took + op + reason(event);
  if (what == "state")
    return "is " + text_of(event, "state") + reason(event);
  if (what == "actor")
    return "its actor " + text_of(event, "state") + reason(event);
  return what;
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

} // namespace

std::string event_line(std::string_view line) {
  const auto event = json::parse(line, nullptr, false);
  if (!event.is_object())
    return plain(line) + "\n";
  auto text = local_time(number_of(event, "time_ms")) + "  ";
  if (text_of(event, "event") == "lost")
    text += "-- " + std::to_string(number_of(event, "count")) +
            " events were lost: they came faster than they were read";
  else
    text += text_of(event, "actor") + "  " + story(event);
  return plain(text) + "\n";
}

std::string actors_table(const std::vector<actor_view>& all) {
  std::vector<row> rows = {
      {"ACTOR", "STATE", "QUEUED", "OPERATION", "STEP", "SINCE", "RESTARTS", "LAST ERROR"}};
  const auto or_dash = [](const std::string& text) { return text.empty() ? "-" : plain(text); };
  for (const auto& a : all)
    rows.push_back({a.kind + (a.name.empty() ? "" : "/" + a.name),
                    a.state == "silent" ? "does not answer" : a.state, std::to_string(a.queued),
                    or_dash(a.op), or_dash(a.step), a.op.empty() ? "-" : duration(a.step_age_us),
                    std::to_string(a.restarts), or_dash(first_line(a.last_error))});
  return table(rows);
}

std::string actors_json(const std::vector<actor_view>& all) {
  auto list = json::array();
  for (const auto& a : all)
    list.push_back({{"kind", a.kind},
                    {"id", a.id},
                    {"name", a.name},
                    {"state", a.state},
                    {"queued", a.queued},
                    {"op", a.op},
                    {"step", a.step},
                    {"step_age_us", a.step_age_us},
                    {"restarts", a.restarts},
                    {"last_error", a.last_error}});
  return list.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

} // namespace banger::cli
