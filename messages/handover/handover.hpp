// Descriptors from one process to another, by a token that was told on another way: the root helper
// offers, the daemon fetches. A SEQPACKET socket beside that of the actor messages, since those
// cannot carry descriptors.
#pragma once

#include "messages/base/unique_fd.hpp"
#include "messages/transport/socket.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace banger::handover {

struct options {
  std::chrono::milliseconds life{5000};     ///< of an offer; then its descriptors are closed
  std::chrono::milliseconds patience{1000}; ///< with a connection that does not say its token
  std::size_t max_connections = 16;         ///< more are closed at once
  std::size_t max_held = 512;               ///< descriptors that wait
  /// For the log, in the server's thread.
  std::function<void(local::peer, const std::string& why)> refused = {};
};

/// Has a thread of its own, in which nothing blocks.
class server {
public:
  /// `listener`: of type SOCK_SEQPACKET. Whoever drops rights listens first and starts afterwards:
  /// a thread that is there already keeps its own.
  static expected<server> start(local::listener listener, options opts = {});

  server(server&&) noexcept;
  server& operator=(server&&) noexcept;
  ~server();

  /// 1 to 64 descriptors for one process, as the kernel names it: uid and pid must both fit. From
  /// any thread. The token works once. `busy`: too many wait already. `bad_request`.
  expected<std::string> offer(std::vector<unique_fd> fds, local::peer to);

  /// Descriptors that wait.
  std::size_t held() const;

  /// Ends the thread, closes what waits, and removes the socket. Also by the destructor.
  void close();

private:
  class impl;
  explicit server(std::unique_ptr<impl> made);
  std::unique_ptr<impl> impl_;
};

/// Exactly `count` descriptors, close-on-exec, in the order in which they were offered; or none.
/// The listener must run as root or as us. Blocks, at most for `deadline` in all. `not_found`:
/// nobody listens, or the token is worth nothing (used, too old, another process's).
/// `disconnected`: nothing at all is offered to this process, or the helper ended. `busy`: this
/// process has no room for so many. `bad_version`: it is another number, or no such answer.
/// `unauthorized`, `timed_out`, `bad_request`.
expected<std::vector<unique_fd>> fetch(const std::filesystem::path& socket,
                                       const std::string& token, std::size_t count,
                                       std::chrono::milliseconds deadline);

} // namespace banger::handover
