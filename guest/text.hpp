// What is decided about text alone: no descriptor is touched here.
#pragma once

#include "messages/guest/protocol.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace banger::guest {

std::vector<std::string> split(std::string_view text, char separator); ///< without empty parts

/// The file `/modules/order`: names in groups, a line `--` between two groups.
std::vector<std::vector<std::string>> module_groups(std::string_view order);

/// `aa:bb:cc:dd:ee:ff`
std::optional<std::array<std::uint8_t, 6>> parse_mac(std::string_view text);

struct ipv4 {
  std::array<std::uint8_t, 4> bytes{};
  std::uint8_t prefix = 32;
};
/// `a.b.c.d` or `a.b.c.d/len`
std::optional<ipv4> parse_ipv4(std::string_view text);

/// The new text of authorized_keys: `old`, and those of `keys` that it does not have.
std::string with_keys(std::string_view old, const std::vector<std::string>& keys);

/// The new text of /etc/hosts: `old` with localhost, and 127.0.1.1 for `hostname` alone.
std::string with_hostname(std::string_view old, const std::string& hostname);

/// One label or several with dots: what the kernel and /etc/hosts can take.
bool is_hostname(std::string_view text);

/// The environment of a command: the defaults, then `given` on top. TERM only for a terminal.
std::vector<std::string> environment(const std::vector<std::string>& given, bool tty);
/// The shell of root, by the text of /etc/passwd; /bin/sh if it names none.
std::string login_shell(std::string_view passwd);
/// What a login shell finds as its argv[0]: "-bash".
std::string login_name(const std::string& shell);
/// The value of `name` in an environment, or nothing.
std::string_view value_of(const std::vector<std::string>& env, std::string_view name);

/// Where a command may lie: itself if it has a slash, else once in each folder of `path`.
std::vector<std::string> candidates(const std::string& command, std::string_view path);

} // namespace banger::guest
