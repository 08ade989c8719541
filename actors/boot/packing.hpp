// Kernels and modules as they are packed: gzip, xz, zstd, and LZ4 in its legacy format.
#pragma once

#include "messages/base/error.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace banger::boot {

/// By its first bytes: "gzip", "xz", "zstd", "LZ4", or one that `unpack` refuses by this name.
/// Empty: not packed, as far as is known.
std::string_view packing_of(std::string_view bytes);

/// `what` is for the message: "the kernel". `bad_request`: damaged, or more than `limit` bytes come
/// out, which it stops at. `unavailable`: packed in a way that is known, but not understood.
expected<std::string> unpack(std::string_view what, std::string_view bytes, std::size_t limit);

} // namespace banger::boot
