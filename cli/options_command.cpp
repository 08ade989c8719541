#include "cli/options_command.hpp"

#include "cli/escape.hpp"
#include "cli/help.hpp"
#include "cli/page.hpp"
#include "cli/sizing_words.hpp"
#include "cli/suggest.hpp"

#include <algorithm>

namespace banger::cli {

namespace {

expected<void> refuse(std::string what, std::string why, std::string remedy) {
  return fail(errc::bad_request, std::move(what), std::move(why), std::move(remedy));
}

// The flags of a command in a guest, and the words behind `--`.
struct command_words {
  std::vector<std::string> env;
  std::string cwd, escape;
  bool interactive = false, tty = false, no_stdin = false;

  void offer(page& verb) {
    verb.list("--env", env, "NAME=value, or NAME for the value it has here; may be repeated")
        ->type_name("VAR")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    verb.text("--cwd", cwd, "folder in the VM to run in (default /root)")->type_name("DIR");
    verb.text("--escape", escape,
              "in a terminal session, after a newline: this and '.' leaves (default ~), or none")
        ->type_name("CHAR");
  }
  void offer_terminal(page& verb) {
    verb.flag("-t,--tty", tty, "give the command a terminal, the one that we have here");
    verb.flag("-i,--interactive", interactive, "no effect: standard input is passed on without it");
    verb.flag("-n,--no-stdin", no_stdin,
              "leave standard input alone: the command's is /dev/null, as with `ssh -n`");
  }

  bool any() const { return !env.empty() || !cwd.empty() || !escape.empty() || tty || no_stdin; }

  /// `argv` may be empty: a login shell.
  expected<messages::exec_request> check(std::vector<std::string> argv,
                                         const surroundings& around) const {
    messages::exec_request request;
    request.argv = std::move(argv);
    request.tty = tty || request.argv.empty();
    request.has_stdin = !no_stdin;
    if (no_stdin && request.tty)
      return fail(errc::bad_request, "--no-stdin: a terminal session needs standard input", {},
                  request.argv.empty() ? "add a command after --" : "leave -t or -n away");
    if (no_stdin && interactive)
      return fail(errc::bad_request, "--no-stdin and --interactive contradict each other");
    for (const auto& word : env) {
      auto value = env_value(word, around);
      if (!value)
        return tl::unexpected(value.error());
      request.env.push_back(std::move(*value));
    }
    if (!cwd.empty()) {
      auto folder = cwd_value(cwd);
      if (!folder)
        return tl::unexpected(folder.error());
      request.cwd = std::move(*folder);
    }
    if (request.tty)
      for (auto& line : terminal_env(request.env, around))
        request.env.push_back(std::move(line));
    if (auto ok = check_command(request.argv); !ok)
      return tl::unexpected(ok.error());
    if (tty && !around.typed_input)
      return fail(errc::bad_request, "--tty: standard input is not a terminal",
                  "the command's terminal is the one that we have here", "leave -t away");
    return request;
  }

  /// The same, and the escape, into the options of a verb.
  expected<void> put(std::vector<std::string> argv, const surroundings& around,
                     messages::exec_request& request, std::optional<char>& key) const {
    auto checked = check(std::move(argv), around);
    if (!checked)
      return tl::unexpected(checked.error());
    const auto chosen = escape_value(escape.empty() ? std::string(1, default_escape) : escape);
    if (!chosen)
      return tl::unexpected(chosen.error());
    request = std::move(*checked);
    key = *chosen;
    return {};
  }
};

expected<void> check_shell_place(const surroundings& around, const char* otherwise) {
  if (around.typed_input && around.seen_output)
    return {};
  return refuse("a command is required",
                "a shell needs a terminal on standard input and output, and there is none",
                std::string("add it after --, as in `banger vm ") + otherwise + "`");
}

expected<void> check_run(const split_words& split, const command_words& what, bool detach,
                         bool remove, const surroundings& around) {
  if (split.has_command && split.command.empty())
    return refuse("a command is required", "nothing follows --",
                  "add it, as in `banger vm run --rm -- uname -a`");
  if (!detach)
    return split.has_command ? expected<void>{} : check_shell_place(around, "run --rm -- uname -a");
  if (remove)
    return refuse("--detach and --rm exclude each other",
                  "--rm deletes the VM when its command has ended, and there is none to wait for",
                  "leave one of them away; `banger vm delete` removes the VM later");
  if (split.has_command)
    return refuse("--detach takes no command", "nobody would be there for its output",
                  "run it afterwards, with `banger vm exec VM -- COMMAND`");
  if (what.any())
    return refuse("--detach excludes --tty, --no-stdin, --env, --cwd and --escape",
                  "they belong to a command, and there is none",
                  "give them to `banger vm exec` or `banger vm shell` afterwards");
  return {};
}

// Not a command, but what it could be run on.
bool is_path(const std::string& word) {
  return word.starts_with('.') || word.find('/') != std::string::npos;
}

expected<void> no_workspaces(const std::string& path) {
  return refuse("cannot take the folder '" + path + "' along", "workspaces are not there yet",
                "put a command after --, or send files through stdin: "
                "`tar c . | banger vm run --rm -- sh -c 'tar x && ls'`");
}

// The same words, with `--` where the command begins.
std::string corrected(const std::string& verb, std::vector<std::string> words, std::size_t at) {
  words.insert(words.begin() + static_cast<std::ptrdiff_t>(at), "--");
  return "`banger " + verb + " " + shell_line(words) + "`";
}

// A word that is none of the verb's `places`, in front of any --: it begins the command, and the
// flags that follow it are the command's.
expected<void> check_dashes(const page& verb, const std::string& name, std::size_t places,
                            const split_words& split) {
  const auto at = word_at(places, split.flags, verb.facts().flags);
  if (!at || std::any_of(split.flags.begin(),
                         split.flags.begin() + static_cast<std::ptrdiff_t>(*at), asks_help))
    return {};
  const auto& word = split.flags[*at];
  if (places == 0 && is_path(word) && (split.has_command || *at + 1 == split.flags.size()))
    return no_workspaces(word);
  const auto where = places == 0 ? "" : " after the VM";
  if (split.has_command)
    return refuse("unexpected word '" + word + "'" + where, "the command comes after --",
                  "leave it away, or move it behind --");
  return refuse("unexpected word '" + word + "'" + where, "the command comes after --",
                "write " + corrected(name, split.flags, *at));
}

expected<void> check_exec(const split_words& split, const std::string& ref) {
  if (split.command.empty())
    return refuse("a command is required", "`banger vm shell " + ref + "` opens a shell",
                  "add it after --, as in `banger vm exec " + ref + " -- uname -a`");
  return {};
}

} // namespace

expected<command> parse_run(const std::vector<std::string>& words, const surroundings& around) {
  const auto split = split_command(words);
  page verb("vm run", "[FLAGS] [-- COMMAND [ARGS...]]",
            "Make a VM, boot it, run a command in it, or a shell, and hand back its exit status.",
            help::run_examples);
  sizing_words sizing;
  command_words what;
  run_options run;
  bool remove = false;
  std::string wait;
  verb.flag("--rm", remove, "delete the VM when the command has ended, whatever its status");
  verb.flag("-d,--detach", run.detach, "run nothing; print the name of the VM, and leave it");
  what.offer_terminal(verb);
  sizing.offer(verb, around);
  verb.choice("--wait", wait, {"agent", "boot"},
              "until commands can run (agent, the default), or the image's init is done (at most "
              "boot_wait of config.toml, 5m)");
  what.offer(verb);
  verb.flag("--timing", run.timing, "print what each stage of the start took");
  verb.flag("-q,--quiet", run.quiet, "no progress, no reminder");
  if (auto ok = check_dashes(verb, "vm run", 0, split); !ok)
    return tl::unexpected(ok.error());
  return read(verb, split.flags, [&]() -> expected<command> {
    auto request = sizing.check(around);
    if (!request)
      return tl::unexpected(request.error());
    if (auto ok = check_run(split, what, run.detach, remove, around); !ok)
      return tl::unexpected(ok.error());
    if (auto ok = what.put(split.command, around, run.command, run.escape); !ok)
      return tl::unexpected(ok.error());
    run.request = std::move(*request);
    run.request.ephemeral = remove;
    run.request.until_booted = wait == "boot";
    return run;
  });
}

expected<command> parse_exec(const std::vector<std::string>& words, const surroundings& around) {
  const auto split = split_command(words);
  page verb("vm exec", "VM [FLAGS] -- COMMAND [ARGS...]", "Run a command in a running VM.",
            help::exec_examples);
  command_words what;
  std::string ref;
  verb.text("VM", ref, "name, id, or the beginning of either")->required();
  what.offer_terminal(verb);
  what.offer(verb);
  if (auto ok = check_dashes(verb, "vm exec", 1, split); !ok)
    return tl::unexpected(ok.error());
  return read(verb, split.flags, [&]() -> expected<command> {
    if (auto ok = check_exec(split, ref); !ok)
      return tl::unexpected(ok.error());
    exec_options options;
    if (auto ok = what.put(split.command, around, options.request, options.escape); !ok)
      return tl::unexpected(ok.error());
    options.request.ref = ref;
    options.quiet = true;
    return options;
  });
}

expected<command> parse_shell(const std::vector<std::string>& words, const surroundings& around) {
  const auto split = split_command(words);
  page verb("vm shell", "VM [FLAGS]", "Open root's login shell in a running VM.",
            help::shell_examples);
  command_words what;
  exec_options options;
  std::string ref;
  verb.text("VM", ref, "name, id, or the beginning of either")->required();
  what.offer(verb);
  verb.flag("-q,--quiet", options.quiet, "no reminder that the VM is still running");
  if (const auto at = word_at(1, split.flags, verb.facts().flags); at && !split.has_command)
    return fail(errc::bad_request, "a shell takes no command", "",
                "write " + corrected("vm exec -t", split.flags, *at));
  return read(verb, split.flags, [&]() -> expected<command> {
    if (split.has_command)
      return fail(errc::bad_request, "a shell takes no command", "",
                  "write `banger vm exec -t " + ref + " -- COMMAND`");
    if (auto ok = check_shell_place(around, ("exec " + ref + " -- uname -a").c_str()); !ok)
      return tl::unexpected(ok.error());
    if (auto ok = what.put({}, around, options.request, options.escape); !ok)
      return tl::unexpected(ok.error());
    options.request.ref = ref;
    return options;
  });
}

} // namespace banger::cli
