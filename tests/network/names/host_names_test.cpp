// Names as the host's programs ask for them: by the C library, with nsswitch.conf and resolv.conf.
#include "actors/dns/responder.hpp"
#include "host.hpp"
#include "privhelper/resolver/resolver.hpp"
#include "tests/hostile/speaker.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/procfs.hpp"
#include "upstream.hpp"

#include <algorithm>
#include <future>
#include <net/if.h>
#include <thread>

using namespace banger;
using namespace banger::test;
using namespace std::chrono_literals;

namespace {

constexpr ipv4 loopback{0x7f000001};

vm_name name(const std::string& text) { return *vm_name::parse(text); }

/// The daemon's part: a responder with one VM.
struct names {
  explicit names(std::uint16_t port) {
    auto made = dns::serve_names(loop, {.port = port});
    if (!made)
      FAIL(describe(made.error()));
    responder = std::move(*made);
    say([&](auto f) { responder->set(name("web"), {0x0a580002}, f); });
  }
  template <class F>
  void say(F f) {
    std::promise<void> done;
    f([&] { done.set_value(); });
    done.get_future().wait();
  }
  dns::responder_stats stats() {
    dns::responder_stats seen;
    std::promise<void> done;
    responder->stats([&](dns::responder_stats s) {
      seen = s;
      done.set_value();
    });
    done.get_future().wait();
    return seen;
  }

  io::reactor loop;
  std::unique_ptr<dns::responder> responder;
};

void must(const expected<void>& said) {
  if (!said)
    FAIL(describe(said.error()));
}

bool contains_vm(const std::vector<std::string>& asked) {
  return std::any_of(asked.begin(), asked.end(), [](const std::string& n) {
    return n == "vm" || (n.size() > 3 && n.compare(n.size() - 3, 3, ".vm") == 0);
  });
}

void use_stub() {
  host::write("/etc/resolv.conf", "nameserver 127.0.0.53\noptions edns0 trust-ad\n");
}

/// The host's own names: from its files, and from its name server.
void check_others(const host& h) {
  CHECK(h.getent("hosts", "old-friend") == "192.0.2.99");
  CHECK(h.getent("hosts", upstream::known) == "192.0.2.7");
  CHECK(h.getent("ahosts", upstream::known) == "192.0.2.7");
  CHECK(h.getent("hosts", "missing.example").empty());
}

void check_web(const host& h) {
  CHECK(h.getent("hosts", "web.vm") == "10.88.0.2");
  CHECK(h.getent("ahosts", "WEB.vm") == "10.88.0.2");
  CHECK(h.getent("ahosts", "api.web.vm") == "10.88.0.2");
}

} // namespace

TEST_CASE("lesson 11: systemd-resolved sends NAME.vm to us, and nothing else") {
  if (skipped(host::no_resolved()))
    return;
  host h;
  upstream before;
  names ours(42069);
  h.start_bus();
  h.start_resolved();
  h.plug_in_guest();
  use_stub();
  must(resolver::route(h.bridge(), loopback, 42069));
  h.await_route();
  check_web(h);
  check_others(h);
  CHECK(h.getent("hosts", "nobody.vm").empty());
  CHECK_FALSE(contains_vm(before.asked()));
  const auto s = ours.stats();
  CHECK(s.queries > 0);
  CHECK(s.refused == 0); // resolved asks from the loopback, and for our names only

  SECTION("a VM that comes is found after a second, also by who asked too early") {
    CHECK(h.getent("hosts", "late.vm").empty());
    ours.say([&](auto f) { ours.responder->set(name("late"), {0x0a580007}, f); });
    std::this_thread::sleep_for(1500ms);
    CHECK(h.getent("hosts", "late.vm") == "10.88.0.7");
  }
  SECTION("a VM that goes is gone after the time that addresses hold") {
    ours.say([&](auto f) { ours.responder->remove(name("web"), f); });
    std::this_thread::sleep_for(std::chrono::seconds(dns::address_ttl) + 500ms);
    CHECK(h.getent("hosts", "web.vm").empty());
  }
  SECTION("said twice it is as said once") {
    must(resolver::route(h.bridge(), loopback, 42069));
    check_web(h);
  }
  SECTION("a resolver that is started again knows it still") {
    h.stop_resolved();
    h.start_resolved();
    h.await_route();
    check_web(h);
  }
  SECTION("reverted, and reverted again, nothing of it is left") {
    must(resolver::revert(h.bridge()));
    must(resolver::revert(h.bridge()));
    const auto queries = ours.stats().queries;
    CHECK(h.getent("hosts", "db.vm").empty());
    CHECK(ours.stats().queries == queries);
    check_others(h);
  }
}

TEST_CASE("lesson 11: the root helper itself tells systemd-resolved, with the few rights it has") {
  if (skipped(host::no_resolved()))
    return;
  host h;
  upstream before;
  names ours(42069);
  h.start_bus();
  h.start_resolved();
  h.plug_in_guest();
  use_stub();
  child helper(program{
      {BANGER_HELPER, "--role", "network", "--owner-uid", "1000", "--socket-dir", "/run/banger"},
      {}});
  REQUIRE(helper.until([&] { return helper.err().find("serving") != std::string::npos; }, 10s));
  CHECK(status_line(helper.pid(), "CapEff") == "0000000000001000");
  CHECK(status_line(helper.pid(), "Seccomp") == "2");
  hostile::speaker line("/run/banger");
  must(line.give(messages::bridge_order{"", "br-fc", "10.88.0.0/24", true}));
  must(line.give(messages::resolver_order{"", "br-fc", "127.0.0.1:42069", true}));
  h.await_route();
  check_web(h);
  check_others(h);
  must(line.give(messages::resolver_order{"", "br-fc", "", false}));
  const auto queries = ours.stats().queries;
  CHECK(h.getent("hosts", "db.vm").empty());
  CHECK(ours.stats().queries == queries);
}

TEST_CASE("with the NSS module of systemd-resolved it is the same") {
  if (skipped(host::no_resolved()) ||
      skipped(host::has_nss_resolve() ? "" : "libnss-resolve is neither fetched nor installed"))
    return;
  host h;
  upstream before;
  names ours(42069);
  h.start_bus();
  h.start_resolved();
  h.plug_in_guest();
  host::write("/etc/nsswitch.conf", "hosts: files resolve [!UNAVAIL=return] dns\n");
  host::write("/etc/resolv.conf", "nameserver 192.0.2.1\n"); // nobody: only the module can answer
  must(resolver::route(h.bridge(), loopback, 42069));
  h.await_route();
  check_web(h);
  check_others(h);
  CHECK_FALSE(contains_vm(before.asked()));
}

TEST_CASE("a route that is told before the first guest is there works when it comes") {
  if (skipped(host::no_resolved()))
    return;
  host h;
  upstream before;
  names ours(42069);
  h.start_bus();
  h.start_resolved();
  use_stub();
  must(resolver::route(h.bridge(), loopback, 42069));
  check_others(h);
  h.plug_in_guest();
  h.await_route();
  check_web(h);
}

TEST_CASE("a host whose defaults are DNSSEC and DNS over TLS finds our names all the same") {
  if (skipped(host::no_resolved()))
    return;
  host h;
  upstream before;
  names ours(42069);
  h.start_bus();
  h.start_resolved("DNSSEC=yes\nDNSOverTLS=yes\nLLMNR=yes\nMulticastDNS=yes\n");
  h.plug_in_guest();
  use_stub();
  must(resolver::route(h.bridge(), loopback, 42069));
  h.await_route();
  check_web(h);
  CHECK_FALSE(contains_vm(before.asked()));
}

TEST_CASE("a link that was made a moment ago can be told, and one that is gone can be reverted") {
  if (skipped(host::no_resolved()))
    return;
  host h;
  h.start_bus();
  h.start_resolved();
  for (int i = 0; i < 20; ++i) {
    h.plug_in_guest();
    const auto index = static_cast<int>(::if_nametoindex("tap-fc-1"));
    must(resolver::route(index, loopback, 42069));
    h.pull_out_guest();
    must(resolver::revert(index));
  }
  const auto said = resolver::route(4711, loopback, 42069);
  REQUIRE_FALSE(said);
  CHECK(said.error().code == errc::not_found);
}

TEST_CASE("a bus without systemd-resolved is told as such, and there is nothing to revert") {
  if (skipped(host::no_resolved()))
    return;
  host h;
  h.start_bus();
  const auto said = resolver::route(h.bridge(), loopback, 42069);
  REQUIRE_FALSE(said);
  CHECK(said.error().code == errc::unavailable);
  CHECK(said.error().why == "systemd-resolved does not run");
  must(resolver::revert(h.bridge()));
}

TEST_CASE("without it, port 53 and a first line in resolv.conf do, and other names are untouched") {
  if (skipped(host::impossible()))
    return;
  host h;
  upstream before;
  names ours(53);
  host::write("/etc/resolv.conf",
              std::string("nameserver 127.0.0.1\nnameserver ") + upstream::address + "\n");
  check_web(h);
  check_others(h);
  CHECK(h.getent("hosts", "nobody.vm").empty());
  CHECK_FALSE(contains_vm(before.asked()));
}
