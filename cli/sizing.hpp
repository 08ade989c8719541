// How large a VM is when nobody says it: the file decides, else the image, else the host, else a
// constant. Pure, and every answer says where it comes from.
#pragma once

#include "messages/base/names.hpp"
#include "messages/config/config.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace banger::cli {

/// The image of a VM when neither a flag nor the file names one.
inline constexpr const char* default_image = config::builtin_image;
/// tiny is happy with little, wherever it runs.
inline constexpr std::uint64_t tiny_memory_mib = 256;
inline constexpr std::int64_t builtin_vcpu = 2;
inline constexpr std::uint64_t builtin_memory_mib = 1024;
inline constexpr std::uint64_t default_disk_bytes = 8 * GiB;

enum class layer : std::uint8_t { config, image, host, builtin };

struct chosen {
  std::int64_t value = 0;
  layer from = layer::builtin;
  std::string why; ///< for people: "host, 8 CPUs / 4"
};

struct sizes {
  chosen vcpu, memory_mib, disk_bytes;
};

/// `emulated`: VMs do not use KVM. More virtual CPUs do not help an emulated boot, so that there is
/// no floor of 2. `host.cpus` 0: no particular host, as in a manual.
sizes choose_sizes(const config::vm_defaults& file, const host_limits& host, bool emulated,
                   std::string_view image);

/// "8G", "512M", "1536M": as it would be typed after a flag.
std::string short_size(std::uint64_t bytes);

} // namespace banger::cli
