// What makes a plain Debian system into an image: what is left out of it, what is put into it.
#pragma once

#include "messages/base/error.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace banger::image {

/// True for what belongs to one machine, to this host, or to nobody: host keys, ids, the host's
/// names and settings, logs, caches, device nodes. By path in the image, "etc/hostname".
bool is_unwanted_in_debian(std::string_view path, bool folder);

/// The sources.list of an image, from the one that it was made with: without credentials, and
/// without the names of key files, which are this host's.
std::string guest_sources(std::string_view made_from);

/// Writes our files over the unpacked system.
expected<void> dress_debian(const std::filesystem::path& tree);

/// "NAME VERSION" of what is installed, from the text of /var/lib/dpkg/status; in its order.
std::vector<std::string> installed_packages(std::string_view status);

} // namespace banger::image
