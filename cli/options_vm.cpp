#include "cli/help.hpp"
#include "cli/page.hpp"

namespace banger::cli {

namespace {

// The words behind the flags that `run` and `create` share.
struct sizing_words {
  std::string name, image = default_image, vcpu, memory, disk;
  bool nat = false;

  void offer(page& verb, const host_limits& host) {
    const auto otherwise = [](std::string text) { return " (default " + std::move(text) + ")"; };
    verb.text("--name", name, "name of the VM; made up if left out")->type_name("NAME");
    verb.text("--image", image, "image to boot" + otherwise(default_image))->type_name("IMAGE");
    verb.text("--vcpu", vcpu, "virtual CPUs" + otherwise(std::to_string(default_vcpu(host))))
        ->type_name("N");
    verb.text("--memory", memory,
              "MiB, or a size such as 2G" +
                  otherwise(std::to_string(default_memory_mib(host, default_image)) + ", or " +
                            std::to_string(default_memory_mib(host, "")) +
                            " for images other than tiny"))
        ->type_name("SIZE");
    verb.text("--disk-size", disk,
              "size of the work disk on /root" + otherwise(format_size(default_disk_bytes)))
        ->type_name("SIZE");
    verb.flag("--nat", nat, "let the VM reach the network outside");
  }

  expected<messages::create_request> check(const host_limits& host) const {
    messages::create_request request{
        name, image, default_vcpu(host), default_memory_mib(host, image), default_disk_bytes,
        nat,  false};
    if (auto ok = name.empty() ? expected<void>{} : vm_name_grammar::check(name); !ok)
      return named("--name", ok.error());
    if (auto ok = image_name_grammar::check(image); !ok)
      return named("--image", ok.error());
    if (auto ok = put(request.vcpu, vcpu, [&] { return vcpu_value(vcpu, host); }); !ok)
      return tl::unexpected(ok.error());
    if (auto ok = put(request.memory_mib, memory, [&] { return memory_value(memory, host); }); !ok)
      return tl::unexpected(ok.error());
    if (auto ok = put(request.disk_bytes, disk, [&] { return disk_value(disk); }); !ok)
      return tl::unexpected(ok.error());
    return request;
  }

private:
  static tl::unexpected<failure> named(const char* flag, failure f) {
    f.what = std::string(flag) + ": " + f.what;
    return tl::unexpected(std::move(f));
  }

  template <class T, class Value>
  static expected<void> put(T& field, const std::string& word, Value value) {
    if (word.empty())
      return {};
    auto read = value();
    if (!read)
      return tl::unexpected(read.error());
    field = *read;
    return {};
  }
};

// --env and --cwd of a command, and the words behind `--`.
struct command_words {
  std::vector<std::string> env;
  std::string cwd;

  void offer(page& verb) {
    verb.list("--env", env, "NAME=value, or NAME for the value it has here; may be repeated")
        ->type_name("VAR")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    verb.text("--cwd", cwd, "folder in the VM to run in (default /root)")->type_name("DIR");
  }

  expected<messages::exec_request> check(const split_words& split, const char* verb,
                                         const surroundings& around) const {
    if (!split.has_command || split.command.empty())
      return fail(errc::bad_request, "a command is required",
                  "this version opens no shell in the VM by itself",
                  "add it after --, as in `banger vm " + std::string(verb) + " -- uname -a`");
    messages::exec_request request;
    request.argv = split.command;
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
    if (auto ok = check_command(request.argv, request.env); !ok)
      return tl::unexpected(ok.error());
    return request;
  }
};

expected<command> parse_run(const std::vector<std::string>& words, const surroundings& around) {
  const auto split = split_command(words);
  page verb("vm run", "[FLAGS] -- COMMAND [ARGS...]",
            "Make a VM, boot it, run a command in it, and hand back its output and exit status.",
            help::run_examples);
  sizing_words sizing;
  command_words what;
  run_options run;
  bool remove = false;
  std::vector<std::string> paths;
  verb.flag("--rm", remove, "delete the VM when the command has ended, whatever its status");
  sizing.offer(verb, around.host);
  what.offer(verb);
  verb.flag("--timing", run.timing, "print what each stage of the start took");
  verb.flag("-q,--quiet", run.quiet, "no progress, no reminder");
  verb.list("path", paths, "")->group("");
  return read(verb, split.flags, [&]() -> expected<command> {
    if (!paths.empty())
      return fail(errc::bad_request, "cannot take the folder '" + paths.front() + "' along",
                  "workspaces are not there yet",
                  "put a command after --, or send files through stdin: "
                  "`tar c . | banger vm run --rm -- sh -c 'tar x && ls'`");
    auto request = sizing.check(around.host);
    if (!request)
      return tl::unexpected(request.error());
    auto exec = what.check(split, "run --rm", around);
    if (!exec)
      return tl::unexpected(exec.error());
    run.request = std::move(*request);
    run.request.ephemeral = remove;
    run.command = std::move(*exec);
    return run;
  });
}

expected<command> parse_create(const std::vector<std::string>& words, const surroundings& around) {
  page verb("vm create", "[FLAGS]", "Make a VM, boot it, and print its name.",
            help::create_examples);
  sizing_words sizing;
  create_options create;
  sizing.offer(verb, around.host);
  verb.flag("--timing", create.timing, "print what each stage of the start took");
  verb.flag("-q,--quiet", create.quiet, "no progress");
  verb.flag("--json", create.json, "print the VM as JSON instead of its name");
  return read(verb, words, [&]() -> expected<command> {
    auto request = sizing.check(around.host);
    if (!request)
      return tl::unexpected(request.error());
    create.request = std::move(*request);
    return create;
  });
}

expected<command> parse_exec(const std::vector<std::string>& words, const surroundings& around) {
  const auto split = split_command(words);
  page verb("vm exec", "VM [FLAGS] -- COMMAND [ARGS...]", "Run a command in a running VM.",
            help::exec_examples);
  command_words what;
  std::string ref;
  std::vector<std::string> more;
  verb.text("VM", ref, "name, id, or the beginning of either")->required();
  verb.list("more", more, "")->group("");
  what.offer(verb);
  return read(verb, split.flags, [&]() -> expected<command> {
    if (!more.empty())
      return fail(errc::bad_request, "unexpected word '" + more.front() + "' after the VM",
                  "the command comes after --",
                  "write `banger vm exec " + ref + " -- " + more.front() + "`");
    auto exec = what.check(split, "exec VM", around);
    if (!exec)
      return tl::unexpected(exec.error());
    exec_options options{std::move(*exec)};
    options.request.ref = ref;
    return options;
  });
}

expected<command> parse_verb(const std::string& name, const char* about,
                             const std::vector<std::string>& words) {
  page verb("vm " + name, "VM... [FLAGS]", about, help::refs_examples);
  verb_options options;
  options.verb = name;
  verb.list("VM", options.refs, "name, id, or the beginning of either")->required();
  if (name == "start")
    verb.flag("--timing", options.timing, "print what each stage of the start took");
  verb.flag("-q,--quiet", options.quiet, "no progress");
  return read(verb, words, [&]() -> expected<command> { return options; });
}

expected<command> parse_list(const std::vector<std::string>& words) {
  page verb("vm list", "[--json]", "All VMs, the oldest first.", "");
  list_options options;
  verb.flag("--json", options.json, "as a JSON array");
  return read(verb, words, [&]() -> expected<command> { return options; });
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

} // namespace

expected<command> parse_vm(const std::vector<std::string>& words, const surroundings& around) {
  if (words.empty() || asks_help(words.front()))
    return help_page{std::string(help::vm)};
  const auto& verb = words.front();
  const std::vector<std::string> rest(words.begin() + 1, words.end());
  if (verb == "run")
    return parse_run(rest, around);
  if (verb == "create")
    return parse_create(rest, around);
  if (verb == "exec")
    return parse_exec(rest, around);
  if (verb == "start")
    return parse_verb("start", "Boot stopped VMs.", rest);
  if (verb == "stop")
    return parse_verb("stop", "Shut running VMs down in order. Their disks stay.", rest);
  if (verb == "delete" || verb == "rm")
    return parse_verb("delete", "Stop VMs and remove their disks, for good.", rest);
  if (verb == "list" || verb == "ls")
    return parse_list(rest);
  if (verb == "show")
    return parse_show(rest);
  if (verb == "logs")
    return parse_logs(rest);
  return unknown_command(verb, "banger vm");
}

} // namespace banger::cli
