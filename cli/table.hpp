// All commands, in one table: dispatch, landing pages, `--help`, completion and manuals come from
// it, and nothing of theirs is written down a second time. What a verb's flags are is asked of the
// verb itself, by way of its help page.
#pragma once

#include "cli/options.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace banger::cli {

/// Which VMs a verb is meant for, for completion.
enum class vm_kind : std::uint8_t { any, running, stopped };

struct verb_entry {
  std::string_view name;
  std::string_view also;  ///< a second name, or empty
  std::string_view brief; ///< its line on the landing page
  expected<command> (*parse)(const std::vector<std::string>& words, const surroundings& around);
  vm_kind vms = vm_kind::any;
  bool hidden = false; ///< not on the landing page of its group
  /// For the VM verbs of every day: the name that `banger` itself knows it by, or empty.
  std::string_view at_root = {};
};

struct verb_group {
  std::string_view name;  ///< empty: `banger` itself
  std::string_view brief; ///< its line on the page of `banger`
  std::string_view intro; ///< what it is for and the command that covers most days
  std::string_view outro; ///< what comes next
  std::span<const verb_entry> verbs;
  /// The verb that is meant when none is given; empty: the landing page.
  std::string_view usual = {};
};

/// `banger` itself first. A new verb is one line in the list of its group, a new group one here.
std::span<const verb_group> groups();
std::span<const verb_entry> root_verbs();
std::span<const verb_entry> vm_verbs();
std::span<const verb_entry> image_verbs();
std::span<const verb_entry> daemon_verbs();
std::span<const verb_entry> config_verbs();
std::span<const verb_entry> operations_verbs();
std::span<const verb_entry> debug_verbs();

const verb_group* find_group(std::string_view name);
const verb_entry* find_verb(const verb_group& in, std::string_view name);

/// `run box` as `vm run box`, if the first word is such a short name. Others stay as they are.
std::vector<std::string> in_full(std::vector<std::string> words);

/// "banger vm run", "banger version".
std::string full_name(const verb_group& in, const verb_entry& v);

/// The page of a verb, as data.
page_facts describe_verb(const verb_entry& v, const surroundings& around);

help_page landing_page(const verb_group& g);

/// Commands and flags that earlier versions or the documents of others know.
struct removed_command {
  std::string_view name; ///< "tui", "vm session", "vm stop --all"
  std::string_view instead;
};
std::span<const removed_command> removed_commands();
/// The one that these words would use.
const removed_command* find_removed(const std::vector<std::string>& words);

} // namespace banger::cli
