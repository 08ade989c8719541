#include "actors/image/apt_sources.hpp"
#include "actors/image/bootstrap_plan.hpp"
#include "actors/image/entry_path.hpp"
#include "actors/image/recipe.hpp"

#include <string>

using namespace banger::image;

namespace {

// A name that was let through leads nowhere but down, and stays as it is.
void check_path(std::string_view text) {
  const auto path = entry_path(text);
  if (!path)
    return;
  const auto slashed = "/" + *path + "/";
  if (slashed.find("/../") != std::string::npos || slashed.find("/./") != std::string::npos ||
      path->find('\0') != std::string::npos || (!path->empty() && entry_path(*path) != *path))
    __builtin_trap();
}

// What other programs print becomes words of ours: one line each, nothing that has an end of its
// own.
void check_words(std::string_view text) {
  for (const auto& line : read_targets(text, debian_suite))
    if (!line.starts_with("deb ") || line.find('\n') != std::string::npos ||
        line.find('[') != std::string::npos)
      __builtin_trap();
  const auto options = read_options(text);
  if (!options.empty() && !options.starts_with("Acquire::"))
    __builtin_trap();
  if (check_package(text) && text.find_first_of(" ,;/-\n") == 0)
    __builtin_trap();
  bootstrap_watch watch;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    watch.hear(text.substr(at, end - at));
    at = end + 1;
  }
  static_cast<void>(watch.explain({}, debian_suite));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_path(text);
  check_words(text);
  return 0;
}
