// Ed25519 keys in the forms that OpenSSH reads: pure.
#pragma once

#include "messages/base/error.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace banger::ssh {

struct key_pair {
  std::array<std::uint8_t, 32> secret{}; ///< RFC 8032's private key
  std::array<std::uint8_t, 32> open{};
};

/// "ssh-ed25519 AAAA... COMMENT", without a newline: a line of authorized_keys.
std::string public_line(const key_pair& key, std::string_view comment);

/// The file of the private half: "openssh-key-v1", without a passphrase. `check` is any number.
std::string private_file(const key_pair& key, std::string_view comment, std::uint32_t check);

/// The public line of what `private_file` wrote, with its comment. `corrupted`: it is anything
/// else, a key with a passphrase or of another kind included.
expected<std::string> public_line_of(std::string_view private_file);

} // namespace banger::ssh
