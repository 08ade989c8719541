#include "privhelper/rules/gates.hpp"

#include <charconv>

namespace banger::helper::gates {

namespace {

constexpr ipv4 loopback_base{0x7f000000};
constexpr std::uint32_t loopback_mask = 0xff000000;

std::optional<std::uint16_t> port_of(std::string_view text) {
  std::uint32_t port = 0;
  const auto* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc{} || rest != end || text.starts_with('0') || port < least_port ||
      port > 65535)
    return std::nullopt;
  return static_cast<std::uint16_t>(port);
}

template <class T>
std::optional<T> if_good(T value, bool good) {
  return good ? std::optional<T>(value) : std::nullopt;
}

} // namespace

std::optional<loopback_server> loopback::read(const std::string& s, const context&) {
  const auto colon = s.find(':');
  if (colon == std::string::npos)
    return std::nullopt;
  const auto address = ipv4::parse(std::string_view(s).substr(0, colon));
  const auto port = port_of(std::string_view(s).substr(colon + 1));
  if (!address || !port || (address->bits & loopback_mask) != loopback_base.bits)
    return std::nullopt;
  return loopback_server{*address, *port};
}

std::optional<hypervisor_kind> hypervisor::read(const std::string& s, const context&) {
  if (s == "qemu")
    return hypervisor_kind::qemu;
  if (s == "firecracker")
    return hypervisor_kind::firecracker;
  return std::nullopt;
}

std::optional<std::uint32_t> vcpus::read(std::uint32_t n, const context& c) {
  return if_good(n, check_vcpu(n, c.limits.host).has_value());
}

std::optional<std::uint64_t> memory::read(std::uint64_t mib, const context& c) {
  // Beyond this, the signed number that is checked would be another one.
  constexpr std::uint64_t most = UINT64_MAX / MiB;
  return if_good(mib,
                 mib <= most &&
                     check_memory_mib(static_cast<std::int64_t>(mib), c.limits.host).has_value());
}

std::optional<std::uint64_t> disk_size::read(std::uint64_t bytes, const context&) {
  return if_good(bytes, bytes % sector == 0 && check_disk_bytes(bytes).has_value());
}

std::optional<std::uint32_t> hypervisor_uid::read(std::uint32_t uid, const context& c) {
  return if_good(uid, uid != 0 && uid != c.limits.owner && c.limits.ids.contains(uid));
}

std::optional<std::uint32_t> pid::read(std::uint32_t n, const context&) {
  return if_good(n, n >= least_pid && n <= most_pid);
}

std::optional<std::uint64_t> start_time::read(std::uint64_t ticks, const context&) {
  return if_good(ticks, ticks != 0);
}

std::optional<int> ending_signal::read(const std::string& s, const context&) {
  const auto number = parse_signal(s);
  return number ? std::optional<int>(*number) : std::nullopt;
}

} // namespace banger::helper::gates
