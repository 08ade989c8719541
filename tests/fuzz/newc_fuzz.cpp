#include "actors/boot/newc.hpp"

// What is read can be written again and is read the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto entries = banger::boot::read_newc({reinterpret_cast<const char*>(data), size});
  if (!entries)
    return 0;
  banger::boot::newc_writer writer;
  for (const auto& entry : *entries)
    writer.file(entry.name, entry.content);
  const auto again = banger::boot::read_newc(writer.finish());
  if (!again || again->size() != entries->size())
    __builtin_trap();
  return 0;
}
