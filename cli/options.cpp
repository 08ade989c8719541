#include "cli/options.hpp"

#include "cli/help.hpp"
#include "cli/page.hpp"

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
  page verb("daemon stop", "", "End the daemon once its operations are done. VMs live on.", "");
  return read(verb, words, [&]() -> expected<command> { return daemon_stop_options{}; });
}

expected<command> parse_logs(const std::vector<std::string>& words) {
  page verb("daemon logs", "[-f]", "The daemon's log, one JSON object per line.", "");
  daemon_logs_options options;
  verb.flag("-f,--follow", options.follow, "go on with what is added, until Ctrl-C");
  return read(verb, words, [&]() -> expected<command> { return options; });
}

} // namespace

expected<command> parse_daemon(const std::vector<std::string>& words) {
  if (words.empty() || asks_help(words.front()))
    return help_page{std::string(help::daemon)};
  const auto& verb = words.front();
  const std::vector<std::string> rest(words.begin() + 1, words.end());
  if (verb == "status")
    return parse_status(rest);
  if (verb == "stop")
    return parse_stop(rest);
  if (verb == "logs")
    return parse_logs(rest);
  return unknown_command(verb, "banger daemon");
}

expected<command> parse(const std::vector<std::string>& words, const surroundings& around) {
  if (words.empty() || asks_help(words.front()))
    return help_page{std::string(help::root)};
  const auto& family = words.front();
  std::vector<std::string> rest(words.begin() + 1, words.end());
  if (family == "vm")
    return parse_vm(rest, around);
  if (family == "daemon")
    return parse_daemon(rest);
  if (family == "version")
    return parse_version(rest);
  if (family == "--version")
    return version_options{true, false};
  if (family == "help") {
    rest.emplace_back("--help");
    return parse(rest, around);
  }
  return unknown_command(family, "banger");
}

bool passes_exit_code(const command& asked) {
  return std::holds_alternative<run_options>(asked) || std::holds_alternative<exec_options>(asked);
}

} // namespace banger::cli
