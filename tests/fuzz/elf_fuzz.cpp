#include "actors/image/elf.hpp"

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  (void)banger::image::elf_section(file, ".modinfo");
  (void)banger::image::read_dynamic(file);
  return 0;
}
