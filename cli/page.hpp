// One verb's flags. A CLI::App is built for the verb that was asked, and for no other: building all
// of them costs more than answering `vm list`.
#pragma once

#include "cli/options.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace banger::cli {

/// The words before the first `--`, and those after it as they are.
struct split_words {
  std::vector<std::string> flags, command;
  bool has_command = false;
};
split_words split_command(const std::vector<std::string>& words);

class page {
public:
  /// `name` is the verb in full ("vm run"), `usage` what follows it, `about` what it does.
  page(std::string name, std::string_view usage, std::string_view about, std::string_view examples);

  CLI::App& app() { return app_; }
  CLI::Option* text(const char* name, std::string& value, std::string about);
  CLI::Option* list(const char* name, std::vector<std::string>& values, std::string about);
  void flag(const char* name, bool& value, std::string about);
  /// A flag or word with one of these values.
  CLI::Option* choice(const char* name, std::string& value, std::vector<std::string> choices,
                      std::string about);

  /// Nothing when the words fit; a help page or an error otherwise.
  expected<void> parse(const std::vector<std::string>& words);
  bool wants_help() const { return wants_help_; }
  help_page help() const;
  page_facts facts() const;

private:
  std::string remedy(const CLI::ParseError& e) const;

  std::string name_, usage_, about_, examples_;
  CLI::App app_;
  bool wants_help_ = false;
};

/// `fill` puts parsed words into `options`, after the flags were read and no help was wanted.
template <class Fill>
expected<command> read(page& verb, const std::vector<std::string>& words, Fill fill) {
  if (auto ok = verb.parse(words); !ok)
    return tl::unexpected(ok.error());
  if (verb.wants_help())
    return verb.help();
  return fill();
}

bool asks_help(std::string_view word);

} // namespace banger::cli
