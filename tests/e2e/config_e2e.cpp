// What config.toml says holds; what it says wrongly stops a VM from being made, and nothing else.
// What a shell is offered while somebody types.
#include "tests/support/catch.hpp"
#include "tests/support/home.hpp"

#include <csignal>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

using namespace banger::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

fs::path config_file(const home& h) {
  return fs::path(h.env.at("XDG_CONFIG_HOME")) / "banger/config.toml";
}

void write_config(const home& h, const std::string& text) {
  fs::create_directories(config_file(h).parent_path());
  std::ofstream(config_file(h), std::ios::trunc) << text;
  ::chmod(config_file(h).c_str(), 0644);
}

std::string read_all(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

bool installed(const std::string& program) {
  for (const auto* folder : {"/usr/bin/", "/bin/", "/usr/local/bin/"})
    if (::access((folder + program).c_str(), X_OK) == 0)
      return true;
  return false;
}

// A shell with our program in its PATH.
std::string in_shell(const home& h, const words& argv) {
  program p{argv, h.env, input::empty, -1};
  p.env["PATH"] = bin("banger").parent_path().string() + ":/usr/bin:/bin";
  const auto r = run(p, {}, short_time);
  INFO(r.err);
  CHECK(r.status == 0);
  CHECK(r.err.empty());
  return r.out;
}

// The words after `banger` up to the cursor, as Bash takes them apart; what Bash would offer.
std::string in_bash(const home& h, const std::string& typed) {
  return in_shell(h, {"bash", "--norc", "-c",
                      "source <(banger completion bash); COMP_WORDS=(banger " + typed +
                          "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _banger; "
                          "printf '%s\\n' \"${COMPREPLY[@]}\""});
}

// `_describe` is what shows the list; here it prints it.
std::string in_zsh(const home& h, const std::string& typed) {
  return in_shell(h, {"zsh", "-f", "-c",
                      "compdef() {}; source <(banger completion zsh); "
                      "_describe() { print -l -- ${(P)2} }; words=(banger " +
                          typed + "); CURRENT=$#words; _banger"});
}

std::string in_fish(const home& h, const std::string& typed) {
  return in_shell(h, {"fish", "--no-config", "-c",
                      "banger completion fish | source; complete -C 'banger " + typed + "'"});
}

void check_bash(const home& h) {
  CHECK(in_bash(h, "vm st") == "start\nstop\nstats\n");
  CHECK(in_bash(h, "vm stop ''") == "otter\n");
  CHECK(in_bash(h, "vm start ''") == "\n");
  CHECK(in_bash(h, "vm exec ott") == "otter\n");
  CHECK(in_bash(h, "vm exec otter -- ''") == "\n");
  CHECK(in_bash(h, "vm run --image '=' ti") == "tiny\n");
  CHECK(in_bash(h, "vm run --image ti") == "tiny\n");
}

void check_others(const home& h) {
  if (installed("zsh")) {
    CHECK_THAT(in_zsh(h, "vm st"), Contains("start:boot a stopped VM\n") && Contains("stop:"));
    CHECK(in_zsh(h, "vm stop ''") == "otter:running, tiny\n");
  }
  if (installed("fish")) {
    CHECK_THAT(in_fish(h, "vm st"), Contains("start\tboot a stopped VM\n") && Contains("stop\t"));
    CHECK(in_fish(h, "vm stop ") == "otter\trunning, tiny\n");
  }
}

// A daemon that does not answer is not waited for; one that is gone is not started.
void check_silence(home& h) {
  const words asks = {"__complete", "vm", "stop", ""};
  const auto daemon = h.daemon_pid();
  REQUIRE(::kill(daemon, SIGSTOP) == 0);
  const auto slow = h.banger(asks, {}, milliseconds(3000));
  CHECK(::kill(daemon, SIGCONT) == 0);
  CHECK(slow.status == 0);
  CHECK(slow.out == "names\n");
  CHECK(slow.err.empty());
  h.good({"daemon", "stop"});
  const auto gone = h.banger(asks);
  CHECK(gone.status == 0);
  CHECK(gone.out == "names\n");
  CHECK(gone.err.empty());
  CHECK_FALSE(h.status());
}

} // namespace

TEST_CASE("a damaged file lets no daemon start and no VM be made, and says where it is", "[none]") {
  home h;
  write_config(h, "\n  idle_exit = 900\n");
  const auto place = config_file(h).string() + ":2:15: idle_exit";
  auto r = h.banger({"vm", "list"});
  CHECK(r.status == 1);
  CHECK_THAT(r.err, Catch::StartsWith("banger: " + place));
  r = h.banger({"vm", "run", "--image", "tiny", "--rm", "--", "true"});
  CHECK(r.status == 125);
  CHECK_THAT(r.err, Contains(place));
  CHECK_FALSE(h.status());
  CHECK(h.banger({"vm", "--help"}).status == 0);
  CHECK(h.banger({"vm", "create", "--help"}).status == 0);
  CHECK(h.banger({"config", "show"}).status == 1);
}

TEST_CASE("a daemon that is started by hand refuses a damaged file, too", "[none]") {
  home h;
  write_config(h, "frobnicate = 1\n");
  const auto r = run({{bin("bangerd").string()}, h.env, input::empty, -1}, {}, short_time);
  CHECK(r.status == 1);
  CHECK_THAT(r.err, Contains(config_file(h).string() + ":1:1: unknown key 'frobnicate'"));
}

TEST_CASE("a file that is damaged later keeps nobody from what runs", "[none]") {
  home h;
  write_config(h, "log_level = \"error\"\n");
  h.good({"vm", "list"});
  REQUIRE(h.status());
  CHECK(h.status()->at("config_file") == config_file(h).string());
  CHECK_FALSE(h.status()->at("config_is_stale").get<bool>());
  CHECK_THAT(read_all(h.state() / "bangerd.log"), !Contains("\"started\""));
  write_config(h, "log_level = 7\n");
  h.good({"vm", "list"});
  CHECK(h.status()->at("config_is_stale").get<bool>());
  CHECK_THAT(h.good({"daemon", "status"}), Contains("changed since the daemon started"));
  h.good({"daemon", "stop"});
}

TEST_CASE("the file's idle exit holds, and the variable wins over it", "[none]") {
  home h;
  write_config(h, "idle_exit = \"1h\"\n");
  h.good({"vm", "list"});
  CHECK(h.status()->at("idle_exit_ms") == 3'600'000);
  h.good({"daemon", "stop"});
  h.env["BANGER_IDLE_EXIT"] = "77";
  h.good({"vm", "list"});
  CHECK(h.status()->at("idle_exit_ms") == 77'000);
}

TEST_CASE("the flag --config names a file for the daemon that it starts as well", "[none]") {
  home h;
  const auto other = h.top() / "other.toml";
  std::ofstream(other) << "idle_exit = \"2h\"\n";
  h.good({"--config", other.string(), "vm", "list"});
  CHECK(h.status()->at("idle_exit_ms") == 7'200'000);
  CHECK(h.status()->at("config_file") == other.string());
  CHECK(h.read({"--config", other.string(), "config", "show", "--json"})
            .at("values")
            .at("idle_exit")
            .at("value") == "2h");
}

TEST_CASE("a file's sizes, name server and key reach a VM, and shells complete its name",
          "[both][vm]") {
  home h;
  const auto key = h.top() / "key";
  REQUIRE(run({{"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "mine", "-f", key.string()},
               h.env,
               input::empty,
               -1},
              {}, short_time)
              .status == 0);
  write_config(h, "ssh_key_path = \"" + key.string() +
                      "\"\ndefault_dns = \"192.0.2.53\"\n[vm_defaults]\nmemory_mib = 200\n"
                      "disk_size = \"64M\"\nvcpu = 1\n");
  // `script` gives it a terminal, so that it says what it decided.
  program create{{"script", "-qec",
                  bin("banger").string() + " vm create --image tiny --nat --name otter",
                  "/dev/null"},
                 h.env,
                 input::empty,
                 -1};
  const auto made = run(create, {}, boot_time);
  INFO(made.out << made.err);
  REQUIRE(made.status == 0);
  CHECK_THAT(made.out, Contains("spec: 1 vcpu | 200 MiB | 64M disk | tiny"));
  CHECK(h.show("otter").at("memory_mib") == 200);
  CHECK(h.good({"vm", "exec", "otter", "--", "cat", "/etc/resolv.conf"}) ==
        "nameserver 192.0.2.53\n");
  CHECK(h.good({"vm", "exec", "otter", "--", "cat", "/root/.ssh/authorized_keys"}) ==
        read_all(key.string() + ".pub"));
  check_bash(h);
  check_others(h);
  check_silence(h);
  h.good({"vm", "delete", "otter"});
}

TEST_CASE("zsh and fish are here to test their completion with", "[none]") {
  for (const auto* shell : {"zsh", "fish"})
    if (!installed(shell))
      return skip(std::string(shell) + " is not installed: its completion is not tested");
  SUCCEED();
}
