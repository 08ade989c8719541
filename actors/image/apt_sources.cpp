#include "actors/image/apt_sources.hpp"

#include "actors/image/lines.hpp"
#include "actors/storage/process.hpp"

#include <algorithm>
#include <array>
#include <unistd.h>

namespace banger::image {

const char* const apt_target_format =
    "$(TARGET_OF)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(CODENAME)";

namespace {

constexpr std::size_t fields = 6;

std::vector<std::string_view> split(std::string_view line, char at) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = line.find(at);
    parts.push_back(line.substr(0, end));
    if (end == std::string_view::npos)
      return parts;
    line.remove_prefix(end + 1);
  }
}

bool is_plain_word(std::string_view text) {
  return !text.empty() && std::none_of(text.begin(), text.end(), [](char c) {
    return c <= ' ' || c > '~' || c == '[' || c == ']';
  });
}

// "stable" is this suite while its Release file says so.
bool serves(std::string_view release, std::string_view codename, std::string_view suite) {
  for (const std::string_view part : {"", "-updates", "-security"}) {
    const auto name = std::string(suite) + std::string(part);
    if (release == name || codename == name)
      return true;
  }
  return false;
}

} // namespace

std::vector<std::string> read_targets(std::string_view text, std::string_view suite) {
  std::vector<std::string> lines;
  each_line(text, [&](std::string_view line) {
    const auto part = split(line, '|');
    if (part.size() != fields || part[0] != "deb" || part[3] != "main")
      return;
    // Without package lists, who made the archive is not known.
    const auto origin = part[4], codename = part[5];
    if (!(origin.empty() || origin.starts_with('$') || origin == "Debian") ||
        !serves(part[2], codename, suite) || part[1].starts_with("cdrom:") ||
        !is_plain_word(part[1]) || !is_plain_word(part[2]))
      return;
    auto source = "deb " + std::string(part[1]) + " " + std::string(part[2]) + " main";
    if (std::find(lines.begin(), lines.end(), source) == lines.end())
      lines.push_back(std::move(source));
  });
  // Updates alone make no system.
  const auto is_base = [&](const std::string& line) {
    return line.find("-updates ") == std::string::npos &&
           line.find("-security ") == std::string::npos;
  };
  if (std::none_of(lines.begin(), lines.end(), is_base))
    lines.clear();
  return lines;
}

std::string read_options(std::string_view text) {
  constexpr std::array<std::string_view, 12> wanted = {
      "Acquire::http",       "Acquire::https",       "Acquire::socks",
      "Acquire::Retries",    "Acquire::ForceIPv4",   "Acquire::ForceIPv6",
      "Acquire::Check-Date", "Acquire::Check-Valid", "Acquire::Max-FutureTime",
      "Acquire::EnableSrv",  "Acquire::By-Hash",     "Acquire::Queue-Mode"};
  std::string options;
  each_line(text, [&](std::string_view line) {
    const auto fits = [&](std::string_view key) { return line.starts_with(key); };
    if (line.ends_with("\";") && line.find(" \"\";") == std::string_view::npos &&
        std::any_of(wanted.begin(), wanted.end(), fits))
      options += std::string(line) + "\n";
  });
  return options;
}

apt_sources ask_apt(std::string_view suite, const std::stop_token& stop) {
  apt_sources found;
  const storage::command targets{
      .argv = {"apt-get", "indextargets", "--format", apt_target_format, "Created-By: Packages"}};
  if (const auto answer = storage::run(targets, stop))
    found.lines = read_targets(answer->out, suite);
  const storage::command dump{.argv = {"apt-config", "dump"}};
  if (const auto answer = storage::run(dump, stop))
    found.options = read_options(answer->out);
  // Who may fetch from the mirror, if it asks.
  for (const std::string part : {"netrc \"/etc/apt/auth.conf", "netrcparts \"/etc/apt/auth.conf.d"})
    if (::access(part.substr(part.find('/')).c_str(), R_OK) == 0)
      found.options += "Dir::Etc::" + part + "\";\n";
  return found;
}

} // namespace banger::image
