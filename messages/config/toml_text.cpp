#include "messages/config/toml_text.hpp"

#include <algorithm>

namespace banger::config {

namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf", blanks = " \t";

bool begins_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '"' || c == '\'';
}

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

// Without strings of several lines, a line is understood by itself, but for the arrays that are
// open at its start.
class line_check {
public:
  line_check(std::string_view line, std::string& open) : line_(line), open_(open) {}

  /// The place of the fault, from 0, if there is one.
  std::optional<std::size_t> run();
  const char* why() const { return why_; }

private:
  bool check_table_name();
  bool skip_string();
  bool take_bracket(char c);
  bool refuse(const char* why) {
    why_ = why;
    return false;
  }

  std::string_view line_;
  std::string& open_; ///< brackets that are not closed yet, the innermost last
  std::size_t at_ = 0;
  const char* why_ = "";
};

// `[` at the start of a line, outside of arrays.
bool line_check::check_table_name() {
  at_ += line_.substr(at_).starts_with("[[") ? 2 : 1;
  at_ = std::min(line_.find_first_not_of(blanks, at_), line_.size());
  // An empty name is for toml++ to refuse.
  if (at_ < line_.size() && (begins_name(line_[at_]) || line_[at_] == ']'))
    return true;
  return refuse("the name of a table is expected here");
}

// One that does not end on its line is for toml++ to refuse.
bool line_check::skip_string() {
  const char quote = line_[at_];
  // toml++ reads a bare value to its end, quotes and all, and cannot take every character in it.
  constexpr std::string_view before_string = " \t=,[{.";
  if (at_ > 0 && before_string.find(line_[at_ - 1]) == std::string_view::npos)
    return refuse("a quote stands inside of a word");
  if (line_.substr(at_).starts_with(std::string(3, quote)))
    return refuse("a string of several lines has no meaning here");
  for (++at_; at_ < line_.size() && line_[at_] != quote; ++at_)
    if (quote == '"' && line_[at_] == '\\')
      ++at_;
  at_ = std::min(at_ + 1, line_.size());
  return true;
}

bool line_check::take_bracket(char c) {
  if (c == '[' || c == '{') {
    open_ += c;
    return true;
  }
  if (open_.empty() || open_.back() != (c == ']' ? '[' : '{'))
    return refuse("this bracket closes none");
  open_.pop_back();
  return true;
}

std::optional<std::size_t> line_check::run() {
  at_ = std::min(line_.find_first_not_of(blanks), line_.size());
  if (open_.empty() && line_.substr(at_).starts_with('[')) {
    if (!check_table_name())
      return at_;
    open_ += at_ > 0 && line_.substr(0, at_).find("[[") != std::string_view::npos ? "[[" : "[";
  }
  while (at_ < line_.size() && line_[at_] != '#') {
    const char c = line_[at_];
    if (!is_ascii(c)) {
      refuse("a character beyond ASCII stands outside of quotes");
      return at_;
    }
    if (c == '"' || c == '\'') {
      if (!skip_string())
        return at_;
      continue;
    }
    if (std::string_view("[]{}").find(c) != std::string_view::npos && !take_bracket(c))
      return at_;
    ++at_;
  }
  return {};
}

} // namespace

std::optional<toml_fault> unfit_for_toml(std::string_view text) {
  std::string open;
  std::size_t skipped = text.starts_with(byte_order_mark) ? byte_order_mark.size() : 0;
  text.remove_prefix(skipped);
  for (std::size_t number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    line_check line(text.substr(0, end), open);
    if (const auto at = line.run())
      return toml_fault{number, skipped + *at + 1, line.why()};
    text.remove_prefix(std::min(end + 1, text.size()));
    skipped = 0;
  }
  return {};
}

} // namespace banger::config
