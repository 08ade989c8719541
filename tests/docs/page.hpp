// Command blocks of a Markdown page, and the comparison of an output with the page. Pure.
//
// A fence says by its info string how its block is run; docs/testing.md has the table.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace banger::docs {

enum class language { console, sh, toml, text };

struct command {
  int line = 0; ///< of the page, from 1
  std::string text;
  /// Output, and in a terminal block also keys. Empty: not compared.
  std::vector<std::string> shown;
  bool by_root = false; ///< its prompt is `# `
};

struct block {
  int line = 0; ///< of its opening fence
  language lang = language::text;
  bool root = false, terminal = false, is_long = false, elsewhere = false;
  std::vector<command> commands;
  std::string body;
};

struct page {
  std::vector<block> blocks;
  std::vector<std::string> mistakes; ///< "LINE: why"
};

page parse_page(std::string_view markdown);

/// A line `...` stands for any number of lines, `...` within a line for any text.
bool matches(const std::vector<std::string>& shown, const std::vector<std::string>& output);

/// Without spaces and carriage returns at the ends of lines, and without empty lines at the end.
std::vector<std::string> lines_of(std::string_view output);

/// Commands that a text names in backticks, as their words: {"vm", "exec"} of "`banger vm exec
/// VM`".
std::vector<std::vector<std::string>> named_commands(std::string_view text);

/// Targets of the links of a page to pages beside it, in order, each once.
std::vector<std::string> linked_pages(std::string_view markdown);

} // namespace banger::docs
