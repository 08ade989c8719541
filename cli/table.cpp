#include "cli/table.hpp"

#include "cli/help.hpp"
#include "cli/page.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace banger::cli {

namespace {

constexpr std::array<removed_command, 8> removed = {{
    {"tui", "`banger vm list` shows the VMs; `banger vm --help` tells how to use them"},
    {"web", "`banger vm list --json` is for programs that show VMs"},
    {"opencode", "start it yourself: `banger vm exec VM -- opencode`"},
    {"internal", "`scripts/bootstrap` knows the packages; there are no hidden commands to use"},
    {"vm session",
     "`banger vm shell VM` opens a shell, `banger vm exec VM -- COMMAND` runs a command"},
    {"vm opencode", "start it yourself: `banger vm exec VM -- opencode`"},
    {"vm stop --all", "name the VMs, several at once: `banger vm stop VM VM`"},
    {"completion powershell", "there are scripts for bash, zsh and fish"},
}};

std::string line(std::string_view name, std::string_view text, std::size_t column = 13) {
  std::string padded = "  " + std::string(name);
  padded.resize(std::max(column, padded.size() + 1), ' ');
  return padded + std::string(text) + "\n";
}

std::string verb_lines(std::span<const verb_entry> verbs) {
  std::string text;
  for (const auto& v : verbs)
    if (!v.hidden)
      text += line(v.name, std::string(v.brief) +
                               (v.also.empty() ? "" : " (also: " + std::string(v.also) + ")"));
  return text;
}

std::string short_lines() {
  std::string text = "\nShort for `vm` and a command, with the same flags:\n";
  for (const auto& v : vm_verbs())
    if (!v.at_root.empty())
      text += line(v.at_root, "vm " + std::string(v.name) + ": " + std::string(v.brief));
  return text;
}

std::vector<flag_facts> root_flags() {
  return {{{"-h", "--help"}, "", {}, "print this page", false, false},
          {{"--version"}, "", {}, "what this build is, in one line", false, false},
          {{"--config"}, "FILE", {}, "read this file instead of config.toml", false, false}};
}

} // namespace

std::span<const verb_group> groups() {
  static const std::array all = {
      verb_group{"", "", help::root_intro, help::root_outro, root_verbs()},
      verb_group{"vm", "make, use and remove VMs", help::vm_intro, help::vm_outro, vm_verbs()},
      verb_group{"image", "what VMs boot from: build, list, delete", help::image_intro,
                 help::image_outro, image_verbs()},
      verb_group{"operations", "what takes long: list, wait, cancel", help::operations_intro,
                 help::operations_outro, operations_verbs(), "list"},
      verb_group{"daemon", "the background process: status, stop, logs", help::daemon_intro,
                 help::daemon_outro, daemon_verbs()},
      verb_group{"config", "what config.toml says and what holds without it", help::config_intro,
                 help::config_outro, config_verbs()},
      verb_group{"debug", "what the actors of the daemon do, for whoever looks for a bug",
                 help::debug_intro, help::debug_outro, debug_verbs(), "actors"},
  };
  return all;
}

const verb_group* find_group(std::string_view name) {
  const auto all = groups();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const verb_group& g) { return g.name == name; });
  return found == all.end() ? nullptr : &*found;
}

const verb_entry* find_verb(const verb_group& in, std::string_view name) {
  const auto found = std::find_if(in.verbs.begin(), in.verbs.end(), [&](const verb_entry& v) {
    return v.name == name || (!v.also.empty() && v.also == name);
  });
  return found == in.verbs.end() ? nullptr : &*found;
}

std::vector<std::string> in_full(std::vector<std::string> words) {
  const auto verbs = vm_verbs();
  const auto found = std::find_if(verbs.begin(), verbs.end(), [&](const verb_entry& v) {
    return !words.empty() && !v.at_root.empty() && v.at_root == words.front();
  });
  if (found == verbs.end())
    return words;
  words.front() = found->name;
  words.insert(words.begin(), "vm");
  return words;
}

std::string full_name(const verb_group& in, const verb_entry& v) {
  return "banger " + (in.name.empty() ? "" : std::string(in.name) + " ") + std::string(v.name);
}

page_facts describe_verb(const verb_entry& v, const surroundings& around) {
  const auto page = v.parse({"--help"}, around);
  return page ? std::get<help_page>(*page).facts : page_facts{};
}

help_page landing_page(const verb_group& g) {
  const bool root = g.name.empty();
  std::string text(g.intro);
  text += root ? "\nGroups:\n" : "\nCommands:\n";
  if (root)
    for (const auto& other : groups())
      if (!other.name.empty())
        text += line(other.name, other.brief);
  text += verb_lines(g.verbs);
  if (root)
    text += short_lines();
  page_facts facts{root ? "banger" : "banger " + std::string(g.name),
                   "",
                   std::string(g.brief),
                   std::string(g.intro) + std::string(g.outro),
                   {}};
  if (root) {
    facts.flags = root_flags();
    text += "\nFlags, in front of the group:\n";
    for (const auto& flag : facts.flags)
      text +=
          line(flag.names.back() + (flag.value.empty() ? "" : " " + flag.value), flag.about, 18);
  }
  text += (g.outro.empty() ? "" : "\n") + std::string(g.outro);
  return {std::move(text), std::move(facts)};
}

std::span<const removed_command> removed_commands() { return removed; }

const removed_command* find_removed(const std::vector<std::string>& words) {
  const auto end = std::find(words.begin(), words.end(), "--");
  const std::vector<std::string> ours(words.begin(), end);
  for (const auto& gone : removed) {
    std::vector<std::string_view> parts;
    for (auto rest = gone.name; !rest.empty();) {
      const auto n = std::min(rest.find(' '), rest.size());
      parts.push_back(rest.substr(0, n));
      rest.remove_prefix(std::min(rest.size(), n + 1));
    }
    const bool is_flag = parts.back().starts_with("-");
    const auto in_place = parts.size() - (is_flag ? 1 : 0);
    if (ours.size() < parts.size() ||
        !std::equal(parts.begin(), parts.begin() + static_cast<std::ptrdiff_t>(in_place),
                    ours.begin()))
      continue;
    if (!is_flag || std::find(ours.begin(), ours.end(), parts.back()) != ours.end())
      return &gone;
  }
  return nullptr;
}

} // namespace banger::cli
