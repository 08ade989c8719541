#include "messages/base/failpoint.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <memory>
#include <optional>
#include <utility>

namespace banger::work {

namespace {

constexpr std::array<std::pair<std::string_view, moment>, 4> moments = {
    {{"before", moment::before},
     {"after", moment::after},
     {"before-undo", moment::before_undo},
     {"after-undo", moment::after_undo}}};

constexpr std::array<std::pair<std::string_view, mishap>, 3> mishaps = {
    {{"kill", mishap::kill}, {"stop", mishap::stop}, {"fail", mishap::fail}}};

template <class Table>
auto look_up(const Table& table, std::string_view word)
    -> std::optional<decltype(table[0].second)> {
  for (const auto& [known, value] : table)
    if (known == word)
      return value;
  return std::nullopt;
}

/// The text before `mark`, taken from the front of `rest`; all of it if there is none.
std::string_view cut(std::string_view& rest, char mark) {
  const auto at = rest.find(mark);
  const auto word = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view{} : rest.substr(at + 1);
  return word;
}

std::optional<unsigned> count(std::string_view digits) {
  unsigned n = 0;
  const auto* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, n);
  if (error != std::errc{} || stop != end || n == 0)
    return std::nullopt;
  return n;
}

std::optional<failpoint> parse_one(std::string_view text) {
  failpoint p;
  auto place = cut(text, ':');
  const auto what = look_up(mishaps, text);
  p.scope = cut(place, '/');
  p.name = cut(place, '/');
  const bool counted = place.find('#') != std::string_view::npos;
  const auto at = look_up(moments, cut(place, '#'));
  const auto times = counted ? count(place) : std::optional<unsigned>(1);
  if (!what || !at || !times || p.scope.empty() || p.name.empty())
    return std::nullopt;
  p.what = *what;
  p.at = *at;
  p.countdown = *times;
  return p;
}

} // namespace

std::string_view to_string(moment m) { return moments.at(static_cast<std::size_t>(m)).first; }

expected<std::deque<failpoint>> parse_failpoints(std::string_view text) {
  std::deque<failpoint> all;
  while (!text.empty()) {
    const auto part = cut(text, ',');
    auto point = parse_one(part);
    if (!point)
      return fail(errc::bad_request, "not a failpoint: '" + std::string(part.substr(0, 80)) + "'",
                  "it is SCOPE/NAME/before|after|before-undo|after-undo[#N]:kill|stop|fail",
                  "unset BANGER_FAILPOINT; it is for tests");
    all.push_back(std::move(*point));
  }
  return all;
}

trap::trap(const std::deque<failpoint>& points) {
  for (const auto& p : points)
    points_.emplace_back(p);
}

const failpoint* trap::spring(std::string_view scope, std::string_view name, moment at) {
  for (auto& a : points_) {
    const auto& p = a.point;
    if (p.scope != scope || (p.name != "*" && p.name != name) || p.at != at)
      continue;
    auto left = a.left.load();
    while (left > 0 && !a.left.compare_exchange_weak(left, left - 1)) {
    }
    if (left == 1)
      return &p;
  }
  return nullptr;
}

namespace detail {

trap* armed_trap = nullptr;

expected<void> suffer(std::string_view scope, std::string_view name, moment at) {
  const auto* point = armed_trap->spring(scope, name, at);
  if (point == nullptr)
    return {};
  if (point->what != mishap::fail) {
    // The whole process, and not after this thread has gone on.
    ::raise(point->what == mishap::kill ? SIGKILL : SIGSTOP);
    return {};
  }
  return fail_errno("failpoint " + std::string(scope) + "/" + std::string(name) + "/" +
                        std::string(to_string(at)),
                    ENOSPC);
}

} // namespace detail

expected<void> arm_failpoints(const char* text) {
  if (text == nullptr)
    return {};
  auto points = parse_failpoints(text);
  if (!points)
    return tl::unexpected(points.error());
  static std::unique_ptr<trap> kept;
  kept = points->empty() ? nullptr : std::make_unique<trap>(*points);
  detail::armed_trap = kept.get();
  return {};
}

} // namespace banger::work
