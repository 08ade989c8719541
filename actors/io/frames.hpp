// Reading and queueing frames of the guest protocol without a copy or an allocation per frame.
#pragma once

#include "messages/guest/protocol.hpp"

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/uio.h>

namespace banger::io {

enum class got : std::uint8_t {
  some,   ///< there may be more: wait for the descriptor
  end,    ///< the peer closed, or the socket failed
  broken, ///< what came is not a frame
};

/// A buffer of the calling thread for one read; what is in it does not outlive the handler.
struct scratch {
  static constexpr std::size_t read_size = std::size_t{256} * 1024;
  static constexpr std::size_t size = guest::header_size + guest::max_payload + read_size;
  static char* get();
};

/// One non-blocking read of at most `size` bytes. 0 bytes with `got::some`: nothing there now.
got read_some(int fd, char* buffer, std::size_t size, std::size_t& bytes);

/// Cuts a byte stream into frames. Views handed out live until the callback returns.
class frame_reader {
public:
  using on_frame = std::function<bool(const guest::header&, std::string_view)>;

  /// One read from `fd`. A callback that answers false ends it: what is left is dropped.
  got read(int fd, const on_frame& f);
  got feed(std::string_view bytes, const on_frame& f);
  std::size_t buffered() const { return rest_.size(); }

private:
  got split(std::string_view bytes, const on_frame& f);

  std::string rest_; ///< the begin of a frame
};

/// Looks for the `hello` that carries our epoch in a stream that may begin in the middle of
/// anything. A guest's command can print what looks like a frame, but cannot guess the epoch.
class hello_search {
public:
  explicit hello_search(std::uint64_t epoch) : epoch_(epoch) {}

  /// The hello, once it is there; `rest()` is then what came after it.
  std::optional<guest::hello_body> feed(std::string_view bytes);
  std::string_view rest() const { return std::string_view(seen_).substr(at_); }
  /// A hello that is no answer to us went by: the guest has noticed that a host came.
  bool saw_another() const { return another_; }

private:
  static constexpr std::size_t longest_hello = std::size_t{16} * 1024;

  std::uint64_t epoch_;
  std::string seen_;
  std::size_t at_ = 0;
  bool another_ = false;
};

/// Bytes in, bytes out, in chunks that are given back as they empty.
class byte_queue {
public:
  void append(std::string_view bytes);
  /// Fills `pieces` with at most `most` bytes from the front; answers how many pieces.
  std::size_t front(iovec* pieces, std::size_t count, std::size_t most) const;
  void drop(std::size_t bytes);
  void clear();
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

private:
  static constexpr std::size_t chunk_size = std::size_t{64} * 1024;
  using chunk = std::array<char, chunk_size>;

  std::deque<std::unique_ptr<chunk>> chunks_;
  std::size_t at_ = 0; ///< of the first byte in the first chunk
  std::size_t size_ = 0;
};

/// One sendmsg that neither blocks nor signals. Bytes taken; nothing if the peer is gone.
std::optional<std::size_t> send_some(int fd, iovec* pieces, std::size_t count);

} // namespace banger::io
