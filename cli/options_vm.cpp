#include "cli/help.hpp"
#include "cli/page.hpp"
#include "cli/table.hpp"

#include <array>

namespace banger::cli {

namespace {

// The words behind the flags that `run` and `create` share.
struct sizing_words {
  std::string name, image, vcpu, memory, disk;
  bool nat = false;

  void offer(page& verb, const surroundings& around) {
    image = around.config.default_image_name.value_or(default_image);
    const auto size = choose_sizes(around.config.vm_defaults, around.host, around.emulated, image);
    const auto otherwise = [&](const chosen& c, const std::string& value) {
      // A manual is about any host: it has the rule only.
      return " (default " + (around.host.cpus != 0 ? value + ": " : "") + c.why + ")";
    };
    verb.text("--name", name, "name of the VM; made up if left out")->type_name("NAME");
    verb.text("--image", image,
              "image to boot (default " + image +
                  (around.config.default_image_name ? ": config.toml)" : ")"))
        ->type_name("IMAGE");
    verb.text("--vcpu", vcpu,
              "virtual CPUs" + otherwise(size.vcpu, std::to_string(size.vcpu.value)))
        ->type_name("N");
    verb.text("--memory", memory,
              "MiB, or a size such as 2G" +
                  otherwise(size.memory_mib, std::to_string(size.memory_mib.value)))
        ->type_name("SIZE");
    const auto disk_bytes = static_cast<std::uint64_t>(size.disk_bytes.value);
    verb.text("--disk-size", disk,
              "size of the work disk on /root (default " + short_size(disk_bytes) + ": " +
                  size.disk_bytes.why + ")")
        ->type_name("SIZE");
    verb.flag("--nat", nat, "let the VM reach the network outside");
  }

  expected<messages::create_request> check(const surroundings& around) const {
    const auto& host = around.host;
    const auto size = choose_sizes(around.config.vm_defaults, host, around.emulated, image);
    messages::create_request request{name,
                                     image,
                                     size.vcpu.value,
                                     size.memory_mib.value,
                                     static_cast<std::uint64_t>(size.disk_bytes.value),
                                     nat,
                                     false};
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
    if (auto ok = check_file(around); !ok)
      return tl::unexpected(ok.error());
    return request;
  }

private:
  // What the file asks for may not fit this host; only we know both.
  expected<void> check_file(const surroundings& around) const {
    const auto& file = around.config.vm_defaults;
    const auto of_file = [&](const char* key, const char* flag, const failure& f) {
      return fail(f.code, around.config.file.string() + ": " + key + ": " + f.what, f.why,
                  std::string("correct it, or give ") + flag);
    };
    if (vcpu.empty() && file.vcpu)
      if (auto ok = check_vcpu(*file.vcpu, around.host); !ok)
        return of_file("vm_defaults.vcpu", "--vcpu", ok.error());
    if (memory.empty() && file.memory_mib)
      if (auto ok = check_memory_mib(*file.memory_mib, around.host); !ok)
        return of_file("vm_defaults.memory_mib", "--memory", ok.error());
    return {};
  }

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
  sizing.offer(verb, around);
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
    auto request = sizing.check(around);
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
  sizing.offer(verb, around);
  verb.flag("--timing", create.timing, "print what each stage of the start took");
  verb.flag("-q,--quiet", create.quiet, "no progress");
  verb.flag("--json", create.json, "print the VM as JSON instead of its name");
  return read(verb, words, [&]() -> expected<command> {
    auto request = sizing.check(around);
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

using words_of = const std::vector<std::string>&;

constexpr std::array vm_list = {
    verb_entry{"run", "", "make a VM and run a command in it; without --rm the VM stays",
               parse_run},
    verb_entry{"create", "", "make and boot a VM that stays; prints its name", parse_create},
    verb_entry{"exec", "", "run a command in a running VM", parse_exec, vm_kind::running},
    verb_entry{
        "start", "", "boot a stopped VM",
        [](words_of w, const surroundings&) { return parse_verb("start", "Boot stopped VMs.", w); },
        vm_kind::stopped},
    verb_entry{"stop", "", "shut a running VM down in order; its disks stay",
               [](words_of w, const surroundings&) {
                 return parse_verb("stop", "Shut running VMs down in order. Their disks stay.", w);
               },
               vm_kind::running},
    verb_entry{"delete", "rm", "stop a VM and remove its disks, for good",
               [](words_of w, const surroundings&) {
                 return parse_verb("delete", "Stop VMs and remove their disks, for good.", w);
               }},
    verb_entry{"list", "ls", "all VMs; --json for programs",
               [](words_of w, const surroundings&) { return parse_list(w); }},
    verb_entry{"show", "", "everything about one VM; --json for programs",
               [](words_of w, const surroundings&) { return parse_show(w); }},
    verb_entry{"logs", "", "the console of a VM; -f follows",
               [](words_of w, const surroundings&) { return parse_logs(w); }},
};

} // namespace

std::span<const verb_entry> vm_verbs() { return vm_list; }

} // namespace banger::cli
