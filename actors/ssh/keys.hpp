// The daemon's key pair: made when it is first needed, then kept. Blocks for some milliseconds.
#pragma once

#include "actors/ssh/openssh_key.hpp"

#include <filesystem>

namespace banger::ssh {

/// From the kernel's generator. `unavailable`: libhogweed is not here.
expected<key_pair> make_key();

/// The public line of FOLDER/id_ed25519, which is made if it is not there (mode 0600), as is the
/// .pub file beside it. One builder at a time holds FOLDER.lock.
expected<std::string> ensure_key(const std::filesystem::path& folder);

/// The first line of KEY.pub. The errors of `storage::read_file`.
expected<std::string> read_public_line(const std::filesystem::path& key);

} // namespace banger::ssh
