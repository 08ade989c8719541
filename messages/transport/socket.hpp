// A unix socket that is listened on by one process of one user. No CAF, no threads.
#pragma once

#include "messages/base/error.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>

#include <sys/socket.h>
#include <sys/types.h>

namespace banger::local {

/// Who is at the other end, as the kernel says it. Fixed when the connection was made.
struct peer {
  std::uint32_t pid = 0, uid = 0;
};

expected<peer> peer_of(int socket);

/// A socket that is listened on, the lock that makes it the only one, and its file.
class listener {
public:
  listener() = default;
  listener(listener&& other) noexcept { swap(other); }
  listener& operator=(listener&& other) noexcept {
    swap(other);
    return *this;
  }
  ~listener();

  int socket() const { return socket_; }
  /// The caller closes the socket from now on.
  int release_socket();
  /// Removes the file, unless somebody else's lies there by now.
  void unlink();

private:
  friend expected<listener> listen(const std::filesystem::path&, std::optional<uid_t>, int);
  friend expected<listener> take_over(int, int);
  void swap(listener& other) noexcept;

  std::filesystem::path path_;
  int lock_ = -1, socket_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

/// Takes PATH.lock for life, then replaces a stale socket. Mode 0600 from the first moment on;
/// close-on-exec. `owner`: whose the file is to be, if not ours. `type`: or SOCK_SEQPACKET.
/// `already_exists`: somebody serves there; `bad_request`: the path is too long or holds something
/// else.
expected<listener> listen(const std::filesystem::path& path, std::optional<uid_t> owner = {},
                          int type = SOCK_STREAM);

/// One that listens already and that somebody else looks after, such as systemd. `bad_request`: it
/// does not listen, or is no socket of this type and machine.
expected<listener> take_over(int socket, int type = SOCK_STREAM);

/// A blocking, close-on-exec socket to whoever listens on `path`; waits at most `deadline` for a
/// place in its queue. The listener must run as us or as root. `not_found`: nobody listens.
/// `unauthorized`, `busy`, `bad_request` (path).
expected<int> connect(const std::filesystem::path& path, std::chrono::milliseconds deadline,
                      int type = SOCK_STREAM);

} // namespace banger::local
