// Where things lie. The same answer for `banger` and `bangerd`, from the same environment (XDG base
// directories).
#pragma once

#include "messages/base/error.hpp"

#include <filesystem>

namespace banger {

struct folders {
  std::filesystem::path runtime; ///< sockets; 0700, ours, may vanish at logout
  std::filesystem::path state;   ///< database, VMs, images, kernels, ssh key, log; 0700
  std::filesystem::path cache;   ///< what can be fetched again
  std::filesystem::path config;
};

/// From XDG_RUNTIME_DIR, XDG_STATE_HOME, XDG_CACHE_HOME, XDG_CONFIG_HOME and HOME. Makes nothing.
/// Without XDG_RUNTIME_DIR the runtime folder is /tmp/banger-runtime-UID. `bad_request`: no
/// absolute HOME, socket path too long.
expected<folders> find_folders();

/// Makes the folder (0700) or checks that it is one, ours, not a link and closed to others.
/// `unauthorized`: someone else's, or open to others; or root would make it in a user's folders.
expected<void> secure_folder(const std::filesystem::path& folder);

/// A small file to its end; `name` is for people. `bad_request`: more than `most` bytes.
expected<std::string> read_all(int fd, const std::string& name, std::size_t most);

/// A socket address holds 107 bytes. `bad_request` names the path and the way out.
expected<void> check_socket_path(const std::filesystem::path& path);

inline std::filesystem::path daemon_socket(const folders& f) { return f.runtime / "bangerd.sock"; }
inline std::filesystem::path stream_socket(const folders& f) { return f.runtime / "streams.sock"; }
inline std::filesystem::path daemon_log(const folders& f) { return f.state / "bangerd.log"; }

} // namespace banger
