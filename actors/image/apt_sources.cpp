#include "actors/image/apt_sources.hpp"

#include "actors/storage/files.hpp"
#include "actors/storage/lines.hpp"
#include "actors/storage/process.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <unistd.h>

namespace banger::image {

const char* const apt_target_format =
    "$(TARGET_OF)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(CODENAME)|$(SOURCESENTRY)";

namespace {

constexpr std::size_t fields = 7;

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

// Without package lists who made an archive is not known, but mirrors of Debian's are called so.
bool looks_like_debian(std::string_view uri) {
  while (uri.ends_with('/'))
    uri.remove_suffix(1);
  return uri.ends_with("/debian") || uri.ends_with("/debian-security");
}

bool is_debian(std::string_view origin, std::string_view uri) {
  const bool unknown = origin.empty() || origin.starts_with('$');
  return unknown ? looks_like_debian(uri) : origin == "Debian";
}

std::string_view trimmed(std::string_view text) {
  const auto start = text.find_first_not_of(" \t");
  return start == std::string_view::npos
             ? std::string_view{}
             : text.substr(start, text.find_last_not_of(" \t") - start + 1);
}

// "signed-by=A,B" between the brackets of a line.
std::string_view option_of_line(std::string_view line) {
  constexpr std::string_view key = "signed-by=";
  const auto close = line.find(']');
  const auto options = line.substr(0, close == std::string_view::npos ? 0 : close);
  const auto at = options.find(key);
  if (at == std::string_view::npos)
    return {};
  const auto value = options.substr(at + key.size());
  return value.substr(0, value.find(' '));
}

} // namespace

std::string read_keys(std::string_view text, bool stanzas, unsigned number, std::string_view uri) {
  while (uri.ends_with('/'))
    uri.remove_suffix(1);
  unsigned at = stanzas ? 0 : 1;
  bool inside = false, right = false;
  std::string_view keys;
  storage::each_line(text, [&](std::string_view line) {
    if (stanzas && line.starts_with('#'))
      return;
    const bool blank = trimmed(line).empty();
    if (stanzas && !blank && !inside)
      ++at;
    inside = !blank;
    if (at == number) {
      right = right || line.find(uri) != std::string_view::npos;
      constexpr std::string_view field = "Signed-By:";
      if (!stanzas)
        keys = option_of_line(line);
      else if (line.starts_with(field))
        keys = trimmed(line.substr(field.size()));
    }
    if (!stanzas)
      ++at;
  });
  return right && is_plain_word(keys) ? std::string(keys) : std::string();
}

namespace {

void add_line(std::vector<std::string>& lines, std::string line) {
  if (std::find(lines.begin(), lines.end(), line) == lines.end())
    lines.push_back(std::move(line));
}

// The part `main` of Debian's own archive: `see` takes the fields of its target.
template <class See>
void each_target(std::string_view text, const See& see) {
  storage::each_line(text, [&](std::string_view line) {
    const auto part = split(line, '|');
    if (part.size() == fields && part[0] == "deb" && part[3] == "main" &&
        is_debian(part[4], part[1]) && !part[1].starts_with("cdrom:") && is_plain_word(part[1]) &&
        is_plain_word(part[2]))
      see(part);
  });
}

// Updates alone make no system.
std::vector<std::string> unless_updates_alone(std::vector<std::string> lines) {
  const auto is_base = [&](const std::string& line) {
    return line.find("-updates ") == std::string::npos &&
           line.find("-security ") == std::string::npos;
  };
  if (std::none_of(lines.begin(), lines.end(), is_base))
    lines.clear();
  return lines;
}

} // namespace

std::vector<std::string> read_targets(std::string_view text, std::string_view suite,
                                      const keys_fn& keys) {
  std::vector<std::string> lines;
  each_target(text, [&](const auto& part) {
    if (!serves(part[2], part[5], suite))
      return;
    const auto by = keys ? keys(part[6], part[1]) : std::string();
    add_line(lines, "deb " + (by.empty() ? "" : "[signed-by=" + by + "] ") + std::string(part[1]) +
                        " " + std::string(part[2]) + " main");
  });
  return unless_updates_alone(std::move(lines));
}

std::vector<std::string> targets_of_another_release(std::string_view text, std::string_view suite) {
  std::vector<std::string> lines;
  each_target(text, [&](const auto& part) {
    const bool known = !part[5].empty() && !part[5].starts_with('$');
    const auto name = known ? part[5] : part[2];
    const auto kind = name.substr(std::min(name.find('-'), name.size()));
    if (kind.empty() || kind == "-updates" || kind == "-security")
      add_line(lines, "deb " + std::string(part[1]) + " " + std::string(suite) + std::string(kind) +
                          " main");
  });
  return unless_updates_alone(std::move(lines));
}

std::string read_options(std::string_view text) {
  constexpr std::array<std::string_view, 12> wanted = {
      "Acquire::http",       "Acquire::https",       "Acquire::socks",
      "Acquire::Retries",    "Acquire::ForceIPv4",   "Acquire::ForceIPv6",
      "Acquire::Check-Date", "Acquire::Check-Valid", "Acquire::Max-FutureTime",
      "Acquire::EnableSrv",  "Acquire::By-Hash",     "Acquire::Queue-Mode"};
  std::string options;
  storage::each_line(text, [&](std::string_view line) {
    const auto fits = [&](std::string_view key) { return line.starts_with(key); };
    if (line.ends_with("\";") && line.find(" \"\";") == std::string_view::npos &&
        std::any_of(wanted.begin(), wanted.end(), fits))
      options += std::string(line) + "\n";
  });
  return options;
}

namespace {

// ENTRY is FILE:NUMBER, of a line or a stanza.
std::string keys_of_entry(std::string_view entry, std::string_view uri) {
  const auto colon = entry.rfind(':');
  unsigned number = 0;
  if (colon == std::string_view::npos ||
      std::from_chars(entry.data() + colon + 1, entry.data() + entry.size(), number).ec !=
          std::errc{})
    return {};
  const std::string file(entry.substr(0, colon));
  const auto text = storage::read_file(file, 1 << 20);
  return text ? read_keys(*text, file.ends_with(".sources"), number, uri) : std::string();
}

} // namespace

apt_sources ask_apt(std::string_view suite, const std::stop_token& stop) {
  apt_sources found;
  const storage::command targets{
      .argv = {"apt-get", "indextargets", "--format", apt_target_format, "Created-By: Packages"}};
  if (const auto answer = storage::run(targets, stop)) {
    found.lines = read_targets(answer->out, suite, keys_of_entry);
    if (found.lines.empty())
      found.lines = targets_of_another_release(answer->out, suite);
  }
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
