#include "messages/base/duration.hpp"
#include "messages/base/names.hpp"
#include "messages/base/nearest.hpp"
#include "messages/base/net.hpp"
#include "messages/config/config.hpp"
#include "messages/config/toml.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>

namespace banger::config {

namespace fs = std::filesystem;

namespace {

// What a key says is wrong; the place and the key's name are added by whoever knows them.
struct complaint {
  std::string why, remedy;
};
using verdict = tl::expected<void, complaint>;

tl::unexpected<complaint> wrong(std::string why, std::string remedy = {}) {
  return tl::unexpected(complaint{std::move(why), std::move(remedy)});
}
tl::unexpected<complaint> wrong(const failure& f) {
  return wrong(f.what + (f.why.empty() ? "" : ": " + f.why), f.remedy);
}

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
  case toml::node_type::table: return "a table";
  case toml::node_type::array: return "an array";
  case toml::node_type::string: return "a string";
  case toml::node_type::integer: return "an integer";
  case toml::node_type::floating_point: return "a number with a point";
  case toml::node_type::boolean: return "a boolean";
  default: return "a date or time";
  }
}

// Control characters of a file stay out of messages.
std::string shown(std::string_view text) {
  std::string clean(text.substr(0, 64));
  std::replace_if(
      clean.begin(), clean.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return clean;
}

tl::expected<std::string, complaint> text_of(const toml::node& node, const char* wanted) {
  if (const auto* text = node.as_string())
    return text->get();
  return wrong(std::string(wanted) + " in quotes is expected, and this is " +
               std::string(type_name(node)));
}

verdict read_choice(const toml::node& node, std::string_view choices,
                    std::optional<std::string>& into) {
  const auto text = text_of(node, "one of the words below");
  std::string listed(choices);
  for (auto at = listed.find('|'); at != std::string::npos; at = listed.find('|'))
    listed.replace(at, 1, ", ");
  if (!text)
    return wrong(text.error().why, "use one of " + listed);
  const auto padded = "|" + std::string(choices) + "|";
  if (text->find('|') != std::string::npos || padded.find("|" + *text + "|") == std::string::npos)
    return wrong("'" + shown(*text) + "' is none of its values", "use one of " + listed);
  into = *text;
  return {};
}

verdict read_path(const toml::node& node, const fs::path& home, std::optional<fs::path>& into) {
  const auto text = text_of(node, "a path");
  if (!text)
    return tl::unexpected(text.error());
  if (text->find('\0') != std::string::npos)
    return wrong("a path holds no NUL character");
  if (text->starts_with("~/"))
    into = home / text->substr(2);
  else if (text->starts_with('/'))
    into = *text;
  else
    return wrong("'" + shown(*text) + "' is a relative path", "begin it with / or ~/");
  return {};
}

verdict read_image(const toml::node& node, std::optional<std::string>& into) {
  const auto text = text_of(node, "the name of an image");
  if (!text)
    return tl::unexpected(text.error());
  if (auto ok = image_name_grammar::check(*text); !ok)
    return wrong(ok.error());
  into = *text;
  return {};
}

verdict read_address(const toml::node& node, std::optional<std::string>& into) {
  const auto text = text_of(node, "an IPv4 address");
  if (!text)
    return tl::unexpected(text.error());
  in_addr parsed{};
  if (text->find('\0') != std::string::npos || ::inet_pton(AF_INET, text->c_str(), &parsed) != 1)
    return wrong("'" + shown(*text) + "' is no IPv4 address");
  into = *text;
  return {};
}

/// A text that `Type::parse` takes.
template <class Type>
verdict read_checked(const toml::node& node, const char* wanted, std::optional<std::string>& into) {
  const auto text = text_of(node, wanted);
  if (!text)
    return tl::unexpected(text.error());
  if (const auto ok = Type::parse(*text); !ok)
    return wrong("'" + shown(*text) + "': " + ok.error().why);
  into = *text;
  return {};
}

verdict read_duration(const toml::node& node, std::optional<std::chrono::milliseconds>& into) {
  const auto text = text_of(node, "a duration");
  if (!text)
    return tl::unexpected(text.error());
  const auto span = parse_duration(*text);
  if (!span)
    return wrong(span.error());
  if (span->count() % 1000 != 0)
    return wrong("it is not a whole number of seconds");
  into = *span;
  return {};
}

// Of what must end: a day is as good as for ever.
verdict read_wait(const toml::node& node, std::optional<std::chrono::milliseconds>& into) {
  if (auto ok = read_duration(node, into); !ok)
    return ok;
  if (*into < std::chrono::seconds(1) || *into > std::chrono::hours(24))
    return wrong("it is out of range: 1s to 24h");
  return {};
}

// 0 is as good as nothing: the next layer decides.
verdict read_number(const toml::node& node, std::int64_t least, std::int64_t most,
                    std::optional<std::int64_t>& into) {
  const auto* number = node.as_integer();
  if (number == nullptr)
    return wrong("a whole number is expected, and this is " + std::string(type_name(node)));
  if (number->get() != 0 && (number->get() < least || number->get() > most))
    return wrong(std::to_string(number->get()) + " is out of range: " + std::to_string(least) +
                 " to " + std::to_string(most) + ", or 0 for the default");
  if (number->get() != 0)
    into = number->get();
  return {};
}

verdict read_size(const toml::node& node, std::optional<std::uint64_t>& into) {
  const auto* number = node.as_integer();
  const auto text =
      number != nullptr ? std::to_string(number->get()) : text_of(node, "a size").value_or("");
  if (number == nullptr && !node.is_string())
    return wrong("a size is expected, and this is " + std::string(type_name(node)));
  if (text == "0")
    return {};
  const auto bytes = parse_size(text);
  if (!bytes)
    return wrong(bytes.error());
  if (auto ok = check_disk_bytes(*bytes); !ok)
    return wrong(ok.error());
  into = *bytes;
  return {};
}

verdict read_value(const key& k, const toml::node& node, const fs::path& home, settings& s) {
  constexpr std::int64_t most_memory = std::int64_t{64} * 1024 * 1024;
  if (k.name == "log_level")
    return read_choice(node, k.type, s.log_level);
  if (k.name == "ssh_key_path")
    return read_path(node, home, s.ssh_key_path);
  if (k.name == "default_image_name")
    return read_image(node, s.default_image_name);
  if (k.name == "default_dns")
    return read_address(node, s.default_dns);
  if (k.name == "idle_exit")
    return read_duration(node, s.idle_exit);
  if (k.name == "auto_stop_stale_after")
    return read_duration(node, s.auto_stop_stale_after);
  if (k.name == "boot_wait")
    return read_wait(node, s.boot_wait);
  if (k.name == "root_disk")
    return read_choice(node, k.type, s.root_disk);
  if (k.name == "kernel_package")
    return read_path(node, home, s.kernel_package);
  if (k.name == "qemu_bin")
    return read_path(node, home, s.qemu_bin);
  if (k.name == "mode")
    return read_choice(node, k.type, s.network.mode);
  if (k.name == "bridge")
    return read_checked<bridge_name>(node, "the name of a bridge", s.network.bridge);
  if (k.name == "subnet")
    return read_checked<ipv4_net>(node, "a network", s.network.subnet);
  if (k.name == "helper")
    return read_path(node, home, s.network.helper);
  if (k.name == "dns_port")
    return read_number(node, 1, 65535, s.network.dns_port);
  if (k.name == "vcpu")
    return read_number(node, 1, 1024, s.vm_defaults.vcpu);
  if (k.name == "memory_mib")
    return read_number(node, min_memory_mib, most_memory, s.vm_defaults.memory_mib);
  return read_size(node, s.vm_defaults.disk_bytes);
}

constexpr std::array<const char*, 2> sections{"vm_defaults", "network"};

class reader {
public:
  reader(const fs::path& file, const fs::path& home, settings& into)
      : file_(file), home_(home), into_(into) {}

  expected<void> read(const toml::table& table, std::string_view section) {
    for (const auto& [name, node] : table)
      if (auto ok = read_entry(section, name, node); !ok)
        return ok;
    return {};
  }

private:
  std::string at(const toml::source_region& place) const {
    return file_.string() + ":" + std::to_string(place.begin.line) + ":" +
           std::to_string(place.begin.column) + ": ";
  }

  expected<void> read_entry(std::string_view section, const toml::key& name,
                            const toml::node& node) {
    const auto full = (section.empty() ? "" : std::string(section) + ".") + std::string(name.str());
    for (const auto& foreign : foreign_keys())
      if (full == foreign.name)
        return fail(errc::bad_request, at(name.source()) + full + " has no meaning in this version",
                    std::string(foreign.why), "remove it");
    for (const auto* inner : sections)
      if (section.empty() && name.str() == inner)
        return read_section(inner, node);
    for (const auto& k : keys())
      if (k.section == section && k.name == name.str())
        return check(k, node);
    return unknown(section, name, full);
  }

  expected<void> read_section(const std::string& name, const toml::node& node) {
    if (const auto* inner = node.as_table())
      return read(*inner, name);
    return fail(errc::bad_request, at(node.source()) + name + " is a section",
                "this is " + std::string(type_name(node)),
                "write [" + name + "] on a line of its own");
  }

  expected<void> check(const key& k, const toml::node& node) {
    const auto ok = read_value(k, node, home_, into_);
    if (ok)
      return {};
    const auto remedy = "as in `" + std::string(k.name) + " = " + std::string(k.example) + "`" +
                        (ok.error().remedy.empty() ? "" : "; " + ok.error().remedy);
    return fail(errc::bad_request, at(node.source()) + k.full_name(), ok.error().why, remedy);
  }

  tl::unexpected<failure> unknown(std::string_view section, const toml::key& name,
                                  const std::string& full) const {
    // Also keys of the other section: it is an easy mistake to forget the section's line.
    std::vector<std::string_view> near;
    for (const auto& k : keys())
      near.push_back(k.name);
    near.insert(near.end(), sections.begin(), sections.end());
    std::string hint;
    if (const auto meant = nearest(name.str(), near); !meant.empty()) {
      hint = "did you mean " + std::string(meant);
      for (const auto& k : keys())
        if (k.name == meant && k.section != section)
          hint += k.section.empty() ? ", at the top of the file"
                                    : ", in the section [" + std::string(k.section) + "]";
      hint += "? ";
    }
    return fail(errc::bad_request, at(name.source()) + "unknown key '" + shown(full) + "'", "",
                hint + "`banger config show` lists the keys there are");
  }

  const fs::path& file_;
  const fs::path& home_;
  settings& into_;
};

} // namespace

expected<settings> parse(std::string_view text, const fs::path& file, const fs::path& home) {
  const auto parsed = parse_toml(text);
  if (!parsed)
    return fail(errc::bad_request,
                file.string() + ":" + std::to_string(parsed.error().line) + ":" +
                    std::to_string(parsed.error().column) + ": this is not TOML",
                shown(parsed.error().why), "a line is `key = value`, texts are in \"quotes\"");
  settings s;
  s.file = file;
  if (auto ok = reader(file, home, s).read(*parsed, ""); !ok)
    return tl::unexpected(ok.error());
  return s;
}

} // namespace banger::config
