#include "guest/explain.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>

namespace banger::guest {

namespace {

constexpr std::string_view blanks = " \t";
constexpr int deepest = 5; ///< interpreters of interpreters that the kernel follows

// A field of an ELF file; 0 beyond the end of what was read.
std::uint64_t number_at(std::string_view head, std::uint64_t at, std::size_t size) {
  std::uint64_t value = 0;
  if (at > head.size() || size > head.size() - at)
    return 0;
  for (std::size_t i = 0; i < size; ++i)
    value |= std::uint64_t{static_cast<unsigned char>(head[at + i])} << (8 * i);
  return value;
}

bool is_elf(std::string_view head) { return head.starts_with("\177ELF") && head.size() >= 20; }

std::string_view machine_name(std::uint64_t number) {
  switch (number) {
  case 3: return "32-bit x86";
  case 40: return "32-bit ARM";
  case 62: return "x86-64";
  case 183: return "64-bit ARM";
  case 243: return "RISC-V";
  default: return "another architecture";
  }
}

bool is_text(std::string_view head) {
  return std::none_of(head.begin(), head.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == 0x7f || (byte < 0x20 && byte != '\n' && byte != '\t' && byte != '\r');
  });
}

std::string missing(std::string what, const std::string& needed) {
  const bool dos = needed.ends_with('\r');
  what += " '" + needed.substr(0, needed.size() - (dos ? 1 : 0)) + (dos ? "\\r" : "");
  what += "' does not exist";
  return what + (dos ? ": its first line ends with CR LF" : "");
}

// The interpreter or loader that this file needs, and what it is called.
std::optional<std::pair<std::string, std::string>> needs(std::string_view head) {
  if (auto path = script_interpreter(head))
    return std::pair{std::string("interpreter"), std::move(*path)};
  if (auto path = elf_loader(head))
    return std::pair{std::string("loader"), std::move(*path)};
  return std::nullopt;
}

std::string explain_format(std::string_view head) {
  if (head.empty())
    return "it is empty";
  if (script_interpreter(head))
    return "its first line names no interpreter after #!";
  if (is_elf(head))
    return "it is a program for " + std::string(machine_name(number_at(head, 18, 2)));
  if (is_text(head))
    return "it is a script without a #! line; name its interpreter, as in `sh FILE`";
  return {};
}

} // namespace

std::optional<std::string> script_interpreter(std::string_view head) {
  if (!head.starts_with("#!"))
    return std::nullopt;
  head = head.substr(2, head.find('\n') == std::string_view::npos ? std::string_view::npos
                                                                  : head.find('\n') - 2);
  const auto begin = head.find_first_not_of(blanks);
  if (begin == std::string_view::npos)
    return std::string();
  head.remove_prefix(begin);
  return std::string(head.substr(0, head.find_first_of(std::string_view(" \t\0", 3))));
}

std::optional<std::string> elf_loader(std::string_view head) {
  constexpr std::uint64_t wide = 2, little = 1, interp = 3;
  if (!is_elf(head) || number_at(head, 5, 1) != little)
    return std::nullopt;
  const bool is_wide = number_at(head, 4, 1) == wide;
  const std::size_t word = is_wide ? 8 : 4;
  const auto table = number_at(head, is_wide ? 32 : 28, word);
  const auto entry = number_at(head, is_wide ? 54 : 42, 2);
  const auto count = number_at(head, is_wide ? 56 : 44, 2);
  for (std::uint64_t i = 0; i < count && table + i * entry < head.size(); ++i) {
    const auto at = table + i * entry;
    if (number_at(head, at, 4) != interp)
      continue;
    const auto offset = number_at(head, at + (is_wide ? 8 : 4), word);
    const auto size = number_at(head, at + (is_wide ? 32 : 16), word);
    if (size == 0 || offset >= head.size() || size > head.size() - offset)
      return std::nullopt;
    const auto path = head.substr(offset, size);
    return std::string(path.substr(0, path.find('\0')));
  }
  return std::nullopt;
}

std::string explain_failure(int error, const std::string& path, const look_at& look) {
  std::string text, name = path, whose = "its ";
  for (int depth = 0; depth < deepest; ++depth) {
    const auto file = look(name);
    if (!file)
      return {};
    if (error == EACCES && file->folder)
      return "it is a folder";
    if (error == ENOEXEC)
      return explain_format(file->head).substr(0, longest_explanation);
    const auto needed = needs(file->head);
    if ((error != ENOENT && error != EACCES) || !needed || needed->second.empty())
      return {};
    const auto used = look(needed->second);
    text = whose + needed->first;
    if (!used)
      return missing(text, needed->second).substr(0, longest_explanation);
    text += " '" + needed->second + "'";
    if (error == EACCES && file->runnable && (used->folder || !used->runnable))
      return (text + (used->folder ? " is a folder" : " may not be executed"))
          .substr(0, longest_explanation);
    whose = text + ": its ";
    name = needed->second;
  }
  return {};
}

} // namespace banger::guest
