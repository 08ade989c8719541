// Where this host gets its packages from, so that an image is made the same way: its mirror, its
// proxy. Pure, apart from `ask_apt`.
#pragma once

#include "messages/base/error.hpp"

#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace banger::image {

struct apt_sources {
  /// "deb URI SUITE main" for the suite, its updates and its security fixes. Empty: the host has
  /// none for it.
  std::vector<std::string> lines;
  std::string options; ///< apt.conf: how packages are fetched (proxies, retries)
};

/// What `apt-get indextargets` printed in `apt_target_format`: Debian's own archive only.
std::vector<std::string> read_targets(std::string_view text, std::string_view suite);
extern const char* const apt_target_format;

/// Of what `apt-config dump` printed: everything about fetching, nothing about this host's system.
std::string read_options(std::string_view text);

/// Empty where the host has no apt.
apt_sources ask_apt(std::string_view suite, const std::stop_token& stop = {});

} // namespace banger::image
