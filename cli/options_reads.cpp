#include "cli/options_reads.hpp"

#include "cli/help.hpp"
#include "cli/page.hpp"

namespace banger::cli {

namespace {

constexpr const char* several = "name, id, or the beginning of either";

} // namespace

expected<void> ids_or_json(bool quiet, bool json) {
  if (!quiet || !json)
    return {};
  return fail(errc::bad_request, "--quiet and --json exclude each other",
              "one prints ids, the other everything");
}

expected<command> parse_ps(const std::vector<std::string>& words, const surroundings&) {
  page verb("ps", "[-a] [--latest] [-q] [--json]", "The VMs that run, the oldest first.",
            help::ps_examples);
  ps_options options;
  verb.flag("-a,--all", options.all, "also those that do not run");
  verb.flag("--latest", options.latest, "only the one that was made last, whatever its state");
  verb.flag("-q,--quiet", options.quiet, "only ids, one a line");
  verb.flag("--json", options.json, "as a JSON array");
  return read(verb, words, [&]() -> expected<command> {
    if (auto ok = ids_or_json(options.quiet, options.json); !ok)
      return tl::unexpected(ok.error());
    return options;
  });
}

expected<command> parse_stats(const std::vector<std::string>& words, const surroundings&) {
  page verb("vm stats", "[VM...] [--json] [--watch]",
            "What VMs cost their host: CPU, memory, disks. Without a name: all VMs.",
            help::stats_examples);
  stats_options options;
  verb.list("VM", options.refs, several);
  verb.flag("--json", options.json, "as a JSON array");
  verb.flag("--watch", options.watch, "again every two seconds, until Ctrl-C");
  return read(verb, words, [&]() -> expected<command> { return options; });
}

expected<command> parse_ports(const std::vector<std::string>& words, const surroundings&) {
  page verb("vm ports", "VM... [--json]", "Who waits for connections in running VMs.",
            help::ports_examples);
  ports_options options;
  verb.list("VM", options.refs, several)->required();
  verb.flag("--json", options.json, "as a JSON array");
  return read(verb, words, [&]() -> expected<command> { return options; });
}

expected<command> parse_health(const std::vector<std::string>& words, const surroundings&) {
  page verb("vm health", "VM... [--json]",
            "Ask the guests of VMs for a sign of life, within two seconds.", help::health_examples);
  health_options options;
  verb.list("VM", options.refs, several)->required();
  verb.flag("--json", options.json, "as a JSON array");
  return read(verb, words, [&]() -> expected<command> { return options; });
}

expected<command> parse_console(const std::vector<std::string>& words, const surroundings&) {
  page verb("vm console", "VM", "The console of a VM as it comes, from its last lines on.",
            help::console_examples);
  console_options options;
  verb.text("VM", options.ref, several)->required();
  return read(verb, words, [&]() -> expected<command> { return options; });
}

expected<command> parse_adopt(const std::vector<std::string>& words, const surroundings&) {
  page verb("vm adopt", "ID [--name NAME] [--json]",
            "Make a VM of a folder that the database does not know, and print its name.",
            help::adopt_examples);
  adopt_options options;
  verb.text("ID", options.request.id, "as `banger daemon status` shows it, or its beginning")
      ->required();
  verb.text("--name", options.request.name, "a new name, where the old one is taken");
  verb.flag("--json", options.json, "print the VM as JSON instead of its name");
  return read(verb, words, [&]() -> expected<command> {
    if (!options.request.name.empty())
      if (auto ok = vm_name_grammar::check(options.request.name); !ok)
        return tl::unexpected(ok.error());
    return options;
  });
}

expected<command> parse_prune(const std::vector<std::string>& words, const surroundings& around) {
  page verb("vm prune", "[-f] [--orphans [ID...]]", "Delete every VM that does not run, for good.",
            help::prune_examples);
  prune_options options;
  verb.list("ID", options.ids, "of folders, with --orphans; without: all");
  verb.flag("--orphans", options.orphans,
            "instead: folders of VMs that the database does not know (`banger daemon status`)");
  verb.flag("-f,--force", options.force, "do not ask");
  verb.flag("-q,--quiet", options.quiet, "no progress");
  return read(verb, words, [&]() -> expected<command> {
    if (!options.ids.empty() && !options.orphans)
      return fail(errc::bad_request, "unexpected word '" + options.ids.front() + "'",
                  "vm prune deletes every VM that does not run",
                  "`banger vm delete VM` deletes one; `--orphans` goes with ids of folders");
    if (std::count(options.ids.begin(), options.ids.end(), "") > 0)
      return fail(errc::bad_request, "an id of a folder is empty", "it would fit every folder",
                  "`banger daemon status` shows the ids");
    if (!options.force && !around.typed_input)
      return fail(errc::bad_request, "vm prune asks before it deletes",
                  "standard input is not a terminal, so nobody can answer",
                  options.orphans ? "`banger vm prune --orphans -f` deletes without asking"
                                  : "`banger vm prune -f` deletes without asking");
    return options;
  });
}

} // namespace banger::cli
