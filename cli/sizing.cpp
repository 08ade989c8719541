#include "cli/sizing.hpp"

#include <algorithm>

namespace banger::cli {

namespace {

constexpr std::int64_t most_vcpu = 4;
constexpr std::uint64_t most_memory_mib = 8192;

chosen vcpu_of_host(const host_limits& host, bool emulated) {
  const auto cpus = static_cast<std::int64_t>(host.cpus);
  const auto least = emulated ? 1 : std::min(builtin_vcpu, cpus);
  const auto share = std::min(cpus / 4, most_vcpu);
  if (share >= least)
    return {share, layer::host,
            "host, " + std::to_string(cpus) + " CPUs / 4" +
                (share < cpus / 4 ? ", at most " + std::to_string(most_vcpu) : "")};
  return {least, layer::builtin, "builtin"};
}

// Half of a small host at most: memory that a VM does not touch costs nothing, but it may touch it.
chosen memory_of_host(const host_limits& host) {
  const auto all = host.memory_bytes / MiB;
  const auto share = std::min(all / 8, most_memory_mib);
  if (share >= builtin_memory_mib)
    return {static_cast<std::int64_t>(share), layer::host,
            "host, " + format_size(host.memory_bytes) + " / 8" +
                (share < all / 8 ? ", at most " + std::to_string(most_memory_mib) : "")};
  const auto value = std::clamp(all / 2, min_memory_mib, builtin_memory_mib);
  return {static_cast<std::int64_t>(value), layer::builtin, "builtin"};
}

} // namespace

sizes choose_sizes(const config::vm_defaults& file, const host_limits& host, bool emulated,
                   std::string_view image) {
  sizes s{vcpu_of_host(host, emulated),
          memory_of_host(host),
          {static_cast<std::int64_t>(default_disk_bytes), layer::builtin, "builtin"}};
  if (image == "tiny")
    s.memory_mib = {static_cast<std::int64_t>(tiny_memory_mib), layer::image, "image tiny"};
  if (host.cpus == 0) {
    s.vcpu.why = "a quarter of the host's CPUs, 1 or 2 to 4";
    s.memory_mib.why = "an eighth of the host's memory, 1024 to 8192; tiny: 256";
  }
  if (file.vcpu)
    s.vcpu = {*file.vcpu, layer::config, "config.toml"};
  if (file.memory_mib)
    s.memory_mib = {*file.memory_mib, layer::config, "config.toml"};
  if (file.disk_bytes)
    s.disk_bytes = {static_cast<std::int64_t>(*file.disk_bytes), layer::config, "config.toml"};
  return s;
}

std::string short_size(std::uint64_t bytes) {
  constexpr std::string_view units = "KMGT";
  std::string unit = "B";
  for (std::size_t i = 0; i < units.size() && bytes >= 1024 && bytes % 1024 == 0; ++i) {
    bytes /= 1024;
    unit = units[i];
  }
  return std::to_string(bytes) + unit;
}

} // namespace banger::cli
