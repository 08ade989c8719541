// Kernels and modules of a few hundred bytes, made like the real ones.
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <cstdint>
#include <cstring>
#include <elf.h>
#include <lz4.h>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace banger::test::samples {

inline constexpr const char* release = "6.1.0-99-test-amd64";

inline void put_number(std::string& bytes, std::size_t at, std::uint32_t value, int length) {
  for (int i = 0; i < length; ++i)
    bytes[at + static_cast<std::size_t>(i)] = static_cast<char>(value >> (8 * i));
}

inline std::string number(std::uint32_t value) {
  std::string bytes(4, '\0');
  put_number(bytes, 0, value, 4);
  return bytes;
}

/// The start of an ELF file.
inline std::string kernel() {
  std::string bytes("\x7f"
                    "ELF\x02\x01\x01",
                    7);
  bytes.resize(300, 'v');
  return bytes;
}

/// The legacy LZ4 format with the size at its end, as the kernel's build makes it.
inline std::string lz4(std::string_view bytes) {
  constexpr std::size_t block = 8 << 20;
  const auto size = static_cast<std::uint32_t>(bytes.size());
  auto out = number(0x184c2102);
  while (!bytes.empty()) {
    const auto part = bytes.substr(0, block);
    bytes.remove_prefix(part.size());
    std::string packed(static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(part.size()))),
                       '\0');
    const int length = LZ4_compress_default(
        part.data(), packed.data(), static_cast<int>(part.size()), static_cast<int>(packed.size()));
    out += number(static_cast<std::uint32_t>(length));
    out += packed.substr(0, static_cast<std::size_t>(length));
  }
  return out + number(size);
}

using packing_filter = int (*)(archive*);

/// By one of libarchive's filters. Empty if that fails.
inline std::string packed(std::string_view bytes, packing_filter filter) {
  std::string out(bytes.size() + (64 << 10), '\0');
  std::size_t used = 0;
  archive* const a = ::archive_write_new();
  archive_entry* const entry = ::archive_entry_new();
  ::archive_entry_set_pathname(entry, "data");
  ::archive_entry_set_filetype(entry, AE_IFREG);
  const bool good = ::archive_write_set_format_raw(a) == ARCHIVE_OK && filter(a) == ARCHIVE_OK &&
                    ::archive_write_open_memory(a, out.data(), out.size(), &used) == ARCHIVE_OK &&
                    ::archive_write_header(a, entry) == ARCHIVE_OK &&
                    ::archive_write_data(a, bytes.data(), bytes.size()) ==
                        static_cast<la_ssize_t>(bytes.size()) &&
                    ::archive_write_close(a) == ARCHIVE_OK;
  ::archive_entry_free(entry);
  ::archive_write_free(a);
  return good ? out.substr(0, used) : std::string();
}

/// Every packing of kernels but LZ4's, by the name that `packing_of` gives it.
inline std::vector<std::pair<std::string, packing_filter>> packings() {
  return {{"gzip", ::archive_write_add_filter_gzip},
          {"xz", ::archive_write_add_filter_xz},
          {"zstd", ::archive_write_add_filter_zstd}};
}

/// As the kernel's build makes it: with the size at its end, which gzip writes by itself.
inline std::string payload(std::string_view bytes, const std::string& name, packing_filter filter) {
  const auto size = static_cast<std::uint32_t>(bytes.size());
  return packed(bytes, filter) + (name == "gzip" ? "" : number(size));
}

inline std::string bzimage(std::string_view payload) {
  std::string image(3 * 512, '\0');
  image[0x1f1] = 2; // setup sectors after the first
  image.replace(0x202, 4, "HdrS");
  put_number(image, 0x206, 0x20f, 2);
  put_number(image, 0x20e, 0x400 - 0x200, 2);
  const auto version = std::string(release) + " (builder) #1 SMP";
  image.replace(0x400, version.size(), version);
  put_number(image, 0x248, 0, 4);
  put_number(image, 0x24c, static_cast<std::uint32_t>(payload.size()), 4);
  return image.append(payload);
}

/// A module that consists of its .modinfo.
inline std::string module(const std::string& name, const std::string& depends) {
  const auto info = "license=GPL" + std::string(1, '\0') + "depends=" + depends +
                    std::string(1, '\0') + "name=" + name + std::string(1, '\0');
  const std::string names("\0.modinfo\0.shstrtab\0", 20);
  Elf64_Ehdr head{};
  std::memcpy(head.e_ident, ELFMAG, SELFMAG);
  head.e_ident[EI_CLASS] = ELFCLASS64;
  head.e_ident[EI_DATA] = ELFDATA2LSB;
  head.e_ident[EI_VERSION] = EV_CURRENT;
  head.e_type = ET_REL;
  head.e_machine = EM_X86_64;
  head.e_version = EV_CURRENT;
  head.e_ehsize = sizeof head;
  head.e_shentsize = sizeof(Elf64_Shdr);
  head.e_shoff = sizeof head;
  head.e_shnum = 3;
  head.e_shstrndx = 2;
  std::vector<Elf64_Shdr> sections(3);
  sections[1].sh_name = 1;
  sections[1].sh_type = SHT_PROGBITS;
  sections[1].sh_offset = sizeof head + 3 * sizeof(Elf64_Shdr);
  sections[1].sh_size = info.size();
  sections[2].sh_name = 10;
  sections[2].sh_type = SHT_STRTAB;
  sections[2].sh_offset = sections[1].sh_offset + info.size();
  sections[2].sh_size = names.size();
  std::string bytes(reinterpret_cast<const char*>(&head), sizeof head);
  bytes.append(reinterpret_cast<const char*>(sections.data()), 3 * sizeof(Elf64_Shdr));
  return bytes + info + names;
}

} // namespace banger::test::samples
