// A descriptor that input comes from, by what can be given back of it: a file is rewound, of a pipe
// or a socket a copy is looked at and removed later, of a terminal and of everything else what was
// read is gone.
#pragma once

#include "messages/base/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <sys/types.h>

namespace banger::cli {

class input_source {
public:
  /// `fd` stays the caller's; -1: there is none.
  explicit input_source(int fd);

  int fd() const { return fd_; }
  bool is_terminal() const { return kind_ == kind::terminal; }
  bool hung_up() const;
  /// What `look` shows stays until `take`.
  bool can_look() const { return kind_ == kind::pipe || kind_ == kind::socket; }

  /// As `read`, which it is unless `can_look`.
  ssize_t look(std::span<char> to);
  /// EAGAIN: there is nothing on the terminal. EIO: it is not ours to read now, or hung up.
  ssize_t read(std::span<char> to);
  /// Removes bytes that were looked at.
  void take(std::uint64_t size);
  /// Exactly `looked` bytes are left, and no more can come.
  bool ends_after(std::size_t looked) const;
  /// A file, of which `read` handed out `size` bytes, goes on after the first `wanted` of them.
  void give_back_after(std::uint64_t wanted, std::uint64_t size) const;

private:
  enum class kind : std::uint8_t { other, file, pipe, socket, terminal };

  static kind kind_of(int fd);
  ssize_t look_at_pipe(std::span<char> to);

  int fd_;
  kind kind_;
  off_t start_ = 0; ///< of a file
  unique_fd copy_in_, copy_out_;
};

} // namespace banger::cli
