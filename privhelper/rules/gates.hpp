// The rules that fields of orders are held to. Pure: what takes a look at the host is `later`.
#pragma once

#include "messages/base/net.hpp"
#include "privhelper/rules/rule.hpp"

namespace banger::helper {

/// Where a responder listens on this host.
struct loopback_server {
  ipv4 address;
  std::uint16_t port = 0;
  std::string str() const { return address.str() + ":" + std::to_string(port); }
  friend bool operator==(const loopback_server&, const loopback_server&) = default;
};

enum class hypervisor_kind : std::uint8_t { qemu, firecracker };

namespace gates {

inline constexpr std::uint16_t least_port = 1024;
inline constexpr std::uint32_t least_pid = 2, most_pid = 1U << 22; ///< PID_MAX_LIMIT
inline constexpr std::uint64_t sector = 512;

template <class T>
std::optional<T> parsed(const std::string& text) {
  if (auto value = T::parse(text))
    return *std::move(value);
  return std::nullopt;
}

struct operation {
  static std::string text() { return "op- and 10 of 0-9 and a-f, or empty"; }
  static auto read(const std::string& s, const context&) { return parsed<operation_id>(s); }
};

struct flag {
  static std::string text() { return "true or false"; }
  static std::optional<bool> read(bool b, const context&) { return b; }
};

struct our_bridge {
  static std::string text() { return "br-fc, or br-fc- and 1 to 9 of a-z and 0-9"; }
  static auto read(const std::string& s, const context&) { return parsed<bridge_name>(s); }
};

struct our_tap {
  static std::string text() { return "tap-fc- and 1 to 8 of a-z and 0-9"; }
  static auto read(const std::string& s, const context&) { return parsed<tap_name>(s); }
};

struct private_network {
  static std::string text() {
    return "a network with a prefix of 8 to 30 bits, inside 10.0.0.0/8, 172.16.0.0/12, "
           "192.168.0.0/16 or 100.64.0.0/10";
  }
  static auto read(const std::string& s, const context&) { return parsed<ipv4_net>(s); }
};

/// Of a bridge that is there.
struct own_network : private_network {
  static std::string later() { return "the network that the bridge has"; }
};

struct address {
  static std::string text() { return "an IPv4 address: four numbers from 0 to 255"; }
  static auto read(const std::string& s, const context&) { return parsed<ipv4>(s); }
};

struct mac {
  static std::string text() { return "a MAC address that is local and of one station"; }
  static auto read(const std::string& s, const context&) { return parsed<mac_address>(s); }
};

struct loopback {
  static std::string text() {
    return "ADDRESS:PORT, with an address in 127.0.0.0/8 and a port from " +
           std::to_string(least_port) + " to 65535";
  }
  static std::optional<loopback_server> read(const std::string& s, const context&);
};

struct machine_id {
  static std::string text() { return "the id of a VM: 12 of 0-9 and a-f"; }
  static auto read(const std::string& s, const context&) { return parsed<vm_id>(s); }
};

struct hypervisor {
  static std::string text() { return "qemu or firecracker"; }
  static std::optional<hypervisor_kind> read(const std::string& s, const context&);
};

/// A path to a file, folder or socket of the owner's.
template <thing What>
struct path {
  static std::string text() {
    return "a path below the owner's state folder: at most " + std::to_string(longest_path) +
           " bytes, no empty, . or .. component, no control character";
  }
  static std::string later() {
    return "opened beneath that folder, by no symbolic link at any component; a " +
           std::string(to_string(What)) + " of the owner's" +
           (What == thing::file ? ", of one name, not setuid or setgid" : "");
  }
  static std::optional<managed_path> read(const std::string& s, const context& c) {
    if (auto value = managed_path::parse(s, What, c.limits.state))
      return *std::move(value);
    return std::nullopt;
  }
};

struct vcpus {
  static std::string text() { return "1 to the number of the host's processors"; }
  static std::optional<std::uint32_t> read(std::uint32_t n, const context& c);
};

struct memory {
  static std::string text() { return std::to_string(min_memory_mib) + " MiB to what the host has"; }
  static std::optional<std::uint64_t> read(std::uint64_t mib, const context& c);
};

struct disk_size {
  static std::string text() {
    return format_size(min_disk_bytes) + " to " + format_size(max_disk_bytes) +
           ", in whole sectors of " + std::to_string(sector) + " bytes";
  }
  static std::optional<std::uint64_t> read(std::uint64_t bytes, const context& c);
};

struct hypervisor_uid {
  static std::string text() {
    return "one of the ids that install.toml sets aside for hypervisors, not 0 and not the owner's";
  }
  static std::optional<std::uint32_t> read(std::uint32_t uid, const context& c);
};

struct pid {
  static std::string text() {
    return std::to_string(least_pid) + " to " + std::to_string(most_pid);
  }
  static std::string later() {
    return "a process that has the start time and runs as one of the ids for hypervisors; "
           "looked at after its pidfd was opened, and signalled through that";
  }
  static std::optional<std::uint32_t> read(std::uint32_t n, const context&);
};

struct start_time {
  static std::string text() { return "not 0"; }
  static std::optional<std::uint64_t> read(std::uint64_t ticks, const context&);
};

struct ending_signal {
  static std::string text() { return "one of " + signal_names(", "); }
  static std::optional<int> read(const std::string& s, const context&);
};

} // namespace gates
} // namespace banger::helper
