// Where this host gets its packages from, so that an image is made the same way: its mirror, its
// proxy. Pure, apart from `ask_apt`.
#pragma once

#include "messages/base/error.hpp"

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace banger::image {

struct apt_sources {
  /// "deb [signed-by=KEYS] URI SUITE main" for the suite, its updates and its security fixes.
  /// Empty: the host has none for it.
  std::vector<std::string> lines;
  std::string options; ///< apt.conf: how packages are fetched (proxies, retries)
};

/// The keys that the host trusts for a source: what is said to be ENTRY ("FILE:NUMBER") of URI.
using keys_fn = std::function<std::string(std::string_view entry, std::string_view uri)>;

/// What `apt-get indextargets` printed in `apt_target_format`: Debian's own archive only, by what
/// it says of itself, else by the form of its address.
std::vector<std::string> read_targets(std::string_view text, std::string_view suite,
                                      const keys_fn& keys = {});
extern const char* const apt_target_format;

/// The same for a host of another release: its mirrors of Debian's archive hold all of them.
/// Without keys, which may be those of that release only.
std::vector<std::string> targets_of_another_release(std::string_view text, std::string_view suite);

/// Signed-By of a source in a file of apt: of line NUMBER, or of that one of its stanzas, counted
/// from 1. Empty if there is none in one word, or another URI stands there.
std::string read_keys(std::string_view text, bool stanzas, unsigned number, std::string_view uri);

/// Of what `apt-config dump` printed: everything about fetching, nothing about this host's system.
std::string read_options(std::string_view text);

/// Empty where the host has no apt.
apt_sources ask_apt(std::string_view suite, const std::stop_token& stop = {});

} // namespace banger::image
