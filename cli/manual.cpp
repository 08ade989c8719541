#include "cli/manual.hpp"

#include "cli/table.hpp"
#include "cli/values.hpp"
#include "messages/base/version.hpp"
#include "messages/config/config.hpp"

#include <algorithm>
#include <array>
#include <ctime>

namespace banger::cli {

namespace {

// A dot or quote at the beginning of a line would be a request; a backslash an escape; a plain
// hyphen might become a dash that cannot be pasted.
std::string escaped(std::string_view text) {
  std::string out;
  bool at_start = true;
  for (const char c : text) {
    if (at_start && (c == '.' || c == '\''))
      out += "\\&";
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
    at_start = c == '\n';
  }
  return out;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

// Of the commit, so that a rebuild is the same build.
std::string day_of_build() {
  const auto seconds = static_cast<std::time_t>(this_build().number);
  std::tm day{};
  ::gmtime_r(&seconds, &day);
  std::array<char, 16> text{};
  const auto size = std::strftime(text.data(), text.size(), "%Y-%m-%d", &day);
  return {text.data(), size};
}

// Roff fills lines itself; short ones please those who read the source.
std::string folded(std::string_view text) {
  constexpr std::size_t width = 76;
  std::string out;
  std::size_t column = 0;
  while (!text.empty()) {
    const auto word = text.substr(0, text.find_first_of(" \n"));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (word.empty())
      continue;
    if (column > 0)
      out += column + 1 + word.size() > width ? '\n' : ' ';
    column = column > 0 && out.back() == ' ' ? column + 1 + word.size() : word.size();
    out += word;
  }
  return escaped(out);
}

std::string heading(const std::string& name, const char* section) {
  return ".TH " + upper(name) + " " + section + " \"" + day_of_build() + "\" \"banger " +
         this_build().version + "\" \"banger manual\"\n";
}

// Paragraphs are filled; lines that are indented stay as they are.
std::string prose(std::string_view text) {
  std::string out, paragraph;
  bool literal = false, first = true;
  const auto flush = [&] {
    if (!paragraph.empty())
      out += (first ? "" : ".PP\n") + folded(paragraph) + "\n";
    first = first && paragraph.empty();
    paragraph.clear();
  };
  const auto set_literal = [&](bool on) {
    if (on != literal)
      out += on ? ".RS 4\n.nf\n" : ".fi\n.RE\n";
    literal = on;
  };
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const bool indented = line.starts_with("  ");
    if (line.empty() || indented)
      flush();
    if (!line.empty())
      set_literal(indented);
    if (indented)
      out += escaped(line.substr(2)) + "\n";
    else
      paragraph += std::string(line) + "\n";
    if (line.empty())
      paragraph.clear();
  }
  flush();
  set_literal(false);
  return out;
}

std::string flag_entry(const flag_facts& flag) {
  std::string names;
  for (const auto& name : flag.names)
    names += (names.empty() ? "" : ", ") + ("\\fB" + escaped(name) + "\\fR");
  if (!flag.value.empty() && !flag.word)
    names += " \\fI" + escaped(flag.value) + "\\fR";
  return ".TP\n" + names + "\n" + folded(flag.about) + "\n";
}

std::string verb_section(const page_facts& page) {
  std::string text = ".SS " + escaped(page.name) + "\n.nf\n\\fB" + escaped(page.name) + "\\fR " +
                     escaped(page.usage) + "\n.fi\n.PP\n" + prose(page.about);
  for (const auto& flag : page.flags)
    text += flag_entry(flag);
  if (!page.examples.empty())
    text += ".PP\n" + prose(page.examples);
  return text;
}

std::string dashed(std::string name) {
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

std::string see_also(const std::string& but) {
  std::string text = ".SH SEE ALSO\n";
  for (const auto& g : groups()) {
    const auto name = dashed(landing_page(g).facts.name);
    if (name != but)
      text += ".BR " + escaped(name) + " (1),\n";
  }
  return text + ".BR banger.toml (5)\n";
}

std::string short_section() {
  std::string text = ".SH SHORT COMMANDS\nThe same as \\fBbanger vm\\fR and a command, with its "
                     "flags; see\n.BR banger\\-vm (1).\n";
  for (const auto& v : vm_verbs())
    if (!v.at_root.empty())
      text += ".TP\n\\fBbanger " + escaped(v.at_root) + "\\fR\n" + "vm " + escaped(v.name) + ": " +
              folded(v.brief) + "\n";
  return text;
}

std::string group_page(const verb_group& g, const surroundings& around) {
  const auto page = landing_page(g).facts;
  const auto name = dashed(page.name);
  const auto brief = g.brief.empty() ? "commands in throw-away microVMs" : std::string(g.brief);
  std::string text = heading(name, "1") + ".SH NAME\n" + escaped(name) + " \\- " + escaped(brief) +
                     "\n.SH SYNOPSIS\n.nf\n";
  for (const auto& v : g.verbs) {
    if (v.hidden)
      continue;
    const auto facts = describe_verb(v, around);
    text += "\\fB" + escaped(facts.name) + "\\fR " + escaped(facts.usage) + "\n";
  }
  if (g.name.empty())
    for (const auto& other : groups())
      if (!other.name.empty())
        text += "\\fBbanger " + escaped(other.name) + "\\fR \\fICOMMAND\\fR\n";
  text += ".fi\n.SH DESCRIPTION\n" + prose(g.intro) + ".PP\n" + prose(g.outro);
  if (!page.flags.empty()) {
    text += ".SH OPTIONS\n";
    for (const auto& flag : page.flags)
      text += flag_entry(flag);
  }
  text += ".SH COMMANDS\n";
  for (const auto& v : g.verbs)
    if (!v.hidden)
      text += verb_section(describe_verb(v, around)) +
              (v.also.empty() ? "" : ".PP\nAlso: \\fB" + escaped(v.also) + "\\fR.\n");
  if (g.name.empty())
    text += short_section();
  return text + see_also(name);
}

std::string config_page() {
  std::string text = heading("banger.toml", "5") +
                     ".SH NAME\nbanger.toml \\- configuration of banger\n.SH DESCRIPTION\n"
                     ".I ~/.config/banger/config.toml\n"
                     "is read, or\n.I /etc/banger/config.toml\nwhere a user has none.\n"
                     "Every key is optional. A key that is unknown or ill\\-typed is an error.\n"
                     ".SH KEYS\n";
  for (const auto& k : config::keys()) {
    auto about = std::string(k.about) + ". Default: " + std::string(k.otherwise) +
                 ". Example: " + std::string(k.example) + ".";
    if (!k.environment.empty())
      about += " Overridden by " + std::string(k.environment) + ".";
    text += ".TP\n\\fB" + escaped(k.full_name()) + "\\fR (" + escaped(k.type) + ")\n" +
            folded(about) + "\n";
  }
  return text + ".SH SEE ALSO\n.BR banger (1),\n.BR banger\\-config (1)\n";
}

} // namespace

std::vector<manual_page> manual_pages() {
  const auto around = any_host();
  std::vector<manual_page> pages;
  for (const auto& g : groups())
    pages.push_back({dashed(landing_page(g).facts.name) + ".1", group_page(g, around)});
  pages.push_back({"banger.toml.5", config_page()});
  return pages;
}

} // namespace banger::cli
