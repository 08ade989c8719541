// What was probably meant by a word that is not known: a misspelt one, or a word of other tools for
// containers and VMs.
#pragma once

#include "cli/options.hpp"
#include "cli/table.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace banger::cli {

/// The whole command ("banger vm show") that `word` may stand for in this group; empty: none.
std::string meant_command(std::string_view word, const verb_group& in);

/// The flag of a page that is nearest; empty: none.
std::string meant_flag(std::string_view word, const std::vector<flag_facts>& flags);

/// A line that can be pasted into a shell.
std::string shell_line(const std::vector<std::string>& words);

/// The word that stands at place `at` among the words that are neither flags nor their values: its
/// index in `words`. Nothing if there are fewer, or after a flag that is not known.
std::optional<std::size_t> word_at(std::size_t at, const std::vector<std::string>& words,
                                   const std::vector<flag_facts>& flags);

} // namespace banger::cli
