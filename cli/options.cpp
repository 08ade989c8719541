#include "cli/options.hpp"

#include "cli/help.hpp"
#include "cli/options_reads.hpp"
#include "cli/page.hpp"
#include "cli/suggest.hpp"
#include "cli/table.hpp"

#include <array>
#include <filesystem>

namespace banger::cli {

namespace {

expected<command> parse_version(const std::vector<std::string>& words) {
  page verb("version", "[--json]", "What this build of banger is.", "");
  version_options options;
  verb.flag("--json", options.json, "as a JSON object");
  return read(verb, words, [&]() -> expected<command> { return options; });
}

expected<command> parse_status(const std::vector<std::string>& words) {
  page verb("daemon status", "[--json]",
            "What the daemon is and does. Starts none: exit code 1 if it does not run.", "");
  daemon_status_options options;
  verb.flag("--json", options.json, "as a JSON object");
  return read(verb, words, [&]() -> expected<command> { return options; });
}

expected<command> parse_stop(const std::vector<std::string>& words) {
  page verb(
      "daemon stop", "",
      "End the daemon once its operations are done; builds of images are cancelled. VMs live on.",
      "");
  return read(verb, words, [&]() -> expected<command> { return daemon_stop_options{}; });
}

expected<command> parse_probe(const std::vector<std::string>& words) {
  page verb("daemon probe", "",
            "Try again whether VMs can use KVM, with a test guest. VMs that run are left alone.",
            help::daemon_probe_examples);
  return read(verb, words, [&]() -> expected<command> { return daemon_probe_options{}; });
}

expected<command> parse_logs(const std::vector<std::string>& words) {
  page verb("daemon logs", "[-f]", "The daemon's log, one JSON object per line.", "");
  daemon_logs_options options;
  verb.flag("-f,--follow", options.follow, "go on with what is added, until Ctrl-C");
  return read(verb, words, [&]() -> expected<command> { return options; });
}

expected<command> parse_completion(const std::vector<std::string>& words) {
  page verb("completion", "bash|zsh|fish",
            "Print a script that lets your shell complete commands, flags, VMs and images.",
            help::completion_examples);
  completion_options options;
  verb.choice("SHELL", options.shell, {"bash", "zsh", "fish"}, "the shell that it is for")
      ->required();
  return read(verb, words, [&]() -> expected<command> { return options; });
}

expected<command> parse_config_show(const std::vector<std::string>& words) {
  page verb("config show", "[--json]",
            "Every key of config.toml, the value that holds now, and where it comes from.",
            help::config_show_examples);
  config_show_options options;
  verb.flag("--json", options.json, "as a JSON object");
  return read(verb, words, [&]() -> expected<command> { return options; });
}

using words_of = const std::vector<std::string>&;

expected<command> parse_events(words_of words) {
  page verb("events", "[--json] [-f]",
            "What happened to VMs and images: every operation, each of its steps, every change of "
            "a VM's state.",
            help::events_examples);
  events_options options;
  verb.flag("--json", options.json, "one JSON object a line");
  verb.flag("-f,--follow", options.follow, "the last 20, then go on until Ctrl-C");
  return read(verb, words, [&]() -> expected<command> { return options; });
}

expected<command> parse_debug_actors(words_of words) {
  page verb(
      "debug actors", "[--json]",
      "What every actor does and since when. One that is silent for half a second is shown so.",
      help::debug_actors_examples);
  debug_actors_options options;
  verb.flag("--json", options.json, "as a JSON array");
  return read(verb, words, [&]() -> expected<command> { return options; });
}

expected<command> parse_debug_crash(words_of words) {
  page verb("debug crash", "VM",
            "End a VM's actor as a bug would; for tests, in a daemon with BANGER_DEBUG_VERBS=1.",
            "");
  debug_crash_options options;
  verb.text("VM", options.ref, "a name, an id, or the beginning of either")->required();
  return read(verb, words, [&]() -> expected<command> { return options; });
}

constexpr std::array debug_list = {
    verb_entry{"actors", "", "what every actor does now; --json for programs",
               [](words_of w, const surroundings&) { return parse_debug_actors(w); }},
    verb_entry{"crash", "", "end a VM's actor, in a daemon for tests",
               [](words_of w, const surroundings&) { return parse_debug_crash(w); }, vm_kind::any,
               true},
};

constexpr std::array root_list = {
    verb_entry{"ps", "", "the VMs that run; -a all of them", parse_ps},
    verb_entry{"events", "", "what happened to VMs and images; -f follows, --json for programs",
               [](words_of w, const surroundings&) { return parse_events(w); }},
    verb_entry{"version", "", "what this build is",
               [](words_of w, const surroundings&) { return parse_version(w); }},
    verb_entry{"completion", "", "a script for bash, zsh or fish",
               [](words_of w, const surroundings&) { return parse_completion(w); }},
};

constexpr std::array daemon_list = {
    verb_entry{"status", "", "what the daemon is and does; --json for programs",
               [](words_of w, const surroundings&) { return parse_status(w); }},
    verb_entry{"stop", "", "end it once its operations are done; VMs live on",
               [](words_of w, const surroundings&) { return parse_stop(w); }},
    verb_entry{"probe", "", "try again whether VMs can use KVM",
               [](words_of w, const surroundings&) { return parse_probe(w); }},
    verb_entry{"logs", "", "its log, one JSON object per line, also while it is down; -f follows",
               [](words_of w, const surroundings&) { return parse_logs(w); }},
};

constexpr std::array config_list = {
    verb_entry{"show", "", "every key, its value, and where it comes from; --json for programs",
               [](words_of w, const surroundings&) { return parse_config_show(w); }},
};

tl::unexpected<failure> unknown_command(std::string_view word, const verb_group& in) {
  const auto page = "banger" + (in.name.empty() ? "" : " " + std::string(in.name));
  const auto meant = meant_command(word, in);
  return fail(errc::bad_request, "unknown command '" + std::string(word) + "' for '" + page + "'",
              "", meant.empty() ? "see `" + page + " --help`" : "did you mean `" + meant + "`?");
}

expected<command> parse_in(const verb_group& in, const std::vector<std::string>& words,
                           const surroundings& around) {
  const bool bare = words.empty() || words.front().starts_with("-");
  if (bare && !in.usual.empty() && (words.empty() || !asks_help(words.front())))
    return find_verb(in, in.usual)->parse(words, around);
  if (words.empty() || asks_help(words.front()))
    return landing_page(in);
  const auto* found = find_verb(in, words.front());
  if (found == nullptr)
    return unknown_command(words.front(), in);
  return found->parse({words.begin() + 1, words.end()}, around);
}

} // namespace

std::span<const verb_entry> root_verbs() { return root_list; }
std::span<const verb_entry> debug_verbs() { return debug_list; }
std::span<const verb_entry> daemon_verbs() { return daemon_list; }
std::span<const verb_entry> config_verbs() { return config_list; }

expected<command> parse(const std::vector<std::string>& given, const surroundings& around) {
  const auto& root = groups().front();
  const auto words = in_full(given);
  if (words.empty())
    return landing_page(root);
  const std::vector<std::string> rest(words.begin() + 1, words.end());
  if (words.front() == "--version")
    return version_options{true, false};
  if (words.front() == "__complete")
    return complete_options{rest};
  if (words.front() == "help") {
    auto page = rest;
    page.emplace_back("--help");
    return parse(page, around);
  }
  if (const auto* gone = find_removed(words); gone != nullptr)
    return fail(errc::bad_request, "`banger " + std::string(gone->name) + "` is no more",
                std::string(gone->instead));
  const auto* named = words.front().empty() ? nullptr : find_group(words.front());
  return named != nullptr ? parse_in(*named, rest, around) : parse_in(root, words, around);
}

bool passes_exit_code(const command& asked) {
  return std::holds_alternative<run_options>(asked) || std::holds_alternative<exec_options>(asked);
}

expected<std::string> take_config_flag(std::vector<std::string>& words) {
  constexpr std::string_view flag = "--config";
  if (words.empty() || !words.front().starts_with(flag))
    return std::string();
  auto value = words.front().substr(flag.size());
  if (!value.empty() && value.front() != '=')
    return std::string();
  const std::size_t taken = value.empty() ? 2 : 1;
  value = !value.empty() ? value.substr(1) : words.size() > 1 ? words[1] : "";
  if (value.empty())
    return fail(errc::bad_request, "--config: it needs a value", "",
                "name a file, as in `banger --config FILE vm list`");
  words.erase(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(taken));
  return std::filesystem::absolute(value).lexically_normal().string();
}

} // namespace banger::cli
