#include "actors/boot/packing.hpp"

#include <algorithm>
#include <archive.h>
#include <array>
#include <memory>

namespace banger::boot {

namespace {

struct packing {
  std::string_view magic, name;
  int (*filter)(archive*);
};
constexpr std::array packings{
    packing{"\x1f\x8b", "gzip", ::archive_read_support_filter_gzip},
    packing{"\xfd"
            "7zXZ",
            "xz", ::archive_read_support_filter_xz},
    packing{"\x28\xb5\x2f\xfd", "zstd", ::archive_read_support_filter_zstd},
    packing{"\x02\x21\x4c\x18", "LZ4", ::archive_read_support_filter_lz4},
    packing{"BZh", "bzip2", nullptr},
    packing{std::string_view("\x5d\0\0", 3), "lzma", nullptr},
    packing{"\x89LZO", "lzo", nullptr},
};
// The packing, and the bytes in memory that libarchive reads.
constexpr int layers = 2;

struct close_archive {
  void operator()(archive* a) const { ::archive_read_free(a); }
};
using archive_ptr = std::unique_ptr<archive, close_archive>;

const packing* find(std::string_view bytes) {
  const auto* at = std::find_if(packings.begin(), packings.end(),
                                [&](const auto& p) { return bytes.starts_with(p.magic); });
  return at == packings.end() ? nullptr : at;
}

using unpacked = tl::expected<std::string, std::string>; // or why not

unpacked damaged(archive* a) {
  const char* why = ::archive_error_string(a);
  return tl::unexpected("it is damaged" + (why == nullptr ? "" : ": " + std::string(why)));
}

unpacked read_all(archive* a, std::size_t limit) {
  std::string out;
  for (;;) {
    const void* bytes = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int got = ::archive_read_data_block(a, &bytes, &size, &offset);
    if (got == ARCHIVE_EOF)
      return out;
    if (got != ARCHIVE_OK)
      return damaged(a);
    if (size > limit - out.size())
      return tl::unexpected("more than " + std::to_string(limit) +
                            " bytes come out, which is the limit");
    out.append(static_cast<const char*>(bytes), size);
  }
}

unpacked read_packed(archive* a, std::string_view bytes, std::size_t limit) {
  archive_entry* entry = nullptr;
  if (::archive_read_support_format_raw(a) != ARCHIVE_OK ||
      ::archive_read_open_memory(a, bytes.data(), bytes.size()) != ARCHIVE_OK ||
      ::archive_read_next_header(a, &entry) != ARCHIVE_OK)
    return damaged(a);
  // Each layer could multiply what the one below it yields.
  if (::archive_filter_count(a) != layers)
    return tl::unexpected(std::string("it is packed more than once"));
  return read_all(a, limit);
}

} // namespace

std::string_view packing_of(std::string_view bytes) {
  const auto* known = find(bytes);
  return known == nullptr ? std::string_view() : known->name;
}

expected<std::string> unpack(std::string_view what, std::string_view bytes, std::size_t limit) {
  const auto title = "cannot unpack " + std::string(what);
  const auto* known = find(bytes);
  if (known == nullptr)
    return fail(errc::bad_request, title, "it is not packed in a known way");
  if (known->filter == nullptr)
    return fail(errc::unavailable, title,
                "it is packed with " + std::string(known->name) +
                    ", and only gzip, xz, zstd and LZ4 are understood",
                "use a kernel package of Debian");
  const archive_ptr a(::archive_read_new());
  // A libarchive without the library for it would run a program instead, and says so by a warning.
  if (!a || known->filter(a.get()) != ARCHIVE_OK)
    return fail(errc::unavailable, title,
                "libarchive was built without " + std::string(known->name));
  auto out = read_packed(a.get(), bytes, limit);
  if (!out)
    return fail(errc::bad_request, title, out.error());
  return std::move(*out);
}

} // namespace banger::boot
