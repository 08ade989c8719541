#include "resolver_bus.hpp"

using namespace banger;
using namespace banger::resolver;
using namespace banger::resolver::test;

namespace {

using lines = std::vector<std::string>;
constexpr ipv4 here{0x7f000001};
const auto* const no_link = "org.freedesktop.resolve1.NoSuchLink";

void check_in_time(const std::function<void()>& f, std::chrono::milliseconds most) {
  const auto begun = std::chrono::steady_clock::now();
  f();
  CHECK(std::chrono::steady_clock::now() - begun < most);
}

} // namespace

TEST_CASE("a route is a server for vm alone, which is told last") {
  scripted_bus bus;
  REQUIRE(route(7, here, 42069, bus.options()));
  CHECK(bus.told() == lines{"SetLinkLLMNR 7 'no'", "SetLinkMulticastDNS 7 'no'",
                            "SetLinkDNSOverTLS 7 'no'", "SetLinkDNSSEC 7 'no'",
                            "SetLinkDefaultRoute 7 no", "SetLinkDomains 7 [('vm' yes)]",
                            "SetLinkDNSEx 7 [(2 [127 0 0 1] 42069 '')]"});
}

TEST_CASE("a revert is one call, and a link that is gone is reverted") {
  scripted_bus bus;
  CHECK(revert(7, bus.options()));
  bus.errors["RevertLink"] = no_link;
  CHECK(revert(8, bus.options()));
  CHECK(bus.told() == lines{"RevertLink 7", "RevertLink 8"});
}

TEST_CASE("a link that the resolver has not heard of yet is told a second time") {
  scripted_bus bus;
  bus.errors["SetLinkLLMNR"] = no_link;
  bus.heals_after["SetLinkLLMNR"] = 1;
  CHECK(route(7, here, 42069, bus.options()));
  CHECK(bus.told().size() == 8);
}

TEST_CASE("a link that is not there is an error, and there is nothing to undo") {
  scripted_bus bus;
  bus.errors["SetLinkLLMNR"] = no_link;
  const auto said = route(7, here, 42069, bus.options());
  REQUIRE_FALSE(said);
  CHECK(said.error().code == errc::not_found);
  CHECK(describe(said.error()) ==
        "systemd-resolved did not take SetLinkLLMNR of link 7: there is no such link");
  CHECK(bus.told() == lines{"SetLinkLLMNR 7 'no'", "SetLinkLLMNR 7 'no'"});
}

TEST_CASE("a route that breaks in the middle is undone") {
  scripted_bus bus;
  bus.errors["SetLinkDomains"] = "org.freedesktop.DBus.Error.Failed";
  const auto said = route(7, here, 42069, bus.options());
  REQUIRE_FALSE(said);
  CHECK(said.error().code == errc::operation_failed);
  CHECK(said.error().why == "as the test wants it");
  CHECK(bus.told().back() == "RevertLink 7");
}

TEST_CASE("what the resolver's errors mean") {
  struct row {
    const char* name;
    errc code;
    const char* remedy;
  };
  for (const auto& r : {
           row{"org.freedesktop.DBus.Error.ServiceUnknown", errc::unavailable, "docs/dns.md"},
           row{"org.freedesktop.DBus.Error.NameHasNoOwner", errc::unavailable, "docs/dns.md"},
           row{"org.freedesktop.DBus.Error.UnknownMethod", errc::unavailable, "docs/dns.md"},
           row{"org.freedesktop.resolve1.LinkBusy", errc::busy, "Unmanaged=yes"},
           row{"org.freedesktop.DBus.Error.AccessDenied", errc::unauthorized, "root"},
           row{"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", errc::unauthorized,
               "root"},
       }) {
    scripted_bus bus;
    bus.errors["SetLinkLLMNR"] = bus.errors["RevertLink"] = r.name;
    const auto said = route(7, here, 42069, bus.options());
    REQUIRE_FALSE(said);
    CHECK(said.error().code == r.code);
    CHECK_FALSE(said.error().why.empty());
    CHECK_THAT(said.error().remedy, Catch::Contains(r.remedy));
    // Where there is no resolver there is nothing to revert.
    CHECK(revert(7, bus.options()).has_value() == (r.code == errc::unavailable));
  }
}

TEST_CASE("a machine without a bus is told what to do instead") {
  const bus_options nowhere{"unix:path=/nowhere/bus"};
  const auto said = route(7, here, 42069, nowhere);
  REQUIRE_FALSE(said);
  CHECK(said.error().code == errc::unavailable);
  CHECK_THAT(said.error().why, Catch::StartsWith("the system bus: "));
  CHECK_THAT(said.error().remedy, Catch::Contains("dnsmasq"));
  CHECK(revert(7, nowhere));
  CHECK(route(7, here, 42069, {"nonsense"}).error().code == errc::unavailable);
}

TEST_CASE("a resolver that does not answer costs the deadline, once") {
  scripted_bus bus;
  bus.silent_at = "SetLinkDNSOverTLS";
  check_in_time(
      [&] {
        const auto said = route(7, here, 42069, bus.options(300ms));
        REQUIRE_FALSE(said);
        CHECK(said.error().code == errc::timed_out);
      },
      2s);
}

TEST_CASE("a bus that does not greet costs the deadline, too") {
  scripted_bus bus;
  bus.never_greets = true;
  for (const auto& f :
       {std::function<expected<void>()>([&] { return route(7, here, 42069, bus.options(300ms)); }),
        std::function<expected<void>()>([&] { return revert(7, bus.options(300ms)); })})
    check_in_time(
        [&] {
          const auto said = f();
          REQUIRE_FALSE(said);
          CHECK(said.error().code == errc::timed_out);
        },
        2s);
}

TEST_CASE("a number that no link has is refused before anybody is asked") {
  scripted_bus bus;
  CHECK(route(0, here, 42069, bus.options()).error().code == errc::bad_request);
  CHECK(revert(-1, bus.options()).error().code == errc::bad_request);
  CHECK(bus.told().empty());
}
