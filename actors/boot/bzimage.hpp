// Takes the kernel proper, an ELF file, out of a packed x86 kernel (bzImage).
#pragma once

#include "messages/base/error.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace banger::boot {

inline constexpr std::size_t max_vmlinux = std::size_t{512} << 20;

/// The ELF file inside. `bad_request`: not a bzImage, damaged, or more than `limit` bytes.
/// `unavailable`: its packing is unknown; the message names it.
expected<std::string> extract_vmlinux(std::string_view bzimage, std::size_t limit = max_vmlinux);

/// The version in the header: "6.1.0-56-cloud-amd64". `bad_request`: not a bzImage.
expected<std::string> kernel_version(std::string_view bzimage);

} // namespace banger::boot
