#include "tests/docs/page.hpp"

#include <algorithm>
#include <sstream>

namespace banger::docs {

namespace {

constexpr std::string_view any = "...";

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;)
    words.push_back(word);
  return words;
}

std::string mistake(int line, const std::string& why) { return std::to_string(line) + ": " + why; }

bool* mark_of(std::string_view word, block& of) {
  return word == "root"        ? &of.root
         : word == "terminal"  ? &of.terminal
         : word == "long"      ? &of.is_long
         : word == "elsewhere" ? &of.elsewhere
                               : nullptr;
}

// The reason why the info string is not one of ours; empty if it is.
std::string read_info(const std::string& info, block& into) {
  const auto words = words_of(info);
  if (words.empty())
    return "this fence has no info string: console, sh, toml or text";
  const auto& name = words.front();
  if (name == "console")
    into.lang = language::console;
  else if (name == "sh")
    into.lang = language::sh;
  else if (name == "toml")
    into.lang = language::toml;
  else if (name != "text")
    return "unknown info string '" + name + "': console, sh, toml or text";
  for (std::size_t i = 1; i < words.size(); ++i) {
    bool* mark = mark_of(words[i], into);
    if (mark == nullptr || (into.lang != language::console && into.lang != language::sh))
      return "unknown mark '" + words[i] + "': root, terminal, long or elsewhere, of console or sh";
    *mark = true;
  }
  if (into.terminal && into.lang != language::console)
    return "only a console block has the mark terminal";
  return {};
}

// `$ ` begins a command, `# ` one of root's, `> ` goes on with it; all else is what it prints.
std::string read_console(const std::vector<std::string>& lines, block& into) {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto& text = lines[i];
    const bool by_root = into.root && text.starts_with("# ");
    if (text.starts_with("$ ") || by_root)
      into.commands.push_back({into.line + 1 + static_cast<int>(i), text.substr(2), {}, by_root});
    else if (into.commands.empty())
      return "a console block begins with '$ '";
    else if (text.starts_with("> ") && into.commands.back().shown.empty())
      into.commands.back().text += "\n" + text.substr(2);
    else
      into.commands.back().shown.push_back(text);
  }
  return into.commands.empty() ? "an empty console block" : "";
}

// The word that ends the here-document which a line begins; empty: it begins none.
std::string here_end(const std::string& text) {
  const auto at = text.find("<<'");
  return at == std::string::npos ? "" : text.substr(at + 3, text.find('\'', at + 3) - at - 3);
}

// A line that is indented, or ends a loop, belongs to the command before it.
void read_script(const std::vector<std::string>& lines, block& into) {
  bool goes_on = false;
  std::string end;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto& text = lines[i];
    if (end.empty() && (text.empty() || text.starts_with("#")))
      continue;
    const bool more = goes_on || !end.empty() || text.starts_with(" ") || text.starts_with("done");
    if (more && !into.commands.empty())
      into.commands.back().text += "\n" + text;
    else
      into.commands.push_back({into.line + 1 + static_cast<int>(i), text, {}, false});
    goes_on = text.ends_with("\\");
    if (end.empty())
      end = here_end(text);
    else if (text == end)
      end.clear();
  }
}

std::string read_body(const std::vector<std::string>& lines, block& into) {
  for (const auto& line : lines)
    into.body += line + "\n";
  if (into.lang == language::console)
    return read_console(lines, into);
  if (into.lang == language::sh)
    read_script(lines, into);
  return {};
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

bool like(std::string_view pattern, std::string_view text) {
  const auto first = pattern.find(any);
  if (first == std::string_view::npos)
    return pattern == text;
  if (!text.starts_with(pattern.substr(0, first)))
    return false;
  text.remove_prefix(first);
  pattern.remove_prefix(first + any.size());
  for (std::size_t skipped = 0; skipped <= text.size(); ++skipped)
    if (like(pattern, text.substr(skipped)))
      return true;
  return false;
}

using lines = std::vector<std::string>;

bool match_from(lines::const_iterator wanted, lines::const_iterator wanted_end,
                lines::const_iterator got, lines::const_iterator got_end) {
  if (wanted == wanted_end)
    return got == got_end;
  if (*wanted != any)
    return got != got_end && like(*wanted, *got) &&
           match_from(wanted + 1, wanted_end, got + 1, got_end);
  for (;; ++got) {
    if (match_from(wanted + 1, wanted_end, got, got_end))
      return true;
    if (got == got_end)
      return false;
  }
}

} // namespace

page parse_page(std::string_view markdown) {
  page result;
  const auto all = split(markdown);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto indent = all[i].find_first_not_of(' ');
    if (indent == std::string::npos || all[i].compare(indent, 3, "```") != 0)
      continue;
    block b;
    b.line = static_cast<int>(i) + 1;
    std::string why = read_info(all[i].substr(indent + 3), b);
    std::vector<std::string> body;
    for (++i; i < all.size() && all[i].compare(std::min(indent, all[i].size()), 3, "```") != 0; ++i)
      body.push_back(all[i].substr(std::min(indent, all[i].size())));
    if (i == all.size())
      why = "this fence is not closed";
    if (why.empty())
      why = read_body(body, b);
    if (!why.empty())
      result.mistakes.push_back(mistake(b.line, why));
    result.blocks.push_back(std::move(b));
  }
  return result;
}

bool matches(const std::vector<std::string>& shown, const std::vector<std::string>& output) {
  return match_from(shown.begin(), shown.end(), output.begin(), output.end());
}

std::vector<std::string> lines_of(std::string_view output) {
  auto result = split(output);
  for (auto& line : result)
    line.erase(line.find_last_not_of(" \r") + 1);
  while (!result.empty() && result.back().empty())
    result.pop_back();
  return result;
}

std::vector<std::vector<std::string>> named_commands(std::string_view text) {
  std::vector<std::vector<std::string>> result;
  for (const std::string_view mark : {"`banger ", "`sudo banger "})
    for (std::size_t at = 0; (at = text.find(mark, at)) != std::string_view::npos;) {
      at += mark.size();
      const auto end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz ", at);
      auto words = words_of(std::string(text.substr(at, end - at)));
      // A word that goes on with other characters is none of a command's.
      if (end != std::string_view::npos && text[end] != '`' && text[end - 1] != ' ' &&
          !words.empty())
        words.pop_back();
      if (!words.empty())
        result.push_back(std::move(words));
    }
  return result;
}

std::vector<std::string> linked_pages(std::string_view markdown) {
  std::vector<std::string> result;
  for (std::size_t at = 0; (at = markdown.find("](", at)) != std::string_view::npos;) {
    at += 2;
    const std::string target(markdown.substr(at, markdown.find_first_of("#)", at) - at));
    if (target.ends_with(".md") && target.find('/') == std::string::npos &&
        std::find(result.begin(), result.end(), target) == result.end())
      result.push_back(target);
  }
  return result;
}

} // namespace banger::docs
