#include "privhelper/resolver/resolver.hpp"

#include "privhelper/resolver/bus.hpp"

#include <array>
#include <sys/socket.h>

namespace banger::resolver {

namespace {

int append_text(sd_bus_message* m, const char* text) { return append()(m, "s", text); }
int append_no(sd_bus_message* m) { return append_text(m, "no"); }

int append_server(sd_bus_message* m, ipv4 server, std::uint16_t port) {
  const auto byte = [&](unsigned shift) { return static_cast<int>(server.bits >> shift & 0xff); };
  return append()(m, "a(iayqs)", 1, AF_INET, 4, byte(24), byte(16), byte(8), byte(0), int{port},
                  "");
}

struct statement {
  const char* method;
  arguments rest;
};

// The server last: before that, no query can come to us that is not ours.
std::array<statement, 7> statements(ipv4 server, std::uint16_t port) {
  return {{
      {"SetLinkLLMNR", append_no},
      {"SetLinkMulticastDNS", append_no},
      {"SetLinkDNSOverTLS", append_no},
      {"SetLinkDNSSEC", append_no},
      {"SetLinkDefaultRoute", [](sd_bus_message* m) { return append()(m, "b", 0); }},
      {"SetLinkDomains", [](sd_bus_message* m) { return append()(m, "a(sb)", 1, "vm", 1); }},
      {"SetLinkDNSEx", [=](sd_bus_message* m) { return append_server(m, server, port); }},
  }};
}

// The resolver may read our call before the kernel's word of a link that was made just now, but
// not a second one.
expected<void> say_first(resolved_bus& bus, int ifindex, const statement& s) {
  auto said = bus.call(s.method, ifindex, s.rest);
  if (!said && said.error().code == errc::not_found)
    said = bus.call(s.method, ifindex, s.rest);
  return said;
}

expected<void> check_link(int ifindex) {
  if (ifindex > 0)
    return {};
  return fail(errc::bad_request, "links have numbers from 1, not " + std::to_string(ifindex));
}

} // namespace

expected<void> route(int ifindex, ipv4 server, std::uint16_t port, const bus_options& options) {
  if (auto fits = check_link(ifindex); !fits)
    return fits;
  auto bus = resolved_bus::connect(options);
  if (!bus)
    return tl::unexpected(bus.error());
  bool first = true;
  for (const auto& s : statements(server, port)) {
    auto said = first ? say_first(*bus, ifindex, s) : bus->call(s.method, ifindex, s.rest);
    if (!said) {
      if (!first)
        static_cast<void>(bus->call("RevertLink", ifindex));
      return said;
    }
    first = false;
  }
  return {};
}

expected<void> revert(int ifindex, const bus_options& options) {
  if (auto fits = check_link(ifindex); !fits)
    return fits;
  auto bus = resolved_bus::connect(options);
  auto said = bus ? bus->call("RevertLink", ifindex) : expected<void>(tl::unexpected(bus.error()));
  const bool gone =
      !said && (said.error().code == errc::not_found || said.error().code == errc::unavailable);
  return gone ? expected<void>{} : said;
}

} // namespace banger::resolver
