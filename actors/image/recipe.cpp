#include "actors/image/recipe.hpp"

#include <algorithm>
#include <array>

namespace banger::image {

namespace {

constexpr std::size_t most_packages = 500, longest_package = 128;

constexpr std::array builtins = {
    builtin_image{"debian-bookworm", family::debian,
                  "Debian 12 with systemd, ssh, git, a compiler; made from packages on first use"},
    builtin_image{"tiny", family::tiny, "busybox and dropbear; made in a second, no packages"},
};

// minbase brings the essential packages and apt. Nothing here is recommended by another only.
constexpr std::array<std::string_view, 22> debian_packages = {"build-essential",
                                                              "ca-certificates",
                                                              "curl",
                                                              "dbus",
                                                              "git",
                                                              "iproute2",
                                                              "iputils-ping",
                                                              "jq",
                                                              "kmod",
                                                              "less",
                                                              "libpam-systemd",
                                                              "make",
                                                              "netbase",
                                                              "openssh-client",
                                                              "openssh-server",
                                                              "procps",
                                                              "sudo",
                                                              "systemd",
                                                              "systemd-sysv",
                                                              "tzdata",
                                                              "udev",
                                                              "xz-utils"};

bool is_lower(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

const builtin_image* find_builtin(std::string_view name) {
  const auto* at =
      std::find_if(builtins.begin(), builtins.end(), [&](const auto& b) { return b.name == name; });
  return at == builtins.end() ? nullptr : at;
}

expected<std::vector<std::string>> check_packages(std::vector<std::string> wanted) {
  if (wanted.size() > most_packages)
    return fail(errc::bad_request, "there are too many packages to include",
                std::to_string(wanted.size()) + "; the limit is " + std::to_string(most_packages));
  for (const auto& name : wanted)
    if (auto ok = check_package(name); !ok)
      return tl::unexpected(ok.error());
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  return wanted;
}

} // namespace

std::span<const builtin_image> builtin_images() { return builtins; }

std::span<const std::string_view> packages_of(family kind) {
  if (kind == family::debian)
    return debian_packages;
  return {};
}

std::string_view init_of(family kind) { return kind == family::debian ? "/sbin/init" : ""; }

std::string_view to_string(family kind) { return kind == family::debian ? "debian" : "tiny"; }

expected<family> parse_family(std::string_view text) {
  for (const auto kind : {family::tiny, family::debian})
    if (to_string(kind) == text)
      return kind;
  return fail(errc::bad_request, "there is no image family '" + std::string(text) + "'");
}

expected<void> check_package(std::string_view name) {
  const auto refuse = [&](std::string why) {
    return fail(errc::bad_request, "invalid package name '" + std::string(name.substr(0, 80)) + "'",
                std::move(why), "see `apt-cache search WORD` for names");
  };
  if (name.size() < 2 || name.size() > longest_package)
    return refuse("it must have 2 to " + std::to_string(longest_package) + " characters");
  if (!is_lower(name.front()))
    return refuse("it must begin with a lower-case letter or a digit");
  const auto bad = std::find_if_not(name.begin(), name.end(), [](char c) {
    return is_lower(c) || c == '+' || c == '-' || c == '.';
  });
  if (bad != name.end())
    return refuse("position " + std::to_string(bad - name.begin() + 1) +
                  " is none of a-z, 0-9, '+', '-', '.'");
  return {};
}

expected<recipe> choose_recipe(const image_name& name, const std::vector<std::string>& include) {
  auto packages = check_packages(include);
  if (!packages)
    return tl::unexpected(packages.error());
  const auto* builtin = find_builtin(name.str());
  if (builtin == nullptr && packages->empty()) {
    std::vector<std::string> known;
    known.reserve(builtins.size());
    for (const auto& b : builtins)
      known.emplace_back(b.name);
    return fail(errc::not_found, "nothing is known of an image '" + name.str() + "'",
                "it is not one of " + name_list(known),
                "say what is to be in it: `banger image build " + name.str() +
                    " --include PACKAGE,...`");
  }
  if (builtin != nullptr && builtin->kind == family::tiny && !packages->empty())
    return fail(errc::bad_request, "the image tiny takes no packages", "it has no package manager",
                "give the image another name; it is then made from Debian");
  return recipe{name.str(), builtin != nullptr ? builtin->kind : family::debian,
                std::move(*packages)};
}

std::string name_list(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i)
    text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  return text;
}

} // namespace banger::image
