#include "cli/values.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <sched.h>
#include <unistd.h>

namespace banger::cli {

namespace {

tl::unexpected<failure> bad(std::string_view flag, std::string what, std::string why,
                            std::string remedy = {}) {
  return fail(errc::bad_request, std::string(flag) + ": " + std::move(what), std::move(why),
              std::move(remedy));
}

// The rules speak of the value; the flag that carried it comes first.
tl::unexpected<failure> named(std::string_view flag, failure f) {
  f.what = std::string(flag) + ": " + f.what;
  return tl::unexpected(std::move(f));
}

std::string in_quotes(std::string_view text) {
  std::string shown(text.substr(0, 40));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return "'" + shown + "'";
}

expected<std::int64_t> whole_number(std::string_view flag, std::string_view text) {
  std::int64_t number = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc::result_out_of_range)
    return bad(flag, "invalid number " + in_quotes(text), "too large");
  if (error != std::errc{} || rest != end)
    return bad(flag, "invalid number " + in_quotes(text), "it is not a whole number");
  return number;
}

} // namespace

surroundings this_host() {
  surroundings around;
  cpu_set_t allowed;
  const bool known = ::sched_getaffinity(0, sizeof allowed, &allowed) == 0;
  const auto cpus = known ? CPU_COUNT(&allowed) : ::sysconf(_SC_NPROCESSORS_ONLN);
  around.host.cpus = static_cast<std::uint32_t>(std::max(1L, static_cast<long>(cpus)));
  const auto pages = ::sysconf(_SC_PHYS_PAGES);
  const auto page = ::sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0)
    around.host.memory_bytes = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page);
  around.typed_input = ::isatty(STDIN_FILENO) != 0;
  around.seen_output = ::isatty(STDOUT_FILENO) != 0;
  around.env = [](const char* name) -> const char* { return std::getenv(name); };
  return around;
}

bool kvm_is_proven(const std::filesystem::path& cache) {
  std::ifstream known(cache / "host");
  for (std::string line; std::getline(known, line);)
    if (line == "kvm_boot good")
      return true;
  return false;
}

surroundings any_host() {
  surroundings around;
  around.host.cpus = 0;
  return around;
}

expected<std::int64_t> vcpu_value(std::string_view text, const host_limits& host) {
  auto number = whole_number("--vcpu", text);
  if (!number)
    return number;
  if (auto ok = check_vcpu(*number, host); !ok)
    return named("--vcpu", ok.error());
  return number;
}

expected<std::int64_t> memory_value(std::string_view text, const host_limits& host) {
  constexpr std::string_view flag = "--memory";
  std::int64_t mib = 0;
  if (text.find_first_not_of("+-0123456789.") == std::string_view::npos) {
    auto number = whole_number(flag, text);
    if (!number)
      return number;
    mib = *number;
  } else {
    const auto bytes = parse_size(text);
    if (!bytes)
      return named(flag, bytes.error());
    if (*bytes % MiB != 0)
      return bad(flag, "invalid memory " + in_quotes(text), "it is not a whole number of MiB");
    mib = static_cast<std::int64_t>(*bytes / MiB);
  }
  if (auto ok = check_memory_mib(mib, host); !ok)
    return named(flag, ok.error());
  return mib;
}

expected<std::uint64_t> disk_value(std::string_view text) {
  auto bytes = parse_size(text);
  if (!bytes)
    return named("--disk-size", bytes.error());
  if (auto ok = check_disk_bytes(*bytes); !ok)
    return named("--disk-size", ok.error());
  return bytes;
}

expected<std::string> env_value(const std::string& text, const surroundings& around) {
  if (text.empty() || text.front() == '=')
    return bad("--env", "invalid variable " + in_quotes(text), "it has no name",
               "write --env NAME=value, or --env NAME for the value it has here");
  if (text.find('=') != std::string::npos)
    return text;
  const char* value = around.env != nullptr ? around.env(text.c_str()) : nullptr;
  if (value == nullptr)
    return bad("--env", in_quotes(text) + " is not set here", "",
               "give it a value with --env NAME=value");
  return text + "=" + value;
}

expected<std::string> cwd_value(const std::string& text) {
  if (text.empty() || text.front() != '/')
    return bad("--cwd", "invalid folder " + in_quotes(text),
               "it must be an absolute path in the VM");
  if (text.size() > 4095)
    return bad("--cwd", "invalid folder", "a path holds at most 4095 bytes");
  return text;
}

expected<std::string> signal_value(std::string_view text) {
  if (auto known = parse_signal(text); !known)
    return bad("--signal", "invalid signal " + in_quotes(text), known.error().remedy);
  return std::string(text);
}

std::vector<std::string> terminal_env(const std::vector<std::string>& given,
                                      const surroundings& around) {
  std::vector<std::string> env;
  for (const char* name : {"TERM", "COLORTERM"}) {
    const auto begin = std::string(name) + "=";
    const auto has = [&](const auto& line) { return line.starts_with(begin); };
    const char* value = around.env != nullptr ? around.env(name) : nullptr;
    if (std::any_of(given.begin(), given.end(), has))
      continue;
    if (value != nullptr && *value != '\0')
      env.push_back(begin + value);
    else if (begin == "TERM=")
      env.push_back("TERM=dumb");
  }
  return env;
}

expected<void> check_command(const std::vector<std::string>& argv) {
  if (!argv.empty() && argv.front().empty())
    return fail(errc::bad_request, "the command is empty", "its first word names the program");
  return {};
}

} // namespace banger::cli
