#include "privhelper/roles/desk.hpp"

#include <unistd.h>

namespace banger::helper {

messages::helper_about about(std::string_view role, std::uint32_t owner) {
  const auto& build = this_build();
  return {protocol_version,  static_cast<std::uint32_t>(::getpid()), build.version, build.commit,
          std::string(role), "uid " + std::to_string(owner)};
}

void log_refusal(std::string_view verb, std::string_view op, const failure& why) {
  log::error({.op = op}, "order_refused",
             {{"verb", verb}, {"code", to_string(why.code)}, {"text", describe(why)}});
}

bool may_write(log_budget& budget, std::string_view event) {
  const auto ruling = budget.next();
  if (ruling.unsaid > 0)
    log::warn({}, "log_spared", {{"what", event}, {"lines", ruling.unsaid}});
  return ruling.write;
}

void log_order(std::string_view verb, std::string_view op, const expected<void>& outcome) {
  if (outcome)
    log::info({.op = op}, "order_done", {{"verb", verb}});
  else
    log::warn({.op = op}, "order_failed",
              {{"verb", verb},
               {"code", to_string(outcome.error().code)},
               {"text", describe(outcome.error())}});
}

} // namespace banger::helper
