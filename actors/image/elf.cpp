#include "actors/image/elf.hpp"

#include <cstdint>
#include <cstring>
#include <elf.h>
#include <optional>

namespace banger::image {

namespace {

tl::unexpected<failure> damaged(std::string why) {
  return fail(errc::bad_request, "cannot read an ELF file", std::move(why));
}

std::optional<std::string_view> part(std::string_view bytes, std::uint64_t at,
                                     std::uint64_t length) {
  if (at > bytes.size() || length > bytes.size() - at)
    return {};
  return bytes.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(length));
}

// The index-th T of a table at `at`.
template <class T>
std::optional<T> record(std::string_view bytes, std::uint64_t at, std::uint64_t index) {
  if (at > bytes.size() || index > bytes.size() / sizeof(T))
    return {};
  const auto raw = part(bytes, at + index * sizeof(T), sizeof(T));
  if (!raw)
    return {};
  T value;
  std::memcpy(&value, raw->data(), sizeof value);
  return value;
}

std::optional<std::string_view> text_at(std::string_view table, std::uint64_t at) {
  if (at >= table.size())
    return {};
  const auto rest = table.substr(static_cast<std::size_t>(at));
  const auto end = rest.find('\0');
  if (end == std::string_view::npos)
    return {};
  return rest.substr(0, end);
}

std::optional<Elf64_Ehdr> file_header(std::string_view bytes) {
  const auto head = record<Elf64_Ehdr>(bytes, 0, 0);
  if (!head || std::memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
      head->e_ident[EI_CLASS] != ELFCLASS64 || head->e_ident[EI_DATA] != ELFDATA2LSB ||
      head->e_machine != EM_X86_64)
    return {};
  return head;
}

std::optional<std::string_view> section_bytes(std::string_view bytes, const Elf64_Shdr& section) {
  if (section.sh_type == SHT_NOBITS)
    return std::string_view{};
  return part(bytes, section.sh_offset, section.sh_size);
}

// File bytes from the virtual address on, to the end of its segment.
std::optional<std::string_view> loaded_at(std::string_view bytes, const Elf64_Ehdr& head,
                                          std::uint64_t address) {
  for (std::uint64_t i = 0; i < head.e_phnum; ++i) {
    const auto p = record<Elf64_Phdr>(bytes, head.e_phoff, i);
    if (!p)
      return {};
    if (p->p_type != PT_LOAD || address < p->p_vaddr || address - p->p_vaddr >= p->p_filesz)
      continue;
    const auto segment = part(bytes, p->p_offset, p->p_filesz);
    return segment ? std::optional(segment->substr(static_cast<std::size_t>(address - p->p_vaddr)))
                   : segment;
  }
  return {};
}

expected<std::vector<std::string>> needed_of(std::string_view bytes, const Elf64_Ehdr& head,
                                             std::string_view dynamic) {
  std::uint64_t strings_at = 0;
  std::vector<std::uint64_t> names;
  for (std::uint64_t i = 0;; ++i) {
    const auto d = record<Elf64_Dyn>(dynamic, 0, i);
    if (!d || d->d_tag == DT_NULL)
      break;
    if (d->d_tag == DT_STRTAB)
      strings_at = d->d_un.d_ptr;
    else if (d->d_tag == DT_NEEDED)
      names.push_back(d->d_un.d_val);
  }
  std::vector<std::string> needed;
  if (names.empty())
    return needed;
  const auto strings = loaded_at(bytes, head, strings_at);
  if (!strings)
    return damaged("its string table is outside of the file");
  for (const auto at : names) {
    const auto name = text_at(*strings, at);
    if (!name || name->empty())
      return damaged("the name of a library is outside of the string table");
    needed.emplace_back(*name);
  }
  return needed;
}

} // namespace

bool is_elf(std::string_view bytes) { return file_header(bytes).has_value(); }

expected<std::string_view> elf_section(std::string_view bytes, std::string_view name) {
  const auto head = file_header(bytes);
  if (!head)
    return damaged("it is not one for x86-64");
  const auto names = record<Elf64_Shdr>(bytes, head->e_shoff, head->e_shstrndx);
  const auto table = names ? section_bytes(bytes, *names) : std::nullopt;
  if (!table)
    return damaged("its section names are outside of the file");
  for (std::uint64_t i = 0; i < head->e_shnum; ++i) {
    const auto section = record<Elf64_Shdr>(bytes, head->e_shoff, i);
    if (!section)
      return damaged("its sections are outside of the file");
    if (text_at(*table, section->sh_name) != name)
      continue;
    const auto content = section_bytes(bytes, *section);
    if (!content)
      return damaged("the section " + std::string(name) + " is outside of the file");
    return *content;
  }
  return fail(errc::not_found, "the ELF file has no section " + std::string(name));
}

expected<elf_dynamic> read_dynamic(std::string_view bytes) {
  const auto head = file_header(bytes);
  if (!head)
    return damaged("it is not one for x86-64");
  elf_dynamic found;
  for (std::uint64_t i = 0; i < head->e_phnum; ++i) {
    const auto p = record<Elf64_Phdr>(bytes, head->e_phoff, i);
    if (!p)
      return damaged("its program headers are outside of the file");
    if (p->p_type != PT_INTERP && p->p_type != PT_DYNAMIC)
      continue;
    const auto content = part(bytes, p->p_offset, p->p_filesz);
    if (!content)
      return damaged("a segment is outside of the file");
    if (p->p_type == PT_INTERP) {
      found.interpreter = content->substr(0, content->find('\0'));
      continue;
    }
    auto needed = needed_of(bytes, *head, *content);
    if (!needed)
      return tl::unexpected(needed.error());
    found.needed = std::move(*needed);
  }
  return found;
}

} // namespace banger::image
