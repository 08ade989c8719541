#include "messages/base/nearest.hpp"
#include "messages/config/toml.hpp"
#include "privhelper/install.hpp"

#include <algorithm>
#include <array>

namespace banger::helper {

namespace fs = std::filesystem;

namespace {

constexpr std::uint32_t nobody = 65534, most_id = 0xfffffffe; // -1 means "as it is" to the kernel
constexpr const char* anew = "correct it, or remove the file and use --owner-uid";

using verdict = tl::expected<void, std::string>; // why it is wrong

tl::unexpected<std::string> wrong(std::string why) { return tl::unexpected(std::move(why)); }

bool lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

verdict read_text(const toml::node& node, std::string& into) {
  const auto* text = node.as_string();
  if (text == nullptr)
    return wrong("it is a text in quotes");
  into = text->get();
  return {};
}

verdict read_user(const toml::node& node, install& i) {
  if (auto ok = read_text(node, i.user); !ok)
    return ok;
  const auto good = [](char c) { return lower_or_digit(c) || c == '_' || c == '-' || c == '.'; };
  if (i.user.empty() || i.user.size() > 32 || i.user.front() == '-' || i.user.front() == '.' ||
      !std::all_of(i.user.begin(), i.user.end(), good))
    return wrong("it is 1 to 32 of a-z, 0-9, '_', '-' and '.', and does not begin with '-' or '.'");
  return {};
}

verdict read_home(const toml::node& node, install& i) {
  std::string text;
  if (auto ok = read_text(node, text); !ok)
    return ok;
  const bool plain = std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (!text.starts_with('/') || text.ends_with('/') || text.size() > longest_path || !plain ||
      fs::path(text).lexically_normal().native() != text)
    return wrong("it is an absolute path without components that are empty, . or ..");
  i.home = text;
  return {};
}

verdict read_id(const toml::node& node, std::uint32_t least, std::uint32_t most,
                std::uint32_t& into) {
  const auto* number = node.as_integer();
  if (number == nullptr || number->get() < least || number->get() > most)
    return wrong("it is a whole number from " + std::to_string(least) + " to " +
                 std::to_string(most));
  into = static_cast<std::uint32_t>(number->get());
  return {};
}

verdict read_owner_id(const toml::node& node, std::uint32_t& into) {
  if (auto ok = read_id(node, 1, most_id, into); !ok)
    return wrong(ok.error() + ": the daemon never runs as root");
  if (into == nobody)
    return wrong("65534 is nobody's");
  return {};
}

verdict read_word(const toml::node& node, std::string& into) {
  if (auto ok = read_text(node, into); !ok)
    return ok;
  const auto good = [](char c) {
    return lower_or_digit(c) || (c >= 'A' && c <= 'Z') ||
           std::string_view(".-+~_").find(c) != std::string_view::npos;
  };
  if (into.empty() || into.size() > 64 || !std::all_of(into.begin(), into.end(), good))
    return wrong("it is 1 to 64 letters, digits and '.', '-', '+', '~', '_'");
  return {};
}

verdict read_time(const toml::node& node, std::chrono::sys_seconds& into) {
  using namespace std::chrono;
  const auto* when = node.as_date_time();
  if (when == nullptr || !when->get().offset)
    return wrong("it is a date and time with its zone, without quotes: 2026-01-31T12:00:00Z");
  const auto& [date, time, offset] = when->get();
  if (date.year < 2000 || date.year > 2999)
    return wrong("its year is from 2000 to 2999");
  into = sys_days{year{date.year} / month{date.month} / day{date.day}} + hours{time.hour} +
         minutes{time.minute} + seconds{time.second} - minutes{offset->minutes};
  return {};
}

struct key {
  std::string_view section, name;
  verdict (*read)(const toml::node&, install&);
  std::string full() const { return std::string(section) + "." + std::string(name); }
};

using n = const toml::node&;
constexpr std::array<key, 10> keys{{
    {"owner", "user", read_user},
    {"owner", "uid", [](n v, install& i) { return read_owner_id(v, i.uid); }},
    {"owner", "gid", [](n v, install& i) { return read_owner_id(v, i.gid); }},
    {"owner", "home", read_home},
    {"build", "version", [](n v, install& i) { return read_word(v, i.version); }},
    {"build", "commit", [](n v, install& i) { return read_word(v, i.commit); }},
    {"build", "built_at", [](n v, install& i) { return read_time(v, i.built_at); }},
    {"install", "installed_at", [](n v, install& i) { return read_time(v, i.installed_at); }},
    {"ids", "first",
     [](n v, install& i) { return read_id(v, least_first_id, most_id, i.ids.first); }},
    {"ids", "count", [](n v, install& i) { return read_id(v, 1, most_ids, i.ids.count); }},
}};

class reader {
public:
  reader(const toml::table& top, std::string file) : top_(top), file_(std::move(file)) {}

  expected<install> read() {
    for (const auto& [name, node] : top_)
      if (auto ok = check_section(name, node); !ok)
        return tl::unexpected(ok.error());
    install i;
    for (const auto& k : keys)
      if (auto ok = read_key(k, i); !ok)
        return tl::unexpected(ok.error());
    if (auto ok = check_ids(i); !ok)
      return tl::unexpected(ok.error());
    return i;
  }

private:
  tl::unexpected<failure> refuse(const toml::source_position& at, const std::string& what,
                                 std::string why, std::string remedy = anew) const {
    return fail(errc::bad_request,
                file_ + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": " +
                    what,
                std::move(why), std::move(remedy));
  }

  tl::unexpected<failure> unknown(const toml::key& name, const std::string& full,
                                  const std::vector<std::string_view>& known) const {
    const auto meant = nearest(name.str(), known);
    return refuse(name.source().begin, "unknown key '" + clean(full) + "'", "",
                  meant.empty() ? anew : "did you mean " + std::string(meant) + "?");
  }

  expected<void> check_section(const toml::key& name, const toml::node& node) const {
    std::vector<std::string_view> sections, names;
    for (const auto& k : keys) {
      sections.push_back(k.section);
      if (k.section == name.str())
        names.push_back(k.name);
    }
    if (names.empty())
      return unknown(name, std::string(name.str()), sections);
    const auto* inside = node.as_table();
    if (inside == nullptr)
      return refuse(node.source().begin, std::string(name.str()), "it is a section",
                    "write [" + std::string(name.str()) + "] on a line of its own");
    for (const auto& [inner, value] : *inside)
      if (std::find(names.begin(), names.end(), inner.str()) == names.end())
        return unknown(inner, std::string(name.str()) + "." + std::string(inner.str()), names);
    return {};
  }

  expected<void> read_key(const key& k, install& i) const {
    const auto* section = top_.get_as<toml::table>(k.section);
    const auto* node = section != nullptr ? section->get(k.name) : nullptr;
    if (node == nullptr) {
      const auto at = section != nullptr ? section->source().begin : toml::source_position{1, 1};
      return refuse(at, k.full(), "it is missing");
    }
    if (auto ok = k.read(*node, i); !ok)
      return refuse(node->source().begin, k.full(), ok.error());
    return {};
  }

  expected<void> check_ids(const install& i) const {
    const auto at = top_["ids"]["first"].node()->source().begin;
    if (i.ids.count - 1 > most_id - i.ids.first)
      return refuse(at, "ids", "first and count lead beyond " + std::to_string(most_id));
    if (i.ids.contains(i.uid) || i.ids.contains(i.gid))
      return refuse(at, "ids", "the owner is among them");
    return {};
  }

  const toml::table& top_;
  std::string file_;
};

} // namespace

expected<install> parse_install(std::string_view text, const fs::path& file) {
  const auto parsed = config::parse_toml(text);
  if (!parsed)
    return fail(errc::bad_request,
                file.string() + ":" + std::to_string(parsed.error().line) + ":" +
                    std::to_string(parsed.error().column) + ": this is not TOML",
                clean(parsed.error().why), anew);
  return reader(*parsed, file.string()).read();
}

} // namespace banger::helper
