// One connection to the stream socket, and what can stand behind it.
#pragma once

#include "actors/io/frames.hpp"
#include "actors/io/outgoing.hpp"
#include "actors/io/reactor.hpp"
#include "actors/io/streams.hpp"
#include "messages/base/unique_fd.hpp"

#include <functional>
#include <memory>
#include <string>

namespace banger::io {

class stream_client;

/// What a token stands for. Made when it is offered, begun when a client shows it.
class stream {
public:
  virtual ~stream() = default;
  virtual void begin(stream_client& client) = 0;
  /// A frame of session 1 from the client. What is wrong with it, empty if nothing.
  virtual std::string from_client(const guest::header& h, std::string_view payload) = 0;
  /// All that was queued for the client is written.
  virtual void on_room() {}
  /// False: leave the client's bytes in its socket for now. `resume` when that ends.
  virtual bool wants_input() const { return true; }
  /// The client went away or was ended: let go of everything. The last call.
  virtual void end() = 0;
  /// As `end`, but what is behind it lives on: the next daemon may be asked for it.
  virtual void let_go() { end(); }
  virtual std::size_t buffered_bytes() const { return 0; }
};

/// A stream that only tells: bytes on stdout within the reader's window, and what he may answer.
class telling_stream : public stream {
public:
  std::string from_client(const guest::header& h, std::string_view payload) override;
  void on_room() override { pump(); }

protected:
  /// Sends while `has_room`, at most `room` bytes at once; then `written`.
  virtual void pump() = 0;

  bool has_room() const;
  std::size_t room() const;
  void send(std::string_view bytes);
  void send_eof();

  stream_client* client_ = nullptr; ///< from `begin` to `end`

private:
  std::uint64_t sent_ = 0, acked_ = 0;
};

/// A new command, under a session number that the guest has not seen.
std::shared_ptr<stream> exec_stream(std::shared_ptr<machine_link> link, std::uint32_t session,
                                    guest::open_body command);
/// One that runs already.
std::shared_ptr<stream> attach_stream(std::shared_ptr<machine_link> link, std::uint32_t session,
                                      guest::attach_body from);
std::shared_ptr<stream> log_stream(reactor& loop, std::filesystem::path file, bool follow);
std::shared_ptr<stream> console_stream(reactor& loop, std::filesystem::path file,
                                       unique_fd process);
/// The lines that the feed remembers; or the last `follow_after` of them, and then all that come.
std::shared_ptr<stream> line_stream(std::shared_ptr<line_feed> feed,
                                    std::optional<std::size_t> follow_after);

class stream_client : public std::enable_shared_from_this<stream_client> {
public:
  /// Finds what a token stands for, once; nothing if it is unknown, used or too old.
  using redeem = std::function<std::shared_ptr<stream>(const std::string& token)>;

  stream_client(reactor& loop, unique_fd socket, const stream_limits& limits, redeem find,
                std::function<void(int fd)> on_closed);

  void start();
  void close();  ///< at once
  void let_go(); ///< at once; a command goes on in the guest

  // For the stream behind it. Data and control are in the order of the calls.
  outgoing& out() { return out_; }
  void written(); ///< after calls to `out()`: waits for room if need be
  void resume();
  void finish();                          ///< no more is to come; closes when all is written
  void fail_with(const std::string& why); ///< `failed`, then as `finish`

  bool attached() const { return bool(stream_); }
  std::size_t buffered_bytes() const;

private:
  enum class stage : std::uint8_t { token, streaming, flushing, lingering, closed };

  void on_ready(std::uint32_t events);
  void read();
  void read_token();
  void read_frames();
  void discard();
  void begin(const std::string& token);
  void arm();
  void set_deadline(std::chrono::milliseconds after);
  std::shared_ptr<stream> detach();
  void close_socket();

  reactor& loop_;
  unique_fd socket_;
  stream_limits limits_;
  redeem find_;
  std::function<void(int)> on_closed_;
  stage stage_ = stage::token;
  std::string token_;
  frame_reader reader_;
  outgoing out_;
  std::shared_ptr<stream> stream_;
  reactor::timer_id deadline_ = 0;
  std::uint32_t armed_ = 0;
};

} // namespace banger::io
