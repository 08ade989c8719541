#include "actors/boot/bzimage.hpp"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t limit = 1 << 20;
  const std::string_view image(reinterpret_cast<const char*>(data), size);
  const auto kernel = banger::boot::extract_vmlinux(image, limit);
  if (kernel && kernel->size() > limit)
    __builtin_trap();
  (void)banger::boot::kernel_version(image);
  return 0;
}
