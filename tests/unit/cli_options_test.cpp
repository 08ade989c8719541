#include "cli/options.hpp"
#include "cli/values.hpp"
#include "tests/support/catch.hpp"

#include <cstring>

using namespace banger;
using namespace banger::cli;

namespace {

const surroundings host{{8, 16 * GiB},
                        [](const char* name) -> const char* {
                          return std::strcmp(name, "HERE") == 0 ? "and now" : nullptr;
                        },
                        {},
                        false};

expected<command> asked(const std::vector<std::string>& words) { return parse(words, host); }

template <class T>
T understood(const std::vector<std::string>& words) {
  auto what = asked(words);
  INFO((what ? "" : describe(what.error())));
  REQUIRE(what.has_value());
  REQUIRE(std::holds_alternative<T>(*what));
  return std::get<T>(*what);
}

std::string refused(const std::vector<std::string>& words) {
  const auto what = asked(words);
  REQUIRE_FALSE(what.has_value());
  CHECK(what.error().code == errc::bad_request);
  return describe(what.error());
}

} // namespace

TEST_CASE("a run without flags gets the default image and the sizes of this host") {
  const auto run = understood<run_options>({"vm", "run", "--", "true"});
  CHECK(run.request.image == "debian-bookworm");
  CHECK(run.request.vcpu == 2);
  CHECK(run.request.memory_mib == 2048);
  CHECK(run.request.disk_bytes == 8 * GiB);
  CHECK(run.request.name.empty());
  CHECK_FALSE(run.request.nat);
  CHECK_FALSE(run.request.ephemeral);
}

TEST_CASE("a file's defaults hold where no flag is given, and are checked against this host") {
  auto around = host;
  around.config.file = "/c.toml";
  around.config.default_image_name = "debian";
  around.config.vm_defaults.vcpu = 9;
  around.config.vm_defaults.memory_mib = 700;
  const auto refused_by_file = parse({"vm", "create"}, around);
  REQUIRE_FALSE(refused_by_file);
  CHECK(describe(refused_by_file.error()) ==
        "/c.toml: vm_defaults.vcpu: invalid vCPU count 9: this host has 8 CPUs; "
        "correct it, or give --vcpu");
  const auto made = parse({"vm", "create", "--vcpu", "2"}, around);
  REQUIRE(made);
  const auto& request = std::get<create_options>(*made).request;
  CHECK(request.vcpu == 2);
  CHECK(request.memory_mib == 700);
  CHECK(request.image == "debian");
}

TEST_CASE("the flag --config stands in front and is taken away") {
  std::vector<std::string> words = {"--config", "/a/../c.toml", "vm", "list"};
  CHECK(take_config_flag(words) == "/c.toml");
  CHECK(words == std::vector<std::string>{"vm", "list"});
  words = {"--config=/c.toml", "vm"};
  CHECK(take_config_flag(words) == "/c.toml");
  CHECK(words == std::vector<std::string>{"vm"});
  words = {"vm", "run", "--config", "x"};
  CHECK(take_config_flag(words) == "");
  CHECK(words.size() == 4);
  for (std::vector<std::string> none : {std::vector<std::string>{"--config"}, {"--config="}})
    CHECK_FALSE(take_config_flag(none));
}

TEST_CASE("every flag of a run reaches the request") {
  const auto run = understood<run_options>({"vm",
                                            "run",
                                            "--rm",
                                            "--name",
                                            "otter",
                                            "--image=tiny",
                                            "--vcpu",
                                            "3",
                                            "--memory",
                                            "1G",
                                            "--disk-size=16M",
                                            "--nat",
                                            "--timing",
                                            "-q",
                                            "--env",
                                            "A=b c",
                                            "--env",
                                            "HERE",
                                            "--cwd",
                                            "/tmp",
                                            "--",
                                            "sh",
                                            "-c",
                                            "echo -- --rm"});
  CHECK(run.request.name == "otter");
  CHECK(run.request.vcpu == 3);
  CHECK(run.request.memory_mib == 1024);
  CHECK(run.request.disk_bytes == 16 * MiB);
  CHECK(run.request.nat);
  CHECK(run.request.ephemeral);
  CHECK(run.timing);
  CHECK(run.quiet);
  CHECK(run.command.argv == std::vector<std::string>{"sh", "-c", "echo -- --rm"});
  CHECK(run.command.env == std::vector<std::string>{"A=b c", "HERE=and now"});
  CHECK(run.command.cwd == "/tmp");
}

TEST_CASE("only the first -- ends the flags, the rest is the command's") {
  const auto exec = understood<exec_options>({"vm", "exec", "otter", "--", "--", "-h", "--help"});
  CHECK(exec.request.ref == "otter");
  CHECK(exec.request.argv == std::vector<std::string>{"--", "-h", "--help"});
}

TEST_CASE("memory is MiB or a size in whole MiB") {
  CHECK(memory_value("512", host.host) == 512);
  CHECK(memory_value("2GiB", host.host) == 2048);
  CHECK_FALSE(memory_value("129K", host.host));
}

TEST_CASE("a bad value names its flag and the rule") {
  const auto run = [](const char* flag, const char* value) {
    return refused({"vm", "run", flag, value, "--", "true"});
  };
  CHECK(run("--vcpu", "-1") == "--vcpu: invalid vCPU count -1: it must be positive");
  CHECK(run("--vcpu", "0") == "--vcpu: invalid vCPU count 0: it must be positive");
  CHECK(run("--vcpu", "9") == "--vcpu: invalid vCPU count 9: this host has 8 CPUs");
  CHECK(run("--vcpu", "two") == "--vcpu: invalid number 'two': it is not a whole number");
  CHECK(run("--vcpu", "99999999999999999999") ==
        "--vcpu: invalid number '99999999999999999999': too large");
  CHECK(run("--memory", "-5") == "--memory: invalid memory -5 MiB: it must be positive");
  CHECK(run("--memory", "17G") == "--memory: invalid memory 17408 MiB: this host has 16 GiB");
  CHECK_THAT(run("--disk-size", "0"), Catch::StartsWith("--disk-size: invalid size '0'"));
  CHECK_THAT(run("--disk-size", "99999T"), Catch::Contains("the largest is 16 TiB"));
  CHECK_THAT(run("--name", "Otter"), Catch::StartsWith("--name: invalid VM name"));
  CHECK_THAT(run("--image", "../x"), Catch::StartsWith("--image: invalid image name"));
  CHECK_THAT(run("--env", "NOT_HERE"), Catch::StartsWith("--env: 'NOT_HERE' is not set here"));
  CHECK_THAT(run("--env", "=x"), Catch::Contains("it has no name"));
  CHECK_THAT(run("--cwd", "tmp"), Catch::Contains("absolute path"));
}

TEST_CASE("a flag that is unknown, twice, or without a value is refused") {
  CHECK_THAT(refused({"vm", "run", "--frob", "--", "x"}),
             Catch::StartsWith("unknown flag '--frob'"));
  CHECK_THAT(refused({"vm", "run", "--cpus=4", "--", "x"}),
             Catch::StartsWith("unknown flag '--cpus=4'; did you mean --vcpu? see `"));
  CHECK_THAT(refused({"vm", "create", "--mem", "1G"}), Catch::Contains("did you mean --memory?"));
  CHECK_THAT(refused({"vm", "run", "--quite", "--", "x"}), Catch::Contains("mean --quiet?"));
  CHECK_THAT(refused({"vm", "list", "--mem"}), !Catch::Contains("did you mean --memory"));
  CHECK_THAT(refused({"vm", "run", "--vcpu", "1", "--vcpu", "2", "--", "x"}),
             Catch::StartsWith("--vcpu: it may be given only once"));
  CHECK_THAT(refused({"vm", "run", "--vcpu", "--", "x"}),
             Catch::StartsWith("--vcpu: it needs a value"));
}

TEST_CASE("a run without a command says how to give one, where no shell can be") {
  for (const bool typed : {true, false}) {
    auto around = host;
    around.typed_input = typed;
    around.seen_output = !typed;
    const auto what = parse({"vm", "run"}, around);
    REQUIRE_FALSE(what);
    CHECK_THAT(describe(what.error()), Catch::Contains("a command is required") &&
                                           Catch::Contains("banger vm run --rm -- uname -a"));
  }
  CHECK_THAT(refused({"vm", "run", "--"}), Catch::Contains("a command is required"));
  CHECK_THAT(refused({"vm", "run", "--", ""}), Catch::Contains("the command is empty"));
}

TEST_CASE("a folder for a run is refused until workspaces are there") {
  CHECK_THAT(refused({"vm", "run", "./repo", "--", "make"}),
             Catch::Contains("./repo") && Catch::Contains("workspaces are not there yet"));
}

TEST_CASE("an exec without -- shows where it goes") {
  CHECK_THAT(refused({"vm", "exec", "box", "ls"}), Catch::Contains("banger vm exec box -- ls"));
  CHECK_THAT(refused({"exec", "-t", "--env", "A=1", "box", "uname", "-a"}),
             Catch::Contains("`banger vm exec -t --env A=1 box -- uname -a`"));
  CHECK_THAT(refused({"vm", "exec", "box", "sh", "-c", "echo it's"}),
             Catch::Contains("`banger vm exec box -- sh -c 'echo it'\\''s'`"));
  CHECK_THAT(refused({"vm", "run", "--image", "tiny", "uname", "-a"}),
             Catch::Contains("`banger vm run --image tiny -- uname -a`"));
  CHECK_THAT(refused({"vm", "run", "--image", "tiny", "ls", "--help"}),
             Catch::Contains("`banger vm run --image tiny -- ls --help`"));
  CHECK_THAT(refused({"vm", "shell", "box", "ls"}),
             Catch::Contains("`banger vm exec -t box -- ls`"));
  CHECK_THAT(refused({"vm", "exec", "box", "ls", "--", "x"}), Catch::Contains("move it behind --"));
}

TEST_CASE("a name without --name is shown where it goes") {
  CHECK_THAT(refused({"vm", "create", "--image", "tiny", "box2"}),
             Catch::Contains("`banger vm create --image tiny --name box2`"));
  understood<help_page>({"vm", "create", "box2", "--help"});
}

TEST_CASE("standard input is left alone where that is asked for") {
  CHECK(understood<exec_options>({"vm", "exec", "box", "--", "x"}).request.has_stdin);
  CHECK_FALSE(understood<exec_options>({"exec", "box", "-n", "--", "x"}).request.has_stdin);
  CHECK_FALSE(understood<run_options>({"run", "--no-stdin", "--", "x"}).command.has_stdin);
  CHECK_THAT(refused({"exec", "-n", "-t", "box", "--", "x"}),
             Catch::Contains("a terminal session needs standard input"));
  CHECK_THAT(refused({"exec", "-n", "-i", "box", "--", "x"}), Catch::Contains("contradict"));
  CHECK_THAT(refused({"run", "-n", "-d"}), Catch::Contains("--no-stdin"));
}

TEST_CASE("verbs that take several VMs keep their order") {
  const auto verb = understood<verb_options>({"vm", "rm", "b", "a", "-q"});
  CHECK(verb.verb == "delete");
  CHECK(verb.refs == std::vector<std::string>{"b", "a"});
  CHECK(verb.quiet);
  CHECK_THAT(refused({"vm", "stop"}), Catch::StartsWith("a VM is required"));
}

TEST_CASE("the other verbs are understood") {
  CHECK(understood<list_options>({"vm", "ls", "--json"}).json);
  CHECK(understood<list_options>({"ls", "-q"}).quiet);
  CHECK_THAT(refused({"ls", "-q", "--json"}), Catch::Contains("exclude each other"));
  CHECK(understood<show_options>({"vm", "show", "a"}).ref == "a");
  CHECK(understood<logs_options>({"vm", "logs", "-f", "a"}).follow);
  CHECK(understood<create_options>({"vm", "create", "--json"}).json);
  CHECK(understood<daemon_status_options>({"daemon", "status", "--json"}).json);
  understood<daemon_stop_options>({"daemon", "stop"});
  CHECK(understood<daemon_logs_options>({"daemon", "logs", "-f"}).follow);
  CHECK(understood<version_options>({"--version"}).line);
  CHECK(understood<version_options>({"version", "--json"}).json);
}

TEST_CASE("unknown commands point to the page of their group") {
  CHECK(refused({"frobnicate"}) ==
        "unknown command 'frobnicate' for 'banger'; see `banger --help`");
  CHECK(refused({"daemon", "x"}) ==
        "unknown command 'x' for 'banger daemon'; see `banger daemon --help`");
}

TEST_CASE("every page shows a command that can be run, or its usage") {
  for (const auto& words : std::vector<std::vector<std::string>>{
           {}, {"--help"}, {"vm"}, {"vm", "-h"}, {"daemon"}, {"help", "vm"}})
    CHECK_THAT(understood<help_page>(words).text, Catch::Contains("$ banger "));
  for (const char* verb : {"run", "create", "exec", "shell", "start", "stop", "kill", "delete",
                           "rm", "list", "ls", "show", "logs"})
    CHECK_THAT(understood<help_page>({"vm", verb, "--help"}).text,
               Catch::Contains("Usage: banger vm "));
  CHECK_THAT(understood<help_page>({"help", "vm", "run"}).text, Catch::Contains("--disk-size"));
}

TEST_CASE("help shows the sizes that this host would give") {
  const auto text = understood<help_page>({"vm", "run", "--help"}).text;
  CHECK_THAT(text, Catch::Contains("virtual CPUs (default 2: host, 8 CPUs / 4)"));
  CHECK_THAT(text, Catch::Contains("default 2048: host, 16 GiB / 8"));
  CHECK_THAT(text, Catch::Contains("default 8G: builtin"));
}

TEST_CASE("only run and exec pass the command's exit code on") {
  CHECK(passes_exit_code(*asked({"vm", "run", "--", "x"})));
  CHECK(passes_exit_code(*asked({"vm", "exec", "a", "--", "x"})));
  CHECK(passes_exit_code(*asked({"vm", "shell", "a"})));
  CHECK_FALSE(passes_exit_code(*asked({"vm", "create"})));
}
