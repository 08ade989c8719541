// The token side channel: bulk bytes between a client and a guest's session or a log file.
// A client connects to the stream socket, sends its 32-digit token and speaks the guest protocol's
// session frames with session 1. Frames are relayed as they are, but data that has to wait for a
// slow reader may arrive in larger frames; what waits is bounded by the window. A stream that
// cannot go on ends with `failed` (request `open`, why in `text`) instead of `exited`.
#pragma once

#include "actors/io/machine_link.hpp"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace banger::io {

class line_feed;

struct stream_stats {
  std::uint32_t open = 0;           ///< streams with a client attached
  std::uint64_t buffered_bytes = 0; ///< held for slow readers, all streams
};

struct stream_offer {
  std::string token;         ///< 32 hexadecimal digits
  std::uint32_t session = 0; ///< the command's number in its guest, drawn at random
};

class stream_server {
public:
  virtual ~stream_server() = default;
  /// A token for a new command in the guest behind `link`. The command is opened when the client
  /// shows the token. If the client goes away, the session is closed in the guest (its command is
  /// killed); if this server does, the command goes on and waits to be attached.
  virtual stream_offer offer_exec(std::shared_ptr<machine_link> link, guest::open_body command) = 0;
  /// A token for a command that an earlier server left.
  virtual std::string offer_attach(std::shared_ptr<machine_link> link, std::uint32_t session,
                                   guest::attach_body from) = 0;
  /// A token for a log: the file's content (`file`.1 first), then what is appended if `follow`,
  /// as raw bytes on stdout; then `exited` 0. A followed log ends when it is removed.
  virtual std::string offer_log(std::filesystem::path file, bool follow) = 0;
  /// The same from a line near the log's end (4 KiB), and followed until the process behind this
  /// pidfd has ended and its last words are sent.
  virtual std::string offer_console(std::filesystem::path file, unique_fd process) = 0;
  /// A token for the lines of a feed, as raw bytes on stdout: all that it remembers; or the last
  /// `follow_after` of them, and then what comes.
  virtual std::string offer_lines(std::shared_ptr<line_feed> feed,
                                  std::optional<std::size_t> follow_after) = 0;
  /// From any thread; `f` is called in the reactor's thread.
  virtual void stats(std::function<void(stream_stats)> f) = 0;
};

struct stream_limits {
  std::chrono::milliseconds token_life{10'000}; ///< from offer to use
  std::chrono::milliseconds token_wait{5'000};  ///< from accept to the whole token
  std::chrono::milliseconds linger{5'000};      ///< for the client to close after the last byte
  std::size_t connections = 256;                ///< more are closed at once
  std::size_t tokens = 1024;                    ///< unused ones; an older one gives way
  std::size_t token_bytes = 64ul << 20;         ///< of commands behind them; the same
};

/// Listens on `socket` (0600, uid checked before a byte is read). Tokens: 128 random bits, single
/// use. The server must end before the reactor. `already_exists`: another process serves there;
/// `bad_request`: path too long; `operation_failed`: errno.
expected<std::unique_ptr<stream_server>>
serve_streams(reactor& loop, const std::filesystem::path& socket, const stream_limits& limits = {});

} // namespace banger::io
