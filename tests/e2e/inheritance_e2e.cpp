// What the daemon and its VMs have of the shell that started it: nothing. And folders whose names
// mean something to a library or to a program.
#include "tests/support/catch.hpp"
#include "tests/support/home.hpp"
#include "tests/support/procfs.hpp"

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

using namespace banger::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

// A working folder that is gone, a umask that closes everything, low limits, deaf signals, a locale
// whose lower case of I is none, and what makes programs fail.
constexpr const char* hostile_shell = R"(
mkdir "$1" && cd "$1" && rmdir "$1" && shift || exit 99
trap '' HUP INT QUIT TERM CHLD USR1 PIPE TSTP
ulimit -Sn 64; ulimit -Sc 0; ulimit -Sf 64; ulimit -Ss 256; umask 777
exec nice -n 10 env LC_ALL=tr_TR.UTF-8 LANG=bogus TMPDIR=/none PERL5OPT=-Mnone MKE2FS_CONFIG=/none \
  TAR_OPTIONS=--none POSIXLY_CORRECT=1 "$@"
)";

outcome from_hostile_shell(home& h, const words& args) {
  auto p = h.command(args);
  words all = {"sh", "-c", hostile_shell, "sh", h.top() / "gone"};
  all.insert(all.end(), p.argv.begin(), p.argv.end());
  p.argv = all;
  return run(p, {}, build_time);
}

struct limit {
  std::string soft, hard;
};

limit limit_of(pid_t pid, const std::string& name) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/limits");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(name)) {
      limit l;
      std::istringstream(line.substr(26)) >> l.soft >> l.hard;
      return l;
    }
  FAIL("no limit " << name);
  return {};
}

std::uint64_t bit(int signal) { return std::uint64_t{1} << (signal - 1); }

// Without the two that the C library keeps for itself.
std::uint64_t signals(pid_t pid, const char* which) {
  return std::stoull(status_line(pid, which).value_or("0"), nullptr, 16) & ~(bit(32) | bit(33));
}

void check_untouched(pid_t pid) {
  INFO(command_line(pid));
  for (const auto* name : {"Max open files", "Max file size"}) {
    const auto l = limit_of(pid, name);
    CHECK(l.soft == l.hard);
  }
  CHECK(limit_of(pid, "Max stack size").soft == "8388608");
  CHECK(status_line(pid, "Umask").value_or("") == "0077");
  CHECK(fs::read_symlink("/proc/" + std::to_string(pid) + "/cwd") == "/");
}

int niceness(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(in, line);
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string field;
  for (int i = 3; i <= 19; ++i)
    fields >> field;
  return std::stoi(field);
}

} // namespace

TEST_CASE("the daemon and its VMs have nothing of the shell that started it",
          "[vm][both][faults]") {
  home h;
  fs::remove_all(h.state() / "images/tiny"); // made by programs of the host
  const auto made = from_hostile_shell(h, {"vm", "create", "--image", "tiny", "--name", "a"});
  INFO(made.err);
  REQUIRE(made.status == 0);
  CHECK(h.good({"vm", "exec", "a", "--", "sh", "-c",
                "stat -c %a / /usr/bin; dd if=/dev/zero of=/root/f "
                "bs=1M count=4 2>/dev/null; wc -c < /root/f"}) == "755\n755\n4194304\n");
  const auto daemon = h.daemon_pid();
  check_untouched(daemon);
  CHECK(signals(daemon, "SigIgn") == (bit(SIGPIPE) | bit(SIGXFSZ)));
  CHECK(signals(daemon, "SigBlk") == (bit(SIGTERM) | bit(SIGINT) | bit(SIGHUP)));
  const auto vmm = h.show("a").at("pid").get<pid_t>();
  if (::geteuid() != 0) { // root's runs as another user, whose /proc may be closed
    check_untouched(vmm);
    CHECK(signals(vmm, "SigIgn") == bit(SIGPIPE)); // QEMU's own
  }
  bool told = false;
  for (const auto& entry : h.daemon_log())
    told = told || (entry.value("event", "") == "inherited" &&
                    entry.value("text", "").find("niceness stays") != std::string::npos);
  CHECK(niceness(daemon) == (told ? 10 : 0));
  for (const auto& file : {h.state(), h.state() / "vms", h.runtime()}) {
    struct stat info {};
    REQUIRE(::stat(file.c_str(), &info) == 0);
    CHECK((info.st_mode & 07777) == 0700);
  }
  h.good({"vm", "stop", "a"}); // a daemon that is deaf for CHLD, or for TERM, would hang
  h.good({"daemon", "stop"});
}

TEST_CASE("folders whose names mean something to libraries and programs are names like any other",
          "[vm][user][faults]") {
  home h;
  for (const auto* variable : {"XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR"}) {
    const fs::path plain = h.env.at(variable);
    const auto odd = plain.string() + ",b?c=d %20 #x;:'\"&";
    fs::rename(plain, odd);
    h.env[variable] = odd;
  }
  fs::remove_all(h.state() / "images/tiny");
  h.good({"vm", "create", "--image", "tiny", "--name", "a", "--disk-size", "64M"});
  h.good({"vm", "exec", "a", "--", "sh", "-c", "echo kept > /root/note"});
  CHECK(fs::exists(h.state() / "state.db"));
  h.good({"vm", "stop", "a"});
  h.good({"vm", "set", "a", "--disk-size", "96M"});
  h.kill_daemon();
  h.good({"vm", "start", "a"});
  CHECK(h.good({"vm", "exec", "a", "--", "cat", "/root/note"}) == "kept\n");
  CHECK_THAT(h.good({"vm", "logs", "a"}), !Contains("cannot"));
  h.good({"vm", "delete", "a"});
}

TEST_CASE("a Debian image is made in a folder with such a name, too", "[user][faults]") {
  const auto* wanted = std::getenv("BANGER_TEST_LONG");
  if (wanted == nullptr || std::string_view(wanted) != "1")
    return skip("only with scripts/test --long");
  home h;
  const fs::path plain = h.env.at("XDG_STATE_HOME");
  const auto odd = plain.string() + ",b?c=d %20 #x;:'\"&";
  fs::rename(plain, odd);
  h.env["XDG_STATE_HOME"] = odd;
  const auto built = from_hostile_shell(h, {"image", "build", "debian-bookworm"});
  INFO(built.err);
  CHECK(built.status == 0);
}
