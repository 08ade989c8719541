// What was asked on the command line. Parsing changes nothing and asks nobody.
#pragma once

#include "cli/values.hpp"
#include "messages/models.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace banger::cli {

struct create_options {
  messages::create_request request;
  bool quiet = false, timing = false, json = false;
  bool wait = true; ///< for the end of the operation
};

struct run_options {
  messages::create_request request; ///< `ephemeral` is --rm
  messages::exec_request command;   ///< its `ref` comes from the VM that was made
  std::optional<char> escape;       ///< of a command with a terminal
  bool quiet = false, timing = false;
  bool detach = false; ///< no command: the VM is made, and left
};

/// A command, or without any word the login shell, in a VM.
struct exec_options {
  messages::exec_request request;
  std::optional<char> escape;
  bool quiet = false;
};

/// `verb` of start, stop, restart, kill, delete, on several VMs.
struct verb_options {
  std::string verb;
  std::vector<std::string> refs;
  bool quiet = false, timing = false;
  bool wait = true, until_booted = false; ///< of a start or restart
  std::string signal = {};                ///< of a kill
  bool force = false;                     ///< of a kill
  bool only_at_rest = false;              ///< of a delete: not if it runs by then
};

/// Changes of several VMs, the same for each; of a rename, of one.
struct set_options {
  std::vector<std::string> refs;
  messages::set_request request; ///< its `ref` comes from `refs`
  bool quiet = false;
};

struct touch_options {
  std::vector<std::string> refs;
};

struct list_options {
  bool quiet = false, json = false;
};

struct show_options {
  std::string ref;
  bool json = false;
};

struct logs_options {
  std::string ref;
  bool follow = false;
};

/// `banger ps`: those that run.
struct ps_options {
  bool all = false, latest = false, quiet = false, json = false;
};

struct stats_options {
  std::vector<std::string> refs; ///< none: all
  bool json = false, watch = false;
};

struct ports_options {
  std::vector<std::string> refs;
  bool json = false;
};

struct health_options {
  std::vector<std::string> refs;
  bool json = false;
};

struct console_options {
  std::string ref;
};

struct prune_options {
  bool force = false, quiet = false;
  bool orphans = false;         ///< folders without a record instead of VMs
  std::vector<std::string> ids; ///< of orphans; none: all
};

struct adopt_options {
  messages::reclaim_request request;
  bool json = false;
};

struct daemon_status_options {
  bool json = false;
};

struct daemon_stop_options {};

struct daemon_probe_options {};

struct daemon_logs_options {
  bool follow = false;
};

struct version_options {
  bool line = false; ///< `--version`: one line
  bool json = false;
};

/// Prints a completion script.
struct completion_options {
  std::string shell;
};

/// What a shell asks for while somebody types: the words after `banger`, the last one unfinished.
struct complete_options {
  std::vector<std::string> words;
};

struct image_build_options {
  messages::image_request request;
  bool quiet = false;
};

struct image_list_options {
  bool json = false;
};

struct image_delete_options {
  std::vector<std::string> names;
};

struct operations_options {
  bool json = false;
};

/// `verb` of wait, cancel, on one operation.
struct operation_options {
  std::string verb;
  std::string op;
  bool quiet = false;
};

struct events_options {
  bool json = false, follow = false;
};

struct debug_actors_options {
  bool json = false;
};

struct debug_crash_options {
  std::string ref;
};

struct config_show_options {
  bool json = false;
};

/// A flag or word that a verb takes.
struct flag_facts {
  std::vector<std::string> names;   ///< "-q", "--quiet"; of a word: "VM"
  std::string value;                ///< what follows it: "SIZE"; empty: nothing
  std::vector<std::string> choices; ///< if only these values are allowed
  std::string about;
  bool word = false; ///< no flag, but a word at its place
  bool many = false; ///< may be given several times
};

/// A help page taken apart, for completion and for manuals.
struct page_facts {
  std::string name, usage, about, examples;
  std::vector<flag_facts> flags;
};

struct help_page {
  std::string text;
  page_facts facts;
};

using command =
    std::variant<help_page, run_options, create_options, exec_options, verb_options, set_options,
                 touch_options, list_options, show_options, logs_options, daemon_status_options,
                 daemon_stop_options, daemon_probe_options, daemon_logs_options, version_options,
                 completion_options, complete_options, config_show_options, operations_options,
                 operation_options, image_build_options, image_list_options, image_delete_options,
                 ps_options, stats_options, ports_options, health_options, console_options,
                 prune_options, adopt_options, events_options, debug_actors_options,
                 debug_crash_options>;

/// `words` is argv without the program. Every error is a `bad_request`, exit code 2.
expected<command> parse(const std::vector<std::string>& words, const surroundings& around);

/// True for verbs whose exit code is the command's own, so that our failures need codes apart.
bool passes_exit_code(const command& asked);

/// Takes `--config FILE` from in front of the verb: the absolute path of FILE, or nothing.
expected<std::string> take_config_flag(std::vector<std::string>& words);

} // namespace banger::cli
