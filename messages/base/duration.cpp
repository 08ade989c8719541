#include "messages/base/duration.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

namespace banger {

namespace {

struct unit {
  std::string_view name;
  std::int64_t ms;
};
constexpr std::array<unit, 4> units = {{{"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
constexpr std::int64_t longest = std::int64_t{10} * 365 * 24 * 3'600'000;

tl::unexpected<failure> bad(std::string_view text, std::string why) {
  return fail(errc::bad_request, "invalid duration '" + std::string(text.substr(0, 32)) + "'",
              std::move(why), "write whole numbers with h, m, s or ms, such as 90s or 1h30m");
}

} // namespace

expected<std::chrono::milliseconds> parse_duration(std::string_view text) {
  if (text == "0")
    return std::chrono::milliseconds(0);
  if (text.empty())
    return bad(text, "it is empty");
  std::int64_t sum = 0;
  const auto* allowed = units.begin();
  auto rest = text;
  while (!rest.empty()) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error == std::errc::result_out_of_range)
      return bad(text, "too large");
    if (error != std::errc{})
      return bad(text, "a number is expected at '" + std::string(rest.substr(0, 8)) + "'");
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    const auto name = rest.substr(0, rest.find_first_of("0123456789"));
    const auto* found =
        std::find_if(units.begin(), units.end(), [&](const unit& u) { return u.name == name; });
    if (found == units.end())
      return bad(text, name.empty() ? "a unit is missing"
                                    : "unknown unit '" + std::string(name.substr(0, 8)) + "'");
    if (found < allowed)
      return bad(text, "the larger unit comes first, and each only once");
    if (number > static_cast<std::uint64_t>(longest / found->ms))
      return bad(text, "more than ten years");
    allowed = found + 1;
    sum += static_cast<std::int64_t>(number) * found->ms;
    rest.remove_prefix(name.size());
  }
  if (sum > longest)
    return bad(text, "more than ten years");
  return std::chrono::milliseconds(sum);
}

std::string format_duration(std::chrono::milliseconds span) {
  auto left = span.count();
  std::string text;
  for (const auto& u : units) {
    if (left >= u.ms)
      text += std::to_string(left / u.ms) + std::string(u.name);
    left %= u.ms;
  }
  return text.empty() ? "0" : text;
}

std::uint64_t unix_ms() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(since).count());
}

} // namespace banger
