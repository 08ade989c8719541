#include "privhelper/resolver/bus.hpp"

#include "messages/base/late_library.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

namespace banger::resolver {

namespace {

constexpr auto service = "org.freedesktop.resolve1";
constexpr auto object = "/org/freedesktop/resolve1";
constexpr auto interface = "org.freedesktop.resolve1.Manager";

constexpr auto other_ways =
    "names can be resolved in another way: dnsmasq, NetworkManager or resolv.conf, see docs/dns.md";

// Late: a host without systemd has no resolver to be told, and most daemons never tell it.
struct libsystemd : late_library {
  libsystemd() : late_library("libsystemd.so.0") {}
  BANGER_LATE(sd_, bus_new)
  BANGER_LATE(sd_, bus_close_unref)
  BANGER_LATE(sd_, bus_set_address)
  BANGER_LATE(sd_, bus_set_bus_client)
  BANGER_LATE(sd_, bus_start)
  BANGER_LATE(sd_, bus_is_ready)
  BANGER_LATE(sd_, bus_process)
  BANGER_LATE(sd_, bus_wait)
  BANGER_LATE(sd_, bus_call)
  BANGER_LATE(sd_, bus_error_free)
  BANGER_LATE(sd_, bus_message_new_method_call)
  BANGER_LATE(sd_, bus_message_set_auto_start)
  BANGER_LATE(sd_, bus_message_append)
  BANGER_LATE(sd_, bus_message_unref)
};

const libsystemd& systemd() {
  static const libsystemd loaded;
  return loaded;
}

struct message_unref {
  void operator()(sd_bus_message* m) const { systemd().bus_message_unref(m); }
};
using message = std::unique_ptr<sd_bus_message, message_unref>;

struct bus_error {
  bus_error() = default;
  bus_error(const bus_error&) = delete;
  bus_error& operator=(const bus_error&) = delete;
  ~bus_error() { systemd().bus_error_free(&e); }
  sd_bus_error e = SD_BUS_ERROR_NULL;
};

tl::unexpected<failure> no_bus(int error) {
  auto f = fail_errno("systemd-resolved cannot be told about .vm names", error);
  f.value().code = error == ETIMEDOUT ? errc::timed_out : errc::unavailable;
  f.value().why = "the system bus: " + f.value().why;
  f.value().remedy = other_ways;
  return f;
}

struct meaning {
  std::string_view name;
  errc code;
  const char* why;
  const char* remedy;
};
constexpr const char* as_it_says = "";
// Names of D-Bus errors. Those that mean that nobody is there first.
constexpr std::array<meaning, 12> meanings{{
    {"org.freedesktop.DBus.Error.ServiceUnknown", errc::unavailable,
     "systemd-resolved does not run", other_ways},
    {"org.freedesktop.DBus.Error.NameHasNoOwner", errc::unavailable,
     "systemd-resolved does not run", other_ways},
    {"org.freedesktop.DBus.Error.Disconnected", errc::unavailable, "the system bus went away",
     other_ways},
    {"org.freedesktop.DBus.Error.UnknownMethod", errc::unavailable,
     "this systemd-resolved is older than systemd 246", other_ways},
    {"org.freedesktop.DBus.Error.UnknownInterface", errc::unavailable, as_it_says, other_ways},
    {"org.freedesktop.DBus.Error.UnknownObject", errc::unavailable, as_it_says, other_ways},
    {"org.freedesktop.resolve1.NoSuchLink", errc::not_found, "there is no such link", ""},
    {"org.freedesktop.resolve1.LinkBusy", errc::busy, "systemd-networkd manages the link",
     "give the bridge `Unmanaged=yes` in a .network file"},
    {"org.freedesktop.DBus.Error.AccessDenied", errc::unauthorized, as_it_says,
     "it takes root, or CAP_NET_ADMIN"},
    {"org.freedesktop.DBus.Error.InteractiveAuthorizationRequired", errc::unauthorized, as_it_says,
     "it takes root, or CAP_NET_ADMIN"},
    {"org.freedesktop.DBus.Error.NoReply", errc::timed_out, "it did not answer", other_ways},
    {"org.freedesktop.DBus.Error.Timeout", errc::timed_out, "it did not answer", other_ways},
}};

tl::unexpected<failure> refused(const char* method, int ifindex, int result,
                                const sd_bus_error& error) {
  const std::string_view name = error.name != nullptr ? error.name : "";
  const auto* const known = std::find_if(meanings.begin(), meanings.end(),
                                         [&](const meaning& m) { return m.name == name; });
  auto f = fail_errno("systemd-resolved did not take " + std::string(method) + " of link " +
                          std::to_string(ifindex),
                      -result);
  if (error.message != nullptr && *error.message != '\0')
    f.value().why = error.message;
  if (known != meanings.end()) {
    f.value().code = known->code;
    f.value().remedy = known->remedy;
    if (*known->why != '\0')
      f.value().why = known->why;
  } else if (result == -ETIMEDOUT) {
    f.value().code = errc::timed_out;
    f.value().remedy = other_ways;
  }
  return f;
}

} // namespace

std::uint64_t resolved_bus::left_us() const {
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(until_ - clock::now());
  return static_cast<std::uint64_t>(std::max<std::int64_t>(left.count(), 1));
}

decltype(&::sd_bus_message_append) append() { return systemd().bus_message_append; }

void resolved_bus::closed::operator()(sd_bus* bus) const { systemd().bus_close_unref(bus); }

expected<resolved_bus> resolved_bus::connect(const bus_options& options) {
  if (auto ok = systemd().usable(); !ok) {
    ok.error().remedy = other_ways;
    return tl::unexpected(ok.error());
  }
  sd_bus* made = nullptr;
  if (const int r = systemd().bus_new(&made); r < 0)
    return no_bus(-r);
  resolved_bus bus(made, clock::now() + options.deadline);
  int r = systemd().bus_set_address(made, options.address.c_str());
  if (r >= 0)
    r = systemd().bus_set_bus_client(made, 1);
  if (r >= 0)
    r = systemd().bus_start(made);
  if (r < 0)
    return no_bus(-r);
  if (auto greeted = bus.await_greeting(); !greeted)
    return tl::unexpected(greeted.error());
  return bus;
}

// sd-bus itself would wait for 25 s.
expected<void> resolved_bus::await_greeting() {
  for (;;) {
    int r = systemd().bus_is_ready(bus_.get());
    if (r > 0)
      return {};
    if (r == 0)
      r = systemd().bus_process(bus_.get(), nullptr);
    if (r == 0) {
      if (clock::now() >= until_)
        return no_bus(ETIMEDOUT);
      r = systemd().bus_wait(bus_.get(), left_us());
    }
    if (r < 0 && r != -EINTR)
      return no_bus(-r);
  }
}

expected<void> resolved_bus::call(const char* method, int ifindex, const arguments& rest) {
  bus_error error;
  sd_bus_message* made = nullptr;
  int r =
      systemd().bus_message_new_method_call(bus_.get(), &made, service, object, interface, method);
  const message m(made);
  if (r >= 0)
    r = systemd().bus_message_set_auto_start(made, 0);
  if (r >= 0)
    r = systemd().bus_message_append(made, "i", ifindex);
  if (r >= 0 && rest)
    r = rest(made);
  if (r >= 0)
    r = systemd().bus_call(bus_.get(), made, left_us(), &error.e, nullptr);
  if (r < 0)
    return refused(method, ifindex, r, error.e);
  return {};
}

} // namespace banger::resolver
