// An empty qcow2 file over a raw base. Written here and not by qemu-img, because a process costs
// 8 ms and the file is four clusters of known content.
#pragma once

#include "messages/base/error.hpp"

#include <cstdint>
#include <string>

namespace banger::storage {

/// The bytes of the file: version 3, clusters of 64 KiB, all of them still in the base.
/// `bad_request`: the base's path has more than 1023 bytes, or the size is not in 512 B .. 16 TiB.
expected<std::string> empty_qcow2(const std::string& base_path, std::uint64_t virtual_bytes);

} // namespace banger::storage
