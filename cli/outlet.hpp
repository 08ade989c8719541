// Our standard output or error, written to without ever blocking and without changing the flags of
// a file that the shell shares with us.
#pragma once

#include "messages/base/error.hpp"
#include "messages/base/unique_fd.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace banger::cli {

class outlet {
public:
  explicit outlet(int fd);

  /// Writes what goes through now and keeps the rest. Whoever feeds it bounds the rest by not
  /// acknowledging. After the reader has gone away it swallows everything.
  expected<void> put(std::string_view bytes);
  /// Goes on with the rest; call it when `poll_fd()` can be written to.
  expected<void> flush();

  /// Nobody wants the rest, nor what is still to come.
  void swallow();

  bool pending() const { return at_ < rest_.size(); }
  bool closed() const { return closed_; }         ///< the reader went away (EPIPE)
  bool hung_up() const { return hung_up_; }       ///< closed, and was a terminal (EIO)
  std::uint64_t written() const { return done_; } ///< bytes, counting swallowed ones
  int poll_fd() const { return own_ ? own_.get() : fd_; }

private:
  enum class kind {
    plain,    ///< a file: a write ends
    separate, ///< a pipe or terminal, opened anew with O_NONBLOCK
    socket,
    careful, ///< could not be opened anew: ask poll, then write no more than a pipe takes for sure
  };

  long write_some(std::string_view bytes) const;
  expected<std::size_t> push(std::string_view bytes);

  int fd_;
  unique_fd own_;
  kind kind_ = kind::careful;
  bool terminal_ = false, closed_ = false, hung_up_ = false;
  std::string rest_;
  std::size_t at_ = 0;
  std::uint64_t done_ = 0;
};

} // namespace banger::cli
