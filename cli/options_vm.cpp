#include "cli/help.hpp"
#include "cli/options_command.hpp"
#include "cli/options_reads.hpp"
#include "cli/page.hpp"
#include "cli/sizing_words.hpp"
#include "cli/suggest.hpp"
#include "cli/table.hpp"

#include <algorithm>
#include <array>

namespace banger::cli {

namespace {

// --wait of what boots a VM and need not wait for it.
struct wait_word {
  std::string text;

  void offer(page& verb) {
    verb.choice("--wait", text, {"agent", "boot", "none"},
                "until commands can run (agent, the default), the image's init is done (at most "
                "boot_wait of config.toml, 5m), or not at all");
  }
  bool booted() const { return text == "boot"; }
  bool any() const { return text != "none"; }
};

// `vm create box`: other tools take the name so.
expected<void> check_no_word(const page& verb, std::vector<std::string> words) {
  const auto at = word_at(0, words, verb.facts().flags);
  if (!at || std::any_of(words.begin(), words.end(), asks_help))
    return {};
  const auto word = words[*at];
  words.insert(words.begin() + static_cast<std::ptrdiff_t>(*at), "--name");
  return fail(errc::bad_request, "unexpected word '" + word + "'", "a VM is named with --name",
              "write `banger vm create " + shell_line(words) + "`");
}

expected<command> parse_create(const std::vector<std::string>& words, const surroundings& around) {
  page verb("vm create", "[FLAGS]", "Make a VM, boot it, and print its name.",
            help::create_examples);
  sizing_words sizing;
  wait_word wait;
  create_options create;
  sizing.offer(verb, around);
  wait.offer(verb);
  bool no_start = false;
  verb.flag("--no-start", no_start, "make it, and leave it for a later `vm start`");
  verb.flag("--autostart", create.request.autostart,
            "start it again after the host was, if it ran when that went down");
  verb.flag("--timing", create.timing, "print what each step took");
  verb.flag("-q,--quiet", create.quiet, "no progress");
  verb.flag("--json", create.json, "print the VM as JSON instead of its name");
  if (auto ok = check_no_word(verb, words); !ok)
    return tl::unexpected(ok.error());
  return read(verb, words, [&]() -> expected<command> {
    auto request = sizing.check(around);
    if (!request)
      return tl::unexpected(request.error());
    request->autostart = create.request.autostart;
    request->until_booted = wait.booted();
    request->boot = !no_start;
    if (no_start && wait.booted())
      return fail(errc::bad_request, "--no-start and --wait boot contradict each other");
    create.request = std::move(*request);
    create.wait = wait.any();
    return create;
  });
}

expected<command> parse_verb(const std::string& name, const char* about,
                             const std::vector<std::string>& words) {
  page verb("vm " + name, "VM... [FLAGS]", about, help::refs_examples);
  verb_options options;
  wait_word wait;
  options.verb = name;
  verb.list("VM", options.refs, "name, id, or the beginning of either")->required();
  if (name == "start" || name == "restart")
    wait.offer(verb);
  verb.flag("--timing", options.timing, "print what each step took");
  verb.flag("-q,--quiet", options.quiet, "no progress");
  return read(verb, words, [&]() -> expected<command> {
    options.until_booted = wait.booted();
    options.wait = wait.any();
    return options;
  });
}

expected<command> parse_kill(const std::vector<std::string>& words, const surroundings&) {
  page verb("vm kill", "VM... [FLAGS]",
            "End the hypervisors of VMs without asking the guests. Their disks stay.",
            help::kill_examples);
  verb_options options;
  options.verb = "kill";
  std::string signal;
  verb.list("VM", options.refs, "name, id, or the beginning of either")->required();
  verb.flag("--timing", options.timing, "print what each step took");
  verb.flag("-f,--force", options.force, "end what the VM is doing, and what waits for it, first");
  verb.text("--signal", signal, "for the hypervisor (default KILL)")->type_name(signal_names("|"));
  verb.flag("-q,--quiet", options.quiet, "no progress");
  return read(verb, words, [&]() -> expected<command> {
    if (signal.empty())
      return options;
    auto name = signal_value(signal);
    if (!name)
      return tl::unexpected(name.error());
    options.signal = std::move(*name);
    return options;
  });
}

expected<command> parse_list(const std::vector<std::string>& words) {
  page verb("vm list", "[-q] [--json]", "All VMs, the oldest first.", help::list_examples);
  list_options options;
  verb.flag("-q,--quiet", options.quiet, "only ids, one a line, as `banger ps -q`");
  verb.flag("--json", options.json, "as a JSON array");
  return read(verb, words, [&]() -> expected<command> {
    if (auto ok = ids_or_json(options.quiet, options.json); !ok)
      return tl::unexpected(ok.error());
    return options;
  });
}

expected<command> parse_show(const std::vector<std::string>& words) {
  page verb("vm show", "VM [--json]", "Everything that is known of one VM.", "");
  show_options options;
  verb.text("VM", options.ref, "name, id, or the beginning of either")->required();
  verb.flag("--json", options.json, "as a JSON object");
  return read(verb, words, [&]() -> expected<command> { return options; });
}

expected<command> parse_logs(const std::vector<std::string>& words) {
  page verb("vm logs", "VM [-f]", "The console of a VM: kernel, init, and what they printed.", "");
  logs_options options;
  verb.text("VM", options.ref, "name, id, or the beginning of either")->required();
  verb.flag("-f,--follow", options.follow, "go on with what is added, until Ctrl-C");
  return read(verb, words, [&]() -> expected<command> { return options; });
}

using words_of = const std::vector<std::string>&;

constexpr std::array vm_list = {
    verb_entry{"run", "", "make a VM and run a command, or a shell; without --rm the VM stays",
               parse_run, vm_kind::any, false, "run"},
    verb_entry{"create", "", "make and boot a VM that stays; prints its name", parse_create},
    verb_entry{"exec", "", "run a command in a running VM", parse_exec, vm_kind::running, false,
               "exec"},
    verb_entry{"shell", "", "open a shell in a running VM", parse_shell, vm_kind::running, false,
               "shell"},
    verb_entry{
        "start", "", "boot a stopped VM",
        [](words_of w, const surroundings&) { return parse_verb("start", "Boot stopped VMs.", w); },
        vm_kind::stopped},
    verb_entry{"restart", "", "stop a VM if it runs, then start it",
               [](words_of w, const surroundings&) {
                 return parse_verb("restart", "Stop VMs in order if they run, then start them.", w);
               }},
    verb_entry{"stop", "", "shut a running VM down in order; its disks stay",
               [](words_of w, const surroundings&) {
                 return parse_verb("stop", "Shut running VMs down in order. Their disks stay.", w);
               },
               vm_kind::running, false, "stop"},
    verb_entry{"kill", "", "end a VM at once, when stop hangs; its disks stay", parse_kill,
               vm_kind::running},
    verb_entry{"delete", "rm", "stop a VM and remove its disks, for good",
               [](words_of w, const surroundings&) {
                 return parse_verb("delete", "Stop VMs and remove their disks, for good.", w);
               },
               vm_kind::any, false, "rm"},
    verb_entry{"set", "", "change CPUs, memory, disk, network, autostart", parse_set},
    verb_entry{"rename", "", "give a VM another name", parse_rename},
    verb_entry{"touch", "", "count a VM as in use", parse_touch},
    verb_entry{"list", "ls", "all VMs; -q their ids, --json for programs",
               [](words_of w, const surroundings&) { return parse_list(w); }, vm_kind::any, false,
               "ls"},
    verb_entry{"show", "", "everything about one VM; --json for programs",
               [](words_of w, const surroundings&) { return parse_show(w); }},
    verb_entry{"logs", "", "the console of a VM; -f follows",
               [](words_of w, const surroundings&) { return parse_logs(w); }},
    verb_entry{"console", "", "the console as it comes, until Ctrl-C or the end of the VM",
               parse_console, vm_kind::running},
    verb_entry{"stats", "", "CPU, memory and disks of VMs; --watch goes on", parse_stats},
    verb_entry{"ports", "", "who listens in a running VM", parse_ports, vm_kind::running},
    verb_entry{"health", "ping", "does the guest answer? exit code 0 if all do", parse_health,
               vm_kind::running},
    verb_entry{"prune", "", "delete every VM that does not run; asks first", parse_prune},
    verb_entry{"adopt", "", "make a VM of a folder that the database does not know", parse_adopt},
};

} // namespace

std::span<const verb_entry> vm_verbs() { return vm_list; }

} // namespace banger::cli
