// The client's end of a stream, against a server that the test plays itself in a thread.
#pragma once

#include "cli/exec_stream.hpp"
#include "messages/guest/protocol.hpp"
#include "tests/support/catch.hpp"

#include <fcntl.h>
#include <functional>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace banger::cli::test {

using guest::frame_type;
using guest::stream_id;

struct pipe_ends {
  pipe_ends() {
    int fds[2];
    REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
    read.reset(fds[0]);
    write.reset(fds[1]);
  }
  unique_fd read, write;
};

inline bool read_all(int fd, char* to, std::size_t size) {
  while (size > 0) {
    const auto n = ::read(fd, to, size);
    if (n <= 0)
      return false;
    to += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

inline void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0)
      return;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

// The server's side: whole frames in, whole frames out, blocking.
class server_end {
public:
  explicit server_end(unique_fd fd) : fd_(std::move(fd)) {}

  std::optional<guest::frame> next() {
    std::string head(guest::header_size, '\0');
    if (!read_all(fd_.get(), head.data(), head.size()))
      return std::nullopt;
    const auto h = guest::decode_header(head);
    if (!h)
      return std::nullopt;
    guest::frame f{*h, std::string(h->length, '\0')};
    if (!read_all(fd_.get(), f.payload.data(), f.payload.size()))
      return std::nullopt;
    return f;
  }

  /// Drops other frames on the way.
  std::optional<guest::frame> next(frame_type type) {
    auto f = next();
    while (f && f->head.type != type)
      f = next();
    return f;
  }

  void send(frame_type type, stream_id stream, std::uint64_t offset, std::string_view payload) {
    std::string out;
    guest::header h;
    h.type = type;
    h.stream = stream;
    h.session = 1;
    h.offset = offset;
    guest::encode(out, h, payload);
    write_all(fd_.get(), out);
  }

  void opened() {
    send(frame_type::opened, stream_id::in, 0, guest::encode(guest::opened_body{7}));
  }
  /// The command has read so much of its input; before `opened`: it is counted from here on.
  void taken(std::uint64_t offset) { send(frame_type::taken, stream_id::in, offset, ""); }
  void data(stream_id s, std::uint64_t at, std::string_view bytes) {
    send(frame_type::data, s, at, bytes);
  }
  void ack(std::uint64_t offset) { send(frame_type::ack, stream_id::in, offset, ""); }
  void exited(guest::exit_kind kind, std::uint32_t value) {
    send(frame_type::exited, stream_id::in, 0, guest::encode(guest::exited_body{kind, value}));
  }
  void raw(std::string_view bytes) { write_all(fd_.get(), bytes); }
  void hang_up() { fd_.reset(); }
  /// Nothing comes for so long.
  bool silent(int milliseconds) const {
    pollfd ready{fd_.get(), POLLIN, 0};
    return ::poll(&ready, 1, milliseconds) == 0;
  }

private:
  unique_fd fd_;
};

// A run of the client against `play`, with pipes for its standard descriptors.
struct scene {
  pipe_ends in, out, err;
  std::string got_out, got_err;
  int signals = -1, silences = 0;
  bool no_stdin = false;

  expected<outcome> run(std::function<void(server_end&)> play, bool is_log = false) {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    std::thread server([&, end = fds[1]] {
      server_end peer{unique_fd(end)};
      play(peer);
    });
    std::thread read_out([&] { collect(out.read.get(), got_out); });
    std::thread read_err([&] { collect(err.read.get(), got_err); });
    unique_fd mine(fds[0]);
    auto end = is_log ? run_log_stream(std::move(mine), out.write.get())
                      : run_exec_stream(std::move(mine), {no_stdin ? -1 : in.read.get(),
                                                          out.write.get(), err.write.get(), signals,
                                                          nullptr, [this] { ++silences; }});
    out.write.reset();
    err.write.reset();
    for (auto* t : {&server, &read_out, &read_err})
      t->join();
    return end;
  }

  static void collect(int fd, std::string& into) {
    std::vector<char> piece(1 << 18);
    for (;;) {
      const auto n = fd >= 0 ? ::read(fd, piece.data(), piece.size()) : 0;
      if (n <= 0)
        return;
      into.append(piece.data(), static_cast<std::size_t>(n));
    }
  }
};

inline std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t x = 1;
  for (auto& c : bytes) {
    x = x * 1664525 + 1013904223;
    c = static_cast<char>(x >> 24);
  }
  return bytes;
}

} // namespace banger::cli::test
