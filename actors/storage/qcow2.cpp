#include "actors/storage/qcow2.hpp"

#include <string_view>

namespace banger::storage {

namespace {

constexpr std::uint64_t cluster = 65536;
constexpr std::uint64_t largest = 16ULL << 40;
constexpr std::uint32_t header_length = 104;
constexpr std::uint32_t backing_format = 0xe2792aca; // header extension: format of the base

// Big endian, appended.
void put(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
    out += static_cast<char>(value >> shift);
}

std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
  return (value + unit - 1) / unit;
}

struct layout {
  std::uint64_t l1_entries, l1_clusters, used; // header, refcount table, refcount block, L1
};

layout plan(std::uint64_t virtual_bytes) {
  // An L1 entry stands for an L2 table of 8192 clusters.
  const auto entries = round_up(virtual_bytes, cluster * (cluster / 8));
  const auto clusters = round_up(entries * 8, cluster);
  return {entries, clusters, 3 + clusters};
}

std::string header(const std::string& base_path, std::uint64_t virtual_bytes, const layout& l) {
  constexpr std::string_view format = "raw";
  std::string extensions;
  put(extensions, backing_format, 4);
  put(extensions, format.size(), 4);
  extensions += format;
  extensions.append(8 - format.size(), '\0');
  put(extensions, 0, 8); // end of the extensions

  std::string h = "QFI\xfb";
  put(h, 3, 4); // version
  put(h, header_length + extensions.size(), 8);
  put(h, base_path.size(), 4);
  put(h, 16, 4); // cluster bits
  put(h, virtual_bytes, 8);
  put(h, 0, 4); // not encrypted
  put(h, l.l1_entries, 4);
  put(h, 3 * cluster, 8); // L1 table
  put(h, cluster, 8);     // refcount table
  put(h, 1, 4);           // clusters of it
  put(h, 0, 4);           // snapshots
  put(h, 0, 8);
  put(h, 0, 8); // incompatible, compatible, automatically cleared features
  put(h, 0, 8);
  put(h, 0, 8);
  put(h, 4, 4); // refcounts of 16 bits
  put(h, header_length, 4);
  return h + extensions + base_path;
}

} // namespace

expected<std::string> empty_qcow2(const std::string& base_path, std::uint64_t virtual_bytes) {
  if (base_path.size() > 1023)
    return fail(errc::bad_request, "the image's path is too long for a qcow2 disk",
                std::to_string(base_path.size()) + " bytes; it holds 1023",
                "use a shorter state folder (XDG_STATE_HOME)");
  if (virtual_bytes < 512 || virtual_bytes > largest || virtual_bytes % 512 != 0)
    return fail(errc::bad_request,
                "cannot make a disk of " + std::to_string(virtual_bytes) + " bytes",
                "it must be a multiple of 512, at most 16 TiB");
  const auto l = plan(virtual_bytes);
  auto file = header(base_path, virtual_bytes, l);
  file.resize(cluster);
  put(file, 2 * cluster, 8); // the one refcount block
  file.resize(2 * cluster);
  for (std::uint64_t i = 0; i < l.used; ++i)
    put(file, 1, 2);
  file.resize(l.used * cluster); // an L1 table of zeros: nothing differs from the base
  return file;
}

} // namespace banger::storage
