// What is read of VMs, and never waited for: figures, listeners, signs of life. Percentages travel
// as tenths, loads as hundredths.
#pragma once

#include "messages/models.hpp"

namespace banger::messages {

/// A disk of a VM on its host.
struct disk_usage {
  std::string name;             ///< of the file: "work.img"
  std::uint64_t bytes = 0;      ///< as the guest sees it
  std::uint64_t used_bytes = 0; ///< allocated
};

/// What a VM costs its host now. Figures of the process are 0 when none runs.
struct vm_stats {
  std::string id, name;
  std::string state;     ///< as in a list
  std::uint32_t pid = 0; ///< of the VMM
  std::uint64_t uptime_us = 0;
  std::uint64_t cpu_us = 0; ///< in all
  /// Of one CPU, over the last `cpu_over_us`: since somebody asked before, or since the VMM began.
  std::uint32_t cpu_tenths = 0;
  std::uint64_t cpu_over_us = 0;
  std::uint64_t rss_bytes = 0;
  std::uint64_t memory_mib = 0; ///< of the guest
  std::vector<disk_usage> disks;
};

/// A socket in the guest that waits for peers.
struct port_view {
  std::string protocol; ///< tcp | udp
  std::string address;  ///< "0.0.0.0", "::", "127.0.0.1", ...
  std::uint16_t port = 0;
  std::string process; ///< empty: not known
  std::uint32_t pid = 0;
  std::string endpoint; ///< ADDRESS:PORT in the guest's network; empty: only the guest reaches it
};

struct vm_ports {
  std::string id, name;
  std::vector<port_view> ports;
  std::uint32_t left_out = 0; ///< further ones
};

struct vm_health {
  std::string id, name;
  std::string verdict; ///< healthy | silent | stopped | unknown (an agent that cannot be asked)
  std::string why, remedy;
  std::uint64_t answer_us = 0; ///< from the question to the answer
  std::uint64_t uptime_us = 0; ///< of the guest
  std::uint32_t load_1 = 0, load_5 = 0, load_15 = 0;
  std::uint64_t memory_bytes = 0, memory_free_bytes = 0;
};

BANGER_INSPECT(disk_usage, x.name, x.bytes, x.used_bytes)
BANGER_INSPECT(vm_stats, x.id, x.name, x.state, x.pid, x.uptime_us, x.cpu_us, x.cpu_tenths,
               x.cpu_over_us, x.rss_bytes, x.memory_mib, x.disks)
BANGER_INSPECT(port_view, x.protocol, x.address, x.port, x.process, x.pid, x.endpoint)
BANGER_INSPECT(vm_ports, x.id, x.name, x.ports, x.left_out)
BANGER_INSPECT(vm_health, x.id, x.name, x.verdict, x.why, x.remedy, x.answer_us, x.uptime_us,
               x.load_1, x.load_5, x.load_15, x.memory_bytes, x.memory_free_bytes)

} // namespace banger::messages
