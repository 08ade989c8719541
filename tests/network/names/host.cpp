#include "host.hpp"

#include "tests/support/catch.hpp"
#include "upstream.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iostream>
#include <net/if.h>
#include <sched.h>
#include <sstream>
#include <sys/mount.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

namespace banger::test {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

const fs::path fetched = BANGER_RESOLVED;
const fs::path fetched_libraries = fetched / "usr/lib/x86_64-linux-gnu";

fs::path resolved_program() {
  for (const auto& place : {fetched / "lib/systemd", fs::path("/lib/systemd")})
    if (fs::exists(place / "systemd-resolved"))
      return place / "systemd-resolved";
  return {};
}

std::map<std::string, std::string> environment() {
  return {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"},
          {"LD_LIBRARY_PATH",
           (fetched_libraries / "systemd").string() + ":" + fetched_libraries.string()}};
}

outcome call(std::vector<std::string> argv) {
  return run({.argv = std::move(argv), .env = environment()}, "", 20s);
}

bool in_path(const std::string& name) {
  for (const auto* const folder : {"/usr/sbin", "/usr/bin", "/sbin", "/bin"})
    if (fs::exists(fs::path(folder) / name))
      return true;
  return false;
}

void ip(const std::string& words) {
  std::istringstream in(words);
  std::vector<std::string> argv{"ip"};
  for (std::string word; in >> word;)
    argv.push_back(word);
  const auto done = call(argv);
  INFO("ip " << words << ": " << done.err);
  REQUIRE(done.status == 0);
}

void must(int result, const char* what) {
  INFO(what << ": " << std::strerror(errno));
  REQUIRE(result == 0);
}

/// A connection to the host's bus, for one question.
class question {
public:
  question() {
    sd_bus_new(&bus_);
    sd_bus_set_address(bus_, host::bus);
    sd_bus_set_bus_client(bus_, 1);
    open_ = sd_bus_start(bus_) >= 0;
  }
  ~question() {
    sd_bus_message_unref(reply_);
    sd_bus_close_unref(bus_);
  }
  question(const question&) = delete;
  question& operator=(const question&) = delete;

  /// The answer; null if there is none.
  template <class T>
  sd_bus_message* ask(const char* service, const char* object, const char* interface,
                      const char* method, const char* type, T value) {
    if (open_)
      sd_bus_call_method(bus_, service, object, interface, method, nullptr, &reply_, type, value);
    return reply_;
  }
  std::uint64_t number(const char* service, const char* object, const char* interface,
                       const char* property) {
    std::uint64_t value = 0;
    sd_bus_get_property_trivial(bus_, service, object, interface, property, nullptr, 't', &value);
    return value;
  }

private:
  sd_bus* bus_ = nullptr;
  sd_bus_message* reply_ = nullptr;
  bool open_ = false;
};

constexpr auto resolve1 = "org.freedesktop.resolve1";

bool resolver_is_there() {
  question q;
  int owned = 0;
  if (auto* const reply = q.ask("org.freedesktop.DBus", "/org/freedesktop/DBus",
                                "org.freedesktop.DBus", "NameHasOwner", "s", resolve1))
    sd_bus_message_read(reply, "b", &owned);
  return owned != 0;
}

// What the resolver asks by way of this link.
constexpr std::uint64_t dns_scope = 1;
std::uint64_t scopes_of(int link) {
  question q;
  const char* path = nullptr;
  auto* const reply = q.ask(resolve1, "/org/freedesktop/resolve1",
                            "org.freedesktop.resolve1.Manager", "GetLink", "i", link);
  if (reply == nullptr || sd_bus_message_read(reply, "o", &path) < 0)
    return 0;
  return q.number(resolve1, path, "org.freedesktop.resolve1.Link", "ScopesMask");
}

constexpr auto bus_config = R"(<busconfig>
<listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/>
<allow send_destination="*"/><allow receive_type="method_call"/><allow receive_type="method_return"/>
<allow receive_type="error"/><allow receive_type="signal"/></policy>
</busconfig>
)";

} // namespace

bool skipped(const std::string& why) {
  if (!why.empty())
    std::cout << "SKIPPED: " << why << std::endl;
  return !why.empty();
}

std::string host::impossible() {
  if (::geteuid() != 0)
    return "network and mount namespaces need root";
  return in_path("ip") ? "" : "`ip` (iproute2) is not installed";
}

std::string host::no_resolved() {
  if (auto why = impossible(); !why.empty())
    return why;
  if (!in_path("dbus-daemon"))
    return "dbus-daemon is not installed";
  return resolved_program().empty() ? "systemd-resolved is neither fetched nor installed" : "";
}

bool host::has_nss_resolve() {
  return fs::exists(fetched_libraries / "libnss_resolve.so.2") ||
         fs::exists("/usr/lib/x86_64-linux-gnu/libnss_resolve.so.2");
}

host::host()
    : network_before_(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)),
      mounts_before_(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC)),
      folder_before_(fs::current_path()) {
  must(::unshare(CLONE_NEWNET | CLONE_NEWNS), "unshare");
  must(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "private mounts");
  std::ifstream cache_file("/etc/ld.so.cache", std::ios::binary);
  const std::string cache((std::istreambuf_iterator<char>(cache_file)), {});
  for (const auto* const folder : {"/run", "/etc"})
    must(::mount("tmpfs", folder, "tmpfs", 0, "mode=755"), folder);
  write("/etc/ld.so.cache", cache);
  write("/etc/passwd", "root:x:0:0::/root:/bin/sh\nsystemd-resolve:x:991:991::/:/usr/sbin/nologin\n"
                       "nobody:x:65534:65534::/:/usr/sbin/nologin\n");
  write("/etc/group", "root:x:0:\nsystemd-resolve:x:991:\nnogroup:x:65534:\n");
  write("/etc/hosts", "127.0.0.1 localhost\n192.0.2.99 old-friend\n");
  write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n");
  write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
  ip("link set lo up");
  // As the host's way out: without one, systemd-resolved asks nobody.
  ip("link add uplink type veth peer name world");
  ip("addr add 192.0.2.1/24 dev uplink");
  ip("link set uplink up");
  ip("link set world up");
  ip("link add br-fc type bridge");
  ip("addr add 10.88.0.1/24 dev br-fc");
  ip("link set br-fc up");
}

host::~host() {
  resolved_.reset();
  bus_.reset();
  ::setns(mounts_before_.get(), CLONE_NEWNS);
  ::setns(network_before_.get(), CLONE_NEWNET);
  std::error_code ignored;
  fs::current_path(folder_before_, ignored);
}

int host::bridge() const { return static_cast<int>(::if_nametoindex("br-fc")); }

void host::plug_in_guest() {
  ip("link add tap-fc-1 type veth peer name guest");
  ip("link set tap-fc-1 master br-fc");
  ip("link set tap-fc-1 up");
  ip("link set guest up");
}

// A bridge's carrier comes up to a second after its first port, and the resolver hears of it later.
void host::await_route() {
  const auto asked = [&] { return (scopes_of(bridge()) & dns_scope) != 0; };
  REQUIRE(resolved_->until(asked, 5s));
}

void host::pull_out_guest() { ip("link delete tap-fc-1"); }

void host::write(const std::string& file, const std::string& text) {
  fs::create_directories(fs::path(file).parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

void host::start_bus() {
  write("/run/dbus/bus.conf", bus_config);
  bus_ = std::make_unique<child>(program{.argv = {"dbus-daemon", "--config-file=/run/dbus/bus.conf",
                                                  "--nofork", "--nopidfile", "--print-address"},
                                         .env = environment()});
  const bool up = bus_->until([&] { return bus_->out().find('\n') != std::string::npos; }, 10s);
  INFO(bus_->err());
  REQUIRE(up);
}

void host::start_resolved(const std::string& settings) {
  write("/etc/systemd/resolved.conf",
        std::string("[Resolve]\nDNS=") + upstream::address + "\nFallbackDNS=\n" + settings);
  fs::create_directories("/run/systemd");
  auto env = environment();
  env["SYSTEMD_LOG_TARGET"] = "console";
  resolved_ = std::make_unique<child>(program{.argv = {resolved_program()}, .env = env});
  const bool up = resolved_->until(resolver_is_there, 10s);
  INFO(resolved_->err());
  REQUIRE(up);
}

std::string host::getent(const std::string& database, const std::string& name) const {
  const auto found = call({"getent", database, name});
  return found.out.substr(0, found.out.find_first_of(" \t\n"));
}

} // namespace banger::test
