#include "messages/config/report.hpp"

#include "messages/base/unique_fd.hpp"
#include "messages/config/config.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace banger::config {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t largest = std::size_t{64} * 1024;

fs::path file_of(const folders& where) { return where.runtime / "bangerd.report"; }

// Of a line there must not be two.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return text;
}

std::string text_of(const report& now) {
  auto text = std::to_string(now.pid) + "\n";
  for (const auto& [name, value] : now.environment)
    text += name + "\t" + one_line(value) + "\n";
  return text;
}

std::string_view take_line(std::string_view& text) {
  const auto line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

std::string value_here(const report& all, const std::string& name) {
  const auto at = std::find_if(all.environment.begin(), all.environment.end(),
                               [&](const auto& pair) { return pair.first == name; });
  return at == all.environment.end() ? "" : at->second;
}

} // namespace

report present(const folders& where) {
  report now;
  now.pid = static_cast<std::uint32_t>(::getpid());
  now.environment = {{"XDG_STATE_HOME", where.state.string()},
                     {"XDG_CACHE_HOME", where.cache.string()},
                     {"BANGER_CONFIG", find(where).value_or(fs::path()).string()}};
  const auto add = [&](const std::string& name) {
    const char* value = std::getenv(name.c_str());
    now.environment.emplace_back(name, one_line(value == nullptr ? "" : value));
  };
  for (const auto& k : keys())
    if (!k.environment.empty())
      add(std::string(k.environment));
  add("BANGER_INIT");
  return now;
}

expected<void> write_report(const report& now, const folders& where) {
  const auto file = file_of(where), fresh = fs::path(file.string() + ".new");
  const auto text = text_of(now);
  const unique_fd fd(
      ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      std::rename(fresh.c_str(), file.c_str()) != 0)
    return fail_errno("cannot write " + file.string(), errno);
  return {};
}

std::optional<report> read_report(const folders& where, std::uint32_t pid) {
  const unique_fd fd(
      ::open(file_of(where).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  const auto read = fd ? read_all(fd.get(), "the report", largest) : expected<std::string>("");
  std::string_view text = read ? std::string_view(*read) : std::string_view();
  report found;
  const auto first = take_line(text);
  std::from_chars(first.data(), first.data() + first.size(), found.pid);
  if (found.pid != pid || pid == 0)
    return std::nullopt;
  while (!text.empty()) {
    const auto line = take_line(text);
    const auto tab = std::min(line.find('\t'), line.size());
    const std::string name(line.substr(0, tab));
    found.environment.emplace_back(name, line.substr(std::min(tab + 1, line.size())));
  }
  return found;
}

void remove_report(const folders& where) { ::unlink(file_of(where).c_str()); }

std::string differences(const report& daemon, const report& here) {
  const auto or_unset = [](const std::string& value) {
    return value.empty() ? std::string("unset") : value;
  };
  std::string list;
  for (const auto& [name, value] : daemon.environment)
    if (const auto ours = value_here(here, name); ours != value)
      list +=
          (list.empty() ? "" : ", ") + name + " " + or_unset(value) + ", here " + or_unset(ours);
  if (list.empty())
    return {};
  return "note: the daemon that runs was started with " + list +
         "; `banger daemon stop` lets the next command start one with yours";
}

} // namespace banger::config
