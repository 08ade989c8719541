#include "tests/network/frames.hpp"

#include "tests/network/space.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <unistd.h>

namespace banger::test {

namespace {

constexpr std::size_t vnet_header = 10;
constexpr std::uint16_t type_ipv4 = 0x0800, type_arp = 0x0806;
constexpr std::size_t ether_size = 14, ip_size = 20;

void add16(frame& f, unsigned value) {
  f.push_back(static_cast<std::uint8_t>(value >> 8));
  f.push_back(static_cast<std::uint8_t>(value));
}

void add32(frame& f, std::uint32_t value) {
  add16(f, value >> 16);
  add16(f, value & 0xffff);
}

void add(frame& f, const mac_address& mac) {
  f.insert(f.end(), mac.bytes.begin(), mac.bytes.end());
}

std::uint16_t at16(const frame& f, std::size_t at) {
  return f.size() < at + 2 ? 0 : static_cast<std::uint16_t>(f[at] << 8 | f[at + 1]);
}

std::uint32_t at32(const frame& f, std::size_t at) {
  return static_cast<std::uint32_t>(at16(f, at)) << 16 | at16(f, at + 2);
}

void set_checksum(frame& f, std::size_t from, std::size_t size, std::size_t where) {
  std::uint32_t sum = 0;
  for (std::size_t i = from; i < from + size; i += 2)
    sum += at16(f, i);
  while (sum > 0xffff)
    sum = (sum & 0xffff) + (sum >> 16);
  sum = ~sum;
  f[where] = static_cast<std::uint8_t>(sum >> 8);
  f[where + 1] = static_cast<std::uint8_t>(sum);
}

frame arp(const sender& from, const mac_address& to, unsigned operation, const mac_address& target,
          ipv4 target_address) {
  auto f = ether(to, from.ether, type_arp);
  add16(f, 1);
  add16(f, type_ipv4);
  add16(f, 0x0604);
  add16(f, operation);
  add(f, from.arp_mac.value_or(from.ether));
  add32(f, from.address.bits);
  add(f, target);
  add32(f, target_address.bits);
  return f;
}

bool is_arp(const frame& f, unsigned operation) {
  return at16(f, 12) == type_arp && at16(f, ether_size + 6) == operation;
}

std::optional<std::uint8_t> icmp_type(const frame& f) {
  if (at16(f, 12) != type_ipv4 || f.size() < ether_size + ip_size + 8 || f[ether_size + 9] != 1)
    return std::nullopt;
  return f[ether_size + ip_size];
}

} // namespace

frame ether(const mac_address& to, const mac_address& from, std::uint16_t type) {
  frame f;
  add(f, to);
  add(f, from);
  add16(f, type);
  return f;
}

frame arp_request(const sender& from, ipv4 whom) { return arp(from, everybody, 1, {}, whom); }

frame arp_reply(const sender& from, const mac_address& to, ipv4 to_address) {
  return arp(from, to, 2, to, to_address);
}

frame echo_request(const sender& from, const mac_address& to, ipv4 whom, std::uint16_t number) {
  auto f = ether(to, from.ether, type_ipv4);
  add16(f, 0x4500);
  add16(f, ip_size + 8);
  add32(f, 0);
  add16(f, 0x4001); // 64 hops, ICMP
  add16(f, 0);
  add32(f, from.address.bits);
  add32(f, whom.bits);
  set_checksum(f, ether_size, ip_size, ether_size + 10);
  add16(f, 0x0800);
  add16(f, 0);
  add16(f, 1);
  add16(f, number);
  set_checksum(f, ether_size + ip_size, 8, ether_size + ip_size + 2);
  return f;
}

bool is_arp_reply(const frame& f, ipv4 of) { return is_arp(f, 2) && at32(f, 28) == of.bits; }
bool is_arp_request(const frame& f, ipv4 whom) { return is_arp(f, 1) && at32(f, 38) == whom.bits; }

std::optional<std::uint16_t> echo_reply_number(const frame& f) {
  if (icmp_type(f) != 0)
    return std::nullopt;
  return at16(f, ether_size + ip_size + 6);
}

bool is_rejection(const frame& f) { return icmp_type(f) == 3; }

mac_address source_of(const frame& f) {
  mac_address mac;
  if (f.size() >= ether_size)
    std::memcpy(mac.bytes.data(), f.data() + 6, mac.bytes.size());
  return mac;
}

void put(int tap, const frame& f) {
  std::vector<std::uint8_t> whole(vnet_header + f.size());
  std::copy(f.begin(), f.end(), whole.begin() + vnet_header);
  if (::write(tap, whole.data(), whole.size()) != static_cast<ssize_t>(whole.size()))
    give_up(std::string("a tap takes no frame: ") + std::strerror(errno));
}

std::optional<frame> get(int tap, std::chrono::milliseconds patience) {
  pollfd ready{tap, POLLIN, 0};
  if (::poll(&ready, 1, static_cast<int>(patience.count())) != 1)
    return std::nullopt;
  std::array<std::uint8_t, 4096> whole{};
  const auto size = ::read(tap, whole.data(), whole.size());
  if (size < static_cast<ssize_t>(vnet_header))
    return std::nullopt;
  return frame(whole.begin() + vnet_header, whole.begin() + size);
}

std::optional<mac_address> find_gateway(int tap, const sender& me, ipv4 gateway) {
  for (int i = 0; i < 40; ++i) {
    put(tap, arp_request(me, gateway));
    const auto answer = await(
        tap, [&](const frame& f) { return is_arp_reply(f, gateway); }, nullptr,
        std::chrono::milliseconds(50));
    if (answer)
      return source_of(*answer);
  }
  return std::nullopt;
}

} // namespace banger::test
