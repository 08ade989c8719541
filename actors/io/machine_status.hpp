// What a hypervisor says of its machine on its own, as JSON of QMP. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace banger::io {

/// Why a machine ended, by the hypervisor's last words.
enum class ending : std::uint8_t {
  unsaid,    ///< it was killed, or crashed
  power_off, ///< the guest switched it off
  reset,     ///< the guest asked for a reboot
  panic,     ///< the guest's kernel gave up
  host,      ///< a signal or a command on the host ended it
};

/// Of the data of a SHUTDOWN event.
ending ending_of(std::string_view shutdown);

/// Why a machine stands still.
struct pause {
  enum class cause : std::uint8_t {
    disk_full, ///< a write of the guest found no room
    disk,      ///< another error of a disk
    internal,  ///< of the hypervisor itself: it cannot go on
    ordered,   ///< by a command on the host
  };
  cause of = cause::ordered;
  std::string reason; ///< in the host's words: "Disk quota exceeded"; may be empty
};

/// Of the answer to `query-status`; none: it runs, or will. What a disk suffers from, only
/// `blocks`, the answer to `query-block`, and the last BLOCK_IO_ERROR tell.
std::optional<pause> pause_of(std::string_view status, std::string_view blocks,
                              const std::string& last_disk_error);

/// Of the data of a VSERPORT_CHANGE event: whether the guest has this port open; none: it is about
/// another one.
std::optional<bool> port_open(std::string_view data, std::string_view port);

/// The words of a BLOCK_IO_ERROR event: "write: Input/output error".
std::string disk_error(std::string_view data);

} // namespace banger::io
