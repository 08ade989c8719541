#include "cli/escape.hpp"

namespace banger::cli {

namespace {

constexpr char control_z = 0x1a;

bool ends_line(char c) { return c == '\r' || c == '\n'; }

} // namespace

expected<std::optional<char>> escape_value(std::string_view text) {
  if (text == "none")
    return std::optional<char>();
  // What is meant for words of ours, or typed in every line, would be lost to the guest.
  const bool fits = text.size() == 1 && text.front() > ' ' && text.front() < 0x7f &&
                    text.front() != '.' && text.front() != '?';
  if (!fits)
    return fail(errc::bad_request, "--escape: invalid character",
                "it must be one printable character other than '.' and '?', or none",
                "write --escape '%', or --escape none");
  return std::optional<char>(text.front());
}

escape_act escape_filter::feed(std::string_view& typed, std::string& to_guest) {
  if (!escape_) {
    to_guest += typed;
    typed = {};
    return escape_act::none;
  }
  while (!typed.empty()) {
    const char c = typed.front();
    typed.remove_prefix(1);
    if (held_) {
      if (const auto act = finish(c, to_guest); act != escape_act::none)
        return act;
    } else if (line_begins_ && c == *escape_) {
      held_ = true;
    } else {
      pass(c, to_guest);
    }
  }
  return escape_act::none;
}

escape_act escape_filter::finish(char c, std::string& to_guest) {
  held_ = false;
  switch (c) {
  case '.': return escape_act::leave;
  case '?': return escape_act::help;
  case control_z: return escape_act::suspend;
  default: break;
  }
  pass(*escape_, to_guest);
  if (c != *escape_)
    pass(c, to_guest);
  return escape_act::none;
}

void escape_filter::pass(char c, std::string& to_guest) {
  to_guest += c;
  line_begins_ = ends_line(c);
}

std::string escape_filter::help() const {
  if (!escape_)
    return {};
  const std::string e(1, *escape_);
  return "\r\nAfter a newline:\r\n"
         "  " +
         e +
         ".   leave; what runs in the session is hung up\r\n"
         "  " +
         e +
         "^Z  suspend banger; `fg` comes back\r\n"
         "  " +
         e +
         "?   this help\r\n"
         "  " +
         e + e + "   send one " + e + "\r\n";
}

} // namespace banger::cli
