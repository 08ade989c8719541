#include "actors/boot/bzimage.hpp"

#include "actors/boot/packing.hpp"

#include <algorithm>
#include <cstdint>

namespace banger::boot {

namespace {

// Offsets in the boot protocol's setup header.
constexpr std::size_t setup_sectors_at = 0x1f1, magic_at = 0x202, protocol_at = 0x206,
                      version_at = 0x20e, payload_offset_at = 0x248, payload_length_at = 0x24c,
                      header_end = 0x250;
constexpr std::uint64_t sector = 512;
constexpr int size_length = 4;

tl::unexpected<failure> damaged(std::string why) {
  return fail(errc::bad_request, "cannot unpack the kernel", std::move(why));
}

// Little endian; the caller has checked that the bytes are there.
std::uint32_t number(std::string_view bytes, std::size_t at, int length) {
  std::uint32_t value = 0;
  for (int i = length - 1; i >= 0; --i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]);
  return value;
}

expected<std::size_t> setup_size(std::string_view image) {
  if (image.size() < header_end || image.substr(magic_at, 4) != "HdrS")
    return damaged("it is not a bzImage");
  if (number(image, protocol_at, 2) < 0x208)
    return damaged("its boot protocol is older than 2.08");
  const auto sectors = number(image, setup_sectors_at, 1);
  return (std::uint64_t{sectors == 0 ? 4 : sectors} + 1) * sector;
}

expected<std::string_view> payload_of(std::string_view image) {
  const auto setup = setup_size(image);
  if (!setup)
    return tl::unexpected(setup.error());
  const auto at = *setup + number(image, payload_offset_at, 4);
  const auto length = number(image, payload_length_at, 4);
  if (at > image.size() || length > image.size() - at || length < 8)
    return damaged("its payload is outside of the file");
  return image.substr(at, length);
}

} // namespace

// The kernel's build appends the unpacked size, but to gzip, which ends with it by itself.
expected<std::string> extract_vmlinux(std::string_view bzimage, std::size_t limit) {
  const auto payload = payload_of(bzimage);
  if (!payload)
    return tl::unexpected(payload.error());
  const auto packed = payload->substr(0, payload->size() - size_length);
  const auto promised = number(*payload, packed.size(), size_length);
  if (promised > limit)
    return damaged("it unpacks to " + std::to_string(promised) + " bytes, and the limit is " +
                   std::to_string(limit));
  auto kernel = unpack("the kernel", packing_of(packed) == "gzip" ? *payload : packed, promised);
  if (!kernel)
    return kernel;
  if (kernel->size() != promised)
    return damaged("it unpacks to another size than it says");
  if (!kernel->starts_with("\x7f"
                           "ELF\x02\x01"))
    return damaged("what is in it is not a 64-bit ELF file");
  return kernel;
}

expected<std::string> kernel_version(std::string_view bzimage) {
  const auto setup = setup_size(bzimage);
  if (!setup)
    return tl::unexpected(setup.error());
  const auto at = sector + number(bzimage, version_at, 2);
  if (at >= std::min(*setup, bzimage.size()))
    return damaged("its version is outside of the header");
  // "6.1.0-56-cloud-amd64 (maintainer) #1 SMP ..."
  const auto text = bzimage.substr(at, std::min<std::size_t>(256, bzimage.size() - at));
  const auto end = text.find_first_of(std::string_view(" \0", 2));
  if (end == std::string_view::npos || end == 0)
    return damaged("its version does not end");
  return std::string(text.substr(0, end));
}

} // namespace banger::boot
