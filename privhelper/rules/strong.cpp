#include "privhelper/rules/strong.hpp"

#include <algorithm>

namespace banger::helper {

namespace {

tl::unexpected<failure> no_path(std::string_view text, std::string why) {
  return fail(errc::bad_request, "invalid path '" + clean(text) + "'", std::move(why));
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// What is left below `state`; nothing if it is elsewhere.
std::string_view below(std::string_view text, std::string_view state) {
  if (!text.starts_with('/'))
    return text;
  if (state.empty() || text.size() <= state.size() || !text.starts_with(state) ||
      text[state.size()] != '/')
    return {};
  return text.substr(state.size() + 1);
}

} // namespace

expected<void> operation_id_grammar::check(std::string_view text) {
  constexpr std::string_view prefix = "op-";
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  const bool good = text.size() == prefix.size() + 10 && text.starts_with(prefix) &&
                    std::all_of(text.begin() + prefix.size(), text.end(), hex);
  if (good || text.empty())
    return {};
  return fail(errc::bad_request, "invalid operation id '" + clean(text) + "'",
              "it is op- and 10 of 0-9 and a-f");
}

std::string_view to_string(thing what) {
  switch (what) {
  case thing::file: return "file";
  case thing::folder: return "folder";
  case thing::socket: return "socket";
  }
  return "?";
}

expected<managed_path> managed_path::parse(std::string_view text, thing what,
                                           std::string_view state) {
  if (text.size() > longest_path)
    return no_path(text, "it is longer than " + std::to_string(longest_path) + " bytes");
  if (std::any_of(text.begin(), text.end(), is_control))
    return no_path(text, "it has control characters");
  const auto inside = below(text, state);
  if (inside.empty())
    return no_path(text, "it is not below the owner's state folder");
  for (std::size_t at = 0; at <= inside.size();) {
    const auto end = std::min(inside.find('/', at), inside.size());
    const auto component = inside.substr(at, end - at);
    if (component.empty() || component == "." || component == "..")
      return no_path(text, "it has a component that is empty, . or ..");
    if (component.size() > longest_component)
      return no_path(text, "it has a component that is longer than 255 bytes");
    at = end + 1;
  }
  return managed_path(std::string(inside), what);
}

bool managed_path::is_below(std::string_view folder) const {
  return text_.size() > folder.size() && text_.starts_with(folder) && text_[folder.size()] == '/';
}

std::string clean(std::string_view text) {
  constexpr std::size_t most = 32;
  std::string shown(text.substr(0, most));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return text.size() > most ? shown + "..." : shown;
}

} // namespace banger::helper
