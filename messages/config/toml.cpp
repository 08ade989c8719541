#include "messages/config/toml.hpp"

#include <algorithm>
#include <optional>

// Outside of strings, toml++ 3.3 and 3.4 run into undefined behaviour on some characters beyond
// ASCII. So it is shown a stand-in for each of their bytes, and the strings are read again as they
// are.
namespace banger::config {

namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
constexpr const char* misplaced = "a character beyond ASCII stands outside of quotes";
// An error wherever toml++ reads it, but in strings and comments.
constexpr char stand_in = '$';

bool beyond_ascii(char c) { return static_cast<unsigned char>(c) >= 0x80; }

toml_fault fault_at(const toml::source_position& at, std::string why) {
  return {at.line, at.column, std::move(why)};
}

toml_fault fault_of(const toml::parse_error& error) {
  return fault_at(error.source().begin, std::string(error.description()));
}

class restoration {
public:
  explicit restoration(std::string_view text) : text_(text) {
    for (std::size_t at = 0; at < text.size(); ++at)
      if (text[at] == '\n')
        lines_.push_back(at + 1);
  }

  std::optional<toml_fault> run(toml::table& table);
  bool is_ascii(const toml::source_position& at) const;

private:
  std::optional<toml_fault> run(toml::array& array);
  std::optional<toml_fault> run(toml::node& node);
  std::optional<toml_fault> run(toml::value<std::string>& value);
  std::size_t offset(const toml::source_position& at) const;
  std::string_view part(const toml::source_region& region) const;

  std::string_view text_;
  std::vector<std::size_t> lines_ = {0}; ///< where each begins
};

std::size_t restoration::offset(const toml::source_position& at) const {
  const auto line = std::clamp<std::size_t>(at.line, 1, lines_.size());
  return std::min(lines_[line - 1] + at.column - 1, text_.size());
}

bool restoration::is_ascii(const toml::source_position& at) const {
  const auto here = offset(at);
  return here == text_.size() || !beyond_ascii(text_[here]);
}

std::string_view restoration::part(const toml::source_region& region) const {
  const auto begin = offset(region.begin);
  return text_.substr(begin, std::max(offset(region.end), begin) - begin);
}

std::optional<toml_fault> restoration::run(toml::table& table) {
  for (auto&& [name, value] : table) {
    if (std::ranges::any_of(part(name.source()), beyond_ascii))
      return fault_at(name.source().begin, "no name has a character beyond ASCII");
    if (auto fault = run(value))
      return fault;
  }
  return {};
}

std::optional<toml_fault> restoration::run(toml::array& array) {
  for (auto& value : array)
    if (auto fault = run(value))
      return fault;
  return {};
}

std::optional<toml_fault> restoration::run(toml::node& node) {
  if (auto* table = node.as_table())
    return run(*table);
  if (auto* array = node.as_array())
    return run(*array);
  auto* string = node.as_string();
  return string != nullptr ? run(*string) : std::nullopt;
}

std::optional<toml_fault> restoration::run(toml::value<std::string>& value) {
  const auto as_written = part(value.source());
  if (std::ranges::none_of(as_written, beyond_ascii))
    return {};
  const auto again = toml::parse("s = " + std::string(as_written));
  if (!again)
    return fault_at(value.source().begin, std::string(again.error().description()));
  const auto* string = again.table()["s"].as_string();
  if (string == nullptr)
    return fault_at(value.source().begin, misplaced);
  *value = **string;
  return {};
}

} // namespace

tl::expected<toml::table, toml_fault> parse_toml(std::string_view text) {
  if (text.starts_with(byte_order_mark))
    text.remove_prefix(byte_order_mark.size());
  std::string shown(text);
  std::ranges::replace_if(shown, beyond_ascii, stand_in);
  auto parsed = toml::parse(shown);
  restoration restore(text);
  if (!parsed) {
    auto fault = fault_of(parsed.error());
    if (!restore.is_ascii(parsed.error().source().begin))
      fault.why = misplaced;
    return tl::unexpected(std::move(fault));
  }
  auto table = std::move(parsed).table();
  if (auto fault = restore.run(table))
    return tl::unexpected(std::move(*fault));
  return table;
}

} // namespace banger::config
