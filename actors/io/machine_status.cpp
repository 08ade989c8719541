#include "actors/io/machine_status.hpp"

#include "actors/io/json_text.hpp"

#include <algorithm>

namespace banger::io {

using nlohmann::json;

namespace {

bool lacks_room(std::string_view blocks) {
  const auto all = json::parse(blocks, nullptr, false);
  return all.is_array() && std::any_of(all.begin(), all.end(), [](const json& device) {
           return text_of(device, "io-status") == "nospace";
         });
}

} // namespace

ending ending_of(std::string_view shutdown) {
  const auto reason = text_of(json::parse(shutdown, nullptr, false), "reason");
  if (reason == "guest-shutdown")
    return ending::power_off;
  if (reason == "guest-reset" || reason == "subsystem-reset")
    return ending::reset;
  if (reason == "guest-panic")
    return ending::panic;
  return reason.starts_with("host-") ? ending::host : ending::unsaid;
}

std::optional<pause> pause_of(std::string_view status, std::string_view blocks,
                              const std::string& last_disk_error) {
  const auto now = text_of(json::parse(status, nullptr, false), "status");
  if (now == "io-error")
    return lacks_room(blocks) ? pause{pause::cause::disk_full, {}}
                              : pause{pause::cause::disk, last_disk_error};
  if (now == "internal-error")
    return pause{pause::cause::internal, {}};
  if (now == "paused" || now == "suspended" || now == "watchdog" || now == "guest-panicked")
    return pause{pause::cause::ordered, now};
  return {};
}

std::optional<bool> port_open(std::string_view data, std::string_view port) {
  const auto event = json::parse(data, nullptr, false);
  if (text_of(event, "id") != port)
    return {};
  return event.find("open") != event.end() && event["open"] == true;
}

std::string disk_error(std::string_view data) {
  const auto event = json::parse(data, nullptr, false);
  const auto reason = text_of(event, "reason");
  return text_of(event, "operation") + ": " + (reason.empty() ? "unknown error" : reason);
}

} // namespace banger::io
