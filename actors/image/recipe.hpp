// What images can be made, and of what. Pure.
#pragma once

#include "messages/base/error.hpp"
#include "messages/base/names.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace banger::image {

enum class family : std::uint8_t {
  tiny,   ///< busybox and dropbear of the host's packages
  debian, ///< Debian 12 with systemd, by mmdebstrap
};

struct recipe {
  std::string name; ///< inside the grammar of image names
  family kind = family::tiny;
  std::vector<std::string> include; ///< packages beside those of the family; sorted, each once
};

struct builtin_image {
  std::string_view name;
  family kind;
  std::string_view about; ///< one line for people
};

/// Those that can be made by their name alone.
std::span<const builtin_image> builtin_images();

inline constexpr std::string_view debian_suite = "bookworm";
inline constexpr const char* debian_libc = "2.36"; ///< its C library

/// What an image of this family always has, by Debian package name. Empty for tiny.
std::span<const std::string_view> packages_of(family kind);

/// What runs as PID 1 in an image of this family; empty: banger-init stays.
std::string_view init_of(family kind);

std::string_view to_string(family kind); ///< "tiny", "debian"
expected<family> parse_family(std::string_view text);

/// A Debian package name: two or more of a-z, 0-9, '+', '-' and '.', the first a letter or digit.
expected<void> check_package(std::string_view name);

/// The recipe of a name that somebody typed, with the packages that they want beside.
/// `bad_request`: a package is none, there are too many, or tiny is to have any. `not_found`: the
/// name is no builtin one and there is nothing to include.
expected<recipe> choose_recipe(const image_name& name, const std::vector<std::string>& include);

/// "a, b or c"; for the remedy of `not_found`.
std::string name_list(const std::vector<std::string>& names);

} // namespace banger::image
