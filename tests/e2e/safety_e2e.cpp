// What keeps a guest, its VMM and other users where they belong.
#include "tests/support/catch.hpp"
#include "tests/support/home.hpp"
#include "tests/support/procfs.hpp"

#include <arpa/inet.h>
#include <cstdlib>
#include <filesystem>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace banger::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

// A listener on the loopback interface of the host; QEMU's user network shows it to guests
// as 10.0.2.2.
class listener {
public:
  listener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(fd_.get(), 8) == 0);
    REQUIRE(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = std::to_string(ntohs(address.sin_port));
  }
  const std::string& port() const { return port_; }
  /// True if somebody had connected; closes that connection.
  bool let_go() const { return bool(banger::unique_fd(::accept(fd_.get(), nullptr, nullptr))); }

private:
  banger::unique_fd fd_;
  std::string port_;
};

} // namespace

TEST_CASE("a guest reaches nothing outside without --nat, and the host's loopback with it",
          "[both][vm]") {
  home h;
  listener host;
  const auto reach = [&](bool nat) {
    words args{"vm", "run", "--image", "tiny", "--rm"};
    if (nat)
      args.emplace_back("--nat");
    for (const auto* word : {"--", "sh", "-c"})
      args.emplace_back(word);
    args.push_back("nc -w 5 10.0.2.2 " + host.port() + " < /dev/null");
    auto client = h.start(args);
    // Whoever gets through is let go at once; nc ends well then.
    client.until([&] { return host.let_go() || !client.running(); }, boot_time);
    return client.wait(boot_time);
  };
  CHECK(reach(false) == 1);
  CHECK(reach(true) == 0);
}

TEST_CASE("the VMM runs without privileges, with a seccomp filter, and never as root",
          "[both][vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  const auto shown = h.show("a");
  const auto vmm = shown.at("pid").get<pid_t>();
  CHECK(status_line(vmm, "NoNewPrivs") == "1");
  CHECK(status_line(vmm, "Seccomp") == "2");
  CHECK(status_line(vmm, "CapEff") == "0000000000000000");
  CHECK(status_line(vmm, "CapPrm") == "0000000000000000");
  CHECK(status_number(vmm, "Uid") != 0);
  if (::geteuid() != 0)
    CHECK(status_number(vmm, "Uid") == static_cast<std::int64_t>(::geteuid()));
  CHECK_FALSE(shown.at("confinement").get<std::string>().empty());
  INFO(command_line(vmm));
  CHECK(command_line(vmm).find("-sandbox") != std::string::npos);
}

TEST_CASE("files and sockets of a VM are closed to other users", "[both][vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  for (const auto& folder : {h.runtime(), h.state()}) {
    struct stat info {};
    REQUIRE(::stat(folder.c_str(), &info) == 0);
    CHECK((info.st_mode & 077) == 0);
  }
}

TEST_CASE("the VMM outlives neither its VM nor a delete", "[both][vm]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  const auto shown = h.show("a");
  h.good({"vm", "delete", "a"});
  CHECK_FALSE(alive(shown.at("pid").get<pid_t>()));
  CHECK_FALSE(fs::exists(shown.at("folder").get<std::string>()));
}

TEST_CASE("two users do not see each other's VMs, nor reach each other's daemon",
          "[root][two-vms]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "roots"});
  const auto uid = std::atoll(std::getenv("BANGER_TEST_UID"));
  const auto theirs = h.top() / "theirs";
  fs::create_directory(theirs);
  for (const auto* part : {"h", "r"}) {
    fs::create_directory(theirs / part);
    fs::permissions(theirs / part, fs::perms::owner_all);
    REQUIRE(::chown((theirs / part).c_str(), static_cast<uid_t>(uid), static_cast<gid_t>(uid)) ==
            0);
  }
  for (const auto& open : {stage(), h.top(), theirs})
    fs::permissions(open, fs::perms::others_exec | fs::perms::group_exec, fs::perm_options::add);
  auto other = h.command({"vm", "list", "--json"});
  other.uid = uid;
  other.env = {{"HOME", theirs / "h"}, {"XDG_RUNTIME_DIR", theirs / "r"}, {"PATH", h.env["PATH"]}};
  const auto seen = run(other, {}, short_time);
  INFO(seen.err);
  CHECK(seen.status == 0);
  CHECK(json::parse(seen.out).empty());
  // Even with the folders of the first one in its environment.
  auto nosy = other;
  nosy.env = h.env;
  const auto refused = run(nosy, {}, short_time);
  CHECK(refused.status != 0);
  CHECK(refused.out.empty());
  CHECK(h.list().size() == 1);
  auto stop = other;
  stop.argv = {bin("banger"), "daemon", "stop"};
  CHECK(run(stop, {}, short_time).status == 0);
}
