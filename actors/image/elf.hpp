// Reads what we need of ELF files (x86-64, little endian): sections by name, and the libraries that
// a program asks for. Every offset is checked against the bytes that are there.
#pragma once

#include "messages/base/error.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace banger::image {

/// True for a 64-bit little-endian x86-64 ELF header.
bool is_elf(std::string_view bytes);

/// The bytes of the section, pointing into `bytes`. `not_found`; `bad_request` if it is not an ELF
/// file or is damaged.
expected<std::string_view> elf_section(std::string_view bytes, std::string_view name);

struct elf_dynamic {
  std::string interpreter;         ///< empty: a library, or a static program
  std::vector<std::string> needed; ///< DT_NEEDED, in order
};

/// `bad_request` if it is not an ELF file or is damaged. A static program needs nothing.
expected<elf_dynamic> read_dynamic(std::string_view bytes);

} // namespace banger::image
