#include "actors/image/entry_path.hpp"

#include <algorithm>

namespace banger::image {

namespace {

constexpr std::size_t longest_path = 4095, longest_name = 255;

// For people: a name is somebody else's bytes.
std::string shown(std::string_view raw) {
  std::string text(raw.substr(0, 80));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return text;
}

} // namespace

expected<std::string> entry_path(std::string_view raw) {
  const auto refuse = [&](std::string why) {
    return fail(errc::bad_request, "the archive holds the name '" + shown(raw) + "'",
                std::move(why));
  };
  if (raw.empty())
    return refuse("it is empty");
  if (raw.size() > longest_path)
    return refuse("it is longer than a path can be");
  if (raw.front() == '/')
    return refuse("it is absolute");
  if (raw.find('\0') != std::string_view::npos)
    return refuse("it has a zero byte in it");
  std::string path;
  while (!raw.empty()) {
    const auto end = std::min(raw.find('/'), raw.size());
    const auto name = raw.substr(0, end);
    raw.remove_prefix(std::min(end + 1, raw.size()));
    if (name.empty() || name == ".")
      continue;
    if (name == "..")
      return fail(errc::bad_request, "the archive holds a name with '..' in it",
                  "it would lead out of the image");
    if (name.size() > longest_name)
      return fail(errc::bad_request, "the archive holds a name that is too long",
                  "a file name has at most 255 bytes");
    path += (path.empty() ? "" : "/") + std::string(name);
  }
  return path;
}

} // namespace banger::image
