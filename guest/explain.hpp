// Why a file that is there could not be executed, where errno does not say it: the kernel answers
// "No such file or directory" for the interpreter that a file needs, too.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace banger::guest {

/// So much of a file is looked at, and so long is what is said.
inline constexpr std::size_t explained_head = 4096, longest_explanation = 512;

struct file_facts {
  std::string head; ///< its first bytes, at most `explained_head`
  bool runnable = true;
  bool folder = false;
};
/// Nothing for a path that is not there.
using look_at = std::function<std::optional<file_facts>(const std::string& path)>;

/// The path after "#!"; nothing for other files, empty if there is none.
std::optional<std::string> script_interpreter(std::string_view head);
/// The loader (PT_INTERP) that an ELF file asks for; nothing if it asks for none, or further on.
std::optional<std::string> elf_loader(std::string_view head);

/// One line; empty where the text of `error` says it all.
std::string explain_failure(int error, const std::string& path, const look_at& look);

} // namespace banger::guest
