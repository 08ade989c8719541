// The carrier: a virtio-serial port, found by its name.
#pragma once

#include "guest/result.hpp"

#include <string>

namespace banger::guest {

/// The kernel's announcements of devices. To be opened before what is waited for can happen.
result<unique_fd> open_uevents();
/// One announcement as the kernel sends it ("change@/devices/…", then NAME=value, each ended by a
/// zero byte); empty if there is none.
std::string read_uevent(int fd);

/// Waits until the port `name` is there and opens it, without blocking mode. ETIMEDOUT.
result<unique_fd> open_port(int uevents, const std::string& name, int timeout_ms);

} // namespace banger::guest
