// `banger image`: what VMs boot from.
#include "cli/help.hpp"
#include "cli/page.hpp"
#include "cli/table.hpp"
#include "messages/base/names.hpp"

#include <algorithm>
#include <array>

namespace banger::cli {

namespace {

using words_of = const std::vector<std::string>&;

expected<void> check_names(const char* flag, const std::vector<std::string>& names) {
  for (const auto& name : names)
    if (auto ok = image_name_grammar::check(name); !ok) {
      auto f = ok.error();
      f.what = std::string(flag) + ": " + f.what;
      return tl::unexpected(std::move(f));
    }
  return {};
}

// "a,b" and "c" → a, b, c. What a package may be called is the daemon's to say.
expected<std::vector<std::string>> split_packages(const std::vector<std::string>& lists) {
  std::vector<std::string> all;
  for (std::string_view list : lists)
    for (;;) {
      const auto end = list.find(',');
      if (list.substr(0, end).empty())
        return fail(errc::bad_request, "--include: a package has no name", "",
                    "write `--include nodejs,ripgrep`, without spaces");
      all.emplace_back(list.substr(0, end));
      if (end == std::string_view::npos)
        break;
      list.remove_prefix(end + 1);
    }
  return all;
}

expected<command> parse_build(words_of words, const surroundings&) {
  page verb("image build", "[IMAGE] [--include PKG,...] [--force] [-q]",
            "Make an image from packages, and print its name. Takes a minute or two.",
            help::image_build_examples);
  image_build_options options;
  options.request.name = config::builtin_image;
  std::vector<std::string> include;
  verb.text("IMAGE", options.request.name, "debian-bookworm (default), tiny, or one of your own");
  verb.list("--include", include, "Debian packages to have in it; may be repeated")
      ->type_name("PKG,...")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  verb.flag("--force", options.request.again, "also if it is there; VMs keep what they stand on");
  verb.flag("-q,--quiet", options.quiet, "no progress");
  return read(verb, words, [&]() -> expected<command> {
    if (auto ok = check_names("IMAGE", {options.request.name}); !ok)
      return tl::unexpected(ok.error());
    auto packages = split_packages(include);
    if (!packages)
      return tl::unexpected(packages.error());
    options.request.include = std::move(*packages);
    return options;
  });
}

expected<command> parse_list(words_of words, const surroundings&) {
  page verb("image list", "[--json]", "Images that are here, then those that could be made.",
            help::image_list_examples);
  image_list_options options;
  verb.flag("--json", options.json, "as a JSON array");
  return read(verb, words, [&]() -> expected<command> { return options; });
}

expected<command> parse_delete(words_of words, const surroundings&) {
  page verb("image delete", "IMAGE...", "Delete images that no VM stands on.",
            help::image_delete_examples);
  image_delete_options options;
  verb.list("IMAGE", options.names, "its name")->required();
  return read(verb, words, [&]() -> expected<command> {
    if (auto ok = check_names("IMAGE", options.names); !ok)
      return tl::unexpected(ok.error());
    return options;
  });
}

constexpr std::array image_list = {
    verb_entry{"build", "", "make one, also with packages of your choice", parse_build},
    verb_entry{"list", "ls", "what is here, what could be made; --json for programs", parse_list},
    verb_entry{"delete", "rm", "delete one that no VM stands on", parse_delete},
};

} // namespace

std::span<const verb_entry> image_verbs() { return image_list; }

} // namespace banger::cli
