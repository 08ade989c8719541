// config.toml: what a user wants to be so without saying it each time. Read by `banger` and by
// `bangerd`, each when it starts; nothing else looks at the file. No CAF.
#pragma once

#include "messages/base/error.hpp"
#include "messages/base/paths.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace banger::config {

/// The image of a VM when neither a flag nor the file names one.
inline constexpr const char* builtin_image = "debian-bookworm";
/// How long a daemon that was started on demand stays without VMs and clients.
inline constexpr std::chrono::seconds builtin_idle_exit{900};
inline constexpr std::chrono::seconds builtin_boot_wait{300};

/// Sizes of VMs; what is empty is decided from the host.
struct vm_defaults {
  std::optional<std::int64_t> vcpu, memory_mib;
  std::optional<std::uint64_t> disk_bytes;
};

/// How VMs are connected.
struct network_settings {
  std::optional<std::string> mode, bridge, subnet;
  std::optional<std::filesystem::path> helper; ///< folder of the root helper's sockets
  std::optional<std::int64_t> dns_port;
};

inline constexpr const char* builtin_helper = "/run/banger";
inline constexpr std::uint16_t builtin_dns_port = 42069;

/// What the file says. Members that it leaves out are empty.
struct settings {
  std::filesystem::path file; ///< that was read; empty: there is none
  std::optional<std::string> log_level, default_image_name, default_dns, root_disk;
  std::optional<std::filesystem::path> ssh_key_path, kernel_package, qemu_bin;
  std::optional<std::chrono::milliseconds> idle_exit, auto_stop_stale_after, boot_wait;
  config::vm_defaults vm_defaults;
  network_settings network;
};

/// One key of the file, for the parser, `banger config show` and the manual.
struct key {
  std::string_view section; ///< empty: at the top of the file
  std::string_view name;
  std::string_view
      type; ///< string, path, integer, size, duration, address, bridge, network, or "a|b|c"
  std::string_view otherwise;   ///< the value when the file has none, for people
  std::string_view about;       ///< one clause
  std::string_view example;     ///< the value as TOML
  std::string_view environment; ///< the variable that overrides it, if any

  std::string full_name() const {
    return section.empty() ? std::string(name) : std::string(section) + "." + std::string(name);
  }
};
const std::vector<key>& keys();

/// Keys that other versions of banger know and this one does not act on: they are refused, since a
/// setting that is silently without effect is worse than an error.
struct foreign_key {
  std::string_view name;
  std::string_view why;
};
const std::vector<foreign_key>& foreign_keys();

/// The value of one key as text, as it would be typed after a flag; empty: the file does not say.
std::optional<std::string> value_of(const settings& s, std::string_view full_name);

/// Reads a text. `home` stands for `~`. `bad_request`: "FILE:LINE:COLUMN: KEY: ..." with what is
/// expected and an example.
expected<settings> parse(std::string_view text, const std::filesystem::path& file,
                         const std::filesystem::path& home);

/// The file that would be read: `BANGER_CONFIG`, else the user's, else /etc/banger/config.toml;
/// empty: none is there. `bad_request`: BANGER_CONFIG is no absolute path.
expected<std::filesystem::path> find(const folders& where);

/// Finds and reads. A file that anybody may write, or that is neither ours nor root's, is
/// `unauthorized`: it names programs that run as us.
expected<settings> load(const folders& where);

} // namespace banger::config
