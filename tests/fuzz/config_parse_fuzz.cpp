#include "messages/base/duration.hpp"
#include "messages/config/config.hpp"

#include <cstdint>
#include <cstdlib>

// Whatever a file holds, it is settings or an error with a place; what was read can be shown.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace banger;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto settings = config::parse(text, "/f", "/home/x");
  if (!settings && !settings.error().what.starts_with("/f:"))
    std::abort();
  if (settings)
    for (const auto& k : config::keys())
      (void)config::value_of(*settings, k.full_name());
  const auto span = parse_duration(text);
  if (span && parse_duration(format_duration(*span)).value() != *span)
    std::abort();
  return 0;
}
