// A guest played by hand: frames in and out of a tap's descriptor.
#pragma once

#include "messages/base/net.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace banger::test {

using frame = std::vector<std::uint8_t>;

/// Who a frame says that it is from; a liar has several.
struct sender {
  mac_address ether;
  ipv4 address;
  std::optional<mac_address> arp_mac; ///< inside an ARP packet; otherwise `ether`
};

inline constexpr mac_address everybody{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

frame arp_request(const sender& from, ipv4 whom);
frame arp_reply(const sender& from, const mac_address& to, ipv4 to_address);
frame echo_request(const sender& from, const mac_address& to, ipv4 whom, std::uint16_t number);
/// Of the frame's own kind; the payload is nothing a host would like.
frame ether(const mac_address& to, const mac_address& from, std::uint16_t type);

/// What a frame is, as far as the tests care.
bool is_arp_reply(const frame& f, ipv4 of);
bool is_arp_request(const frame& f, ipv4 whom);
std::optional<std::uint16_t> echo_reply_number(const frame& f);
bool is_rejection(const frame& f); ///< ICMP: destination unreachable
mac_address source_of(const frame& f);

/// With the virtio-net header that our taps have.
void put(int tap, const frame& f);
/// The next frame, if there is one within this time.
std::optional<frame> get(int tap, std::chrono::milliseconds patience);

/// The first frame that is as wanted; frames before it are told to `seen`.
template <class Wanted>
std::optional<frame> await(int tap, Wanted&& wanted, std::vector<frame>* seen = nullptr,
                           std::chrono::milliseconds patience = std::chrono::milliseconds(1000)) {
  while (auto f = get(tap, patience)) {
    if (wanted(*f))
      return f;
    if (seen != nullptr)
      seen->push_back(*f);
  }
  return std::nullopt;
}

/// Asks for the gateway's MAC until it is told: some milliseconds pass until the kernel has seen
/// that a new port is there.
std::optional<mac_address> find_gateway(int tap, const sender& me, ipv4 gateway);

} // namespace banger::test
