#include "messages/base/names.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <thread>
#include <unistd.h>
#include <utility>

namespace banger {

namespace {

bool lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

tl::unexpected<failure> bad(std::string what, std::string why, std::string remedy = {}) {
  return fail(errc::bad_request, std::move(what), std::move(why), std::move(remedy));
}

// What a control character in a name would do to a terminal stays out of the message.
std::string shown(char c) {
  if (c >= 0x20 && c < 0x7f)
    return std::string("'") + c + "'";
  std::array<char, 8> hex{};
  std::snprintf(hex.data(), hex.size(), "0x%02x", static_cast<unsigned char>(c));
  return hex.data();
}

expected<void> check_characters(std::string_view text, std::string_view kind,
                                std::string_view more) {
  for (std::size_t i = 0; i < text.size(); ++i)
    if (!lower_or_digit(text[i]) && more.find(text[i]) == std::string_view::npos)
      return bad(std::string("invalid ") + std::string(kind),
                 "character " + shown(text[i]) + " at position " + std::to_string(i + 1),
                 "use lower-case a-z, 0-9 and " +
                     std::string(more.size() > 1 ? "'.', '-', '_'" : "'-'"));
  return {};
}

} // namespace

expected<void> vm_name_grammar::check(std::string_view text) {
  if (text.empty())
    return bad("invalid VM name", "a name is required");
  if (text.size() > 63)
    return bad("invalid VM name",
               std::to_string(text.size()) + " characters; max is 63 (DNS label limit)");
  if (auto ok = check_characters(text, "VM name", "-"); !ok)
    return ok;
  if (text.front() == '-' || text.back() == '-')
    return bad("invalid VM name", "it cannot start or end with '-'");
  return {};
}

expected<void> vm_id_grammar::check(std::string_view text) {
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (text.size() != 12 || !std::all_of(text.begin(), text.end(), hex))
    return bad("invalid VM id", "an id is 12 lower-case hexadecimal digits");
  return {};
}

expected<void> image_name_grammar::check(std::string_view text) {
  if (text.empty())
    return bad("invalid image name", "a name is required");
  if (text.size() > 64)
    return bad("invalid image name", std::to_string(text.size()) + " characters; max is 64");
  if (auto ok = check_characters(text, "image name", ".-_"); !ok)
    return ok;
  if (!lower_or_digit(text.front()))
    return bad("invalid image name", "it must start with a letter or a digit");
  return {};
}

expected<std::uint64_t> parse_size(std::string_view text) {
  const auto what = "invalid size '" + std::string(text.substr(0, 32)) + "'";
  const std::string remedy = "write a whole number with K, M, G or T, such as 8G or 512MiB";
  std::uint64_t number = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc::result_out_of_range)
    return bad(what, "too large", remedy);
  if (error != std::errc{} || rest == text.data())
    return bad(what, "it does not start with digits", remedy);
  std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  unsigned shift = 20;
  if (!unit.empty()) {
    static constexpr std::array<std::pair<char, unsigned>, 4> units = {
        {{'K', 10}, {'M', 20}, {'G', 30}, {'T', 40}}};
    const auto* known =
        std::find_if(units.begin(), units.end(), [&](auto u) { return u.first == unit.front(); });
    const auto tail = unit.substr(1);
    if (known == units.end() || !(tail.empty() || tail == "B" || tail == "iB"))
      return bad(what, "unknown unit '" + std::string(unit.substr(0, 8)) + "'", remedy);
    shift = known->second;
  }
  if (number == 0)
    return bad(what, "it must be positive", remedy);
  if (number > (UINT64_MAX >> shift))
    return bad(what, "too large", remedy);
  return number << shift;
}

std::string format_size(std::uint64_t bytes) {
  static constexpr std::array<const char*, 5> names = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < names.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  const bool whole = value == static_cast<double>(static_cast<std::uint64_t>(value));
  std::snprintf(text.data(), text.size(), whole ? "%.0f %s" : "%.1f %s", value, names[unit]);
  return text.data();
}

host_limits limits_of_host() {
  host_limits limits;
  limits.cpus = std::max(1U, std::thread::hardware_concurrency());
  const auto pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGESIZE);
  limits.memory_bytes = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page);
  return limits;
}

expected<void> check_vcpu(std::int64_t vcpu, const host_limits& host) {
  if (vcpu <= 0)
    return bad("invalid vCPU count " + std::to_string(vcpu), "it must be positive");
  if (vcpu > static_cast<std::int64_t>(host.cpus))
    return bad("invalid vCPU count " + std::to_string(vcpu),
               "this host has " + std::to_string(host.cpus) + " CPUs");
  return {};
}

expected<void> check_memory_mib(std::int64_t mib, const host_limits& host) {
  if (mib <= 0)
    return bad("invalid memory " + std::to_string(mib) + " MiB", "it must be positive");
  if (static_cast<std::uint64_t>(mib) < min_memory_mib)
    return bad("invalid memory " + std::to_string(mib) + " MiB",
               "the guest kernel needs at least " + std::to_string(min_memory_mib) + " MiB");
  if (static_cast<std::uint64_t>(mib) > host.memory_bytes / MiB)
    return bad("invalid memory " + std::to_string(mib) + " MiB",
               "this host has " + format_size(host.memory_bytes));
  return {};
}

expected<void> check_disk_bytes(std::uint64_t bytes) {
  if (bytes < min_disk_bytes)
    return bad("invalid disk size " + format_size(bytes),
               "the smallest is " + format_size(min_disk_bytes));
  if (bytes > max_disk_bytes)
    return bad("invalid disk size " + format_size(bytes),
               "the largest is " + format_size(max_disk_bytes));
  return {};
}

namespace {

constexpr std::array<std::pair<std::string_view, int>, 8> ending_signals = {{{"TERM", SIGTERM},
                                                                             {"KILL", SIGKILL},
                                                                             {"INT", SIGINT},
                                                                             {"HUP", SIGHUP},
                                                                             {"QUIT", SIGQUIT},
                                                                             {"USR1", SIGUSR1},
                                                                             {"USR2", SIGUSR2},
                                                                             {"ABRT", SIGABRT}}};

} // namespace

std::string signal_names(std::string_view between) {
  std::string names;
  for (const auto& [word, number] : ending_signals)
    names += (names.empty() ? "" : std::string(between)) + std::string(word);
  return names;
}

expected<int> parse_signal(std::string_view text) {
  std::string name(text.substr(0, 16));
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  if (name.starts_with("SIG"))
    name.erase(0, 3);
  for (const auto& [word, number] : ending_signals)
    if (name == word)
      return number;
  return bad("invalid signal", {}, "it must be one of " + signal_names(", "));
}

} // namespace banger
