// What a VM costs its host, read from /proc and its folder. Blocks for a moment: for the pool. The
// arithmetic is apart, and pure.
#pragma once

#include "actors/hypervisor/machine.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace banger::vm {

/// Of the host: what the numbers in /proc/PID/stat mean.
struct clock_facts {
  std::uint64_t ticks_per_second = 100;
  std::uint64_t page_bytes = 4096;
  std::uint64_t now_us = 0; ///< since the host booted, suspended time too
};

struct process_use {
  std::uint64_t start_time = 0; ///< field 22, ticks after boot
  std::uint64_t cpu_us = 0;     ///< user and system, all threads
  std::uint64_t uptime_us = 0;
  std::uint64_t rss_bytes = 0;
};

/// The line of /proc/PID/stat; nothing if it is not one, or of a zombie.
std::optional<process_use> parse_process(std::string_view line, const clock_facts& host);

struct disk_use {
  std::string name;
  std::uint64_t bytes = 0, used_bytes = 0;
};

struct usage {
  hypervisor::process_id process; ///< pid 0: none runs
  process_use of;
  std::vector<disk_use> disks; ///< by name
};

/// Zeros for a process that has ended, or whose pid is another's now.
usage read_usage(const hypervisor::process_id& process, const std::filesystem::path& folder);

struct cpu_rate {
  std::uint32_t tenths = 0; ///< of a percent of one CPU
  std::uint64_t over_us = 0;
};

/// Remembers the last look at a process. The clock behind these figures ticks every 10 ms: looks
/// that follow each other faster than that means anything get the last answer again.
class cpu_meter {
public:
  static constexpr std::uint64_t least_us = 200'000;

  cpu_rate look(const usage& now);

private:
  hypervisor::process_id process_;
  process_use last_;
  cpu_rate rate_;
};

} // namespace banger::vm
