// One TCP connection: queries with their lengths come in, answers go out. In the reactor's thread;
// inside this folder only.
#pragma once

#include "actors/io/reactor.hpp"
#include "messages/base/unique_fd.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace banger::dns {

class conversation : public std::enable_shared_from_this<conversation> {
public:
  using answer_to = std::function<std::optional<std::string>(std::string_view)>;
  /// Answers that wait for their reader. With that many, no more queries are read.
  static constexpr std::size_t most_in_flight = 16;

  /// `on_end` once, with the descriptor, when it is over by itself: let go of it then.
  conversation(io::reactor& loop, unique_fd socket, std::chrono::milliseconds idle,
               answer_to answer, std::function<void(int)> on_end);

  void start();
  /// Closes the socket. Does not call `on_end`.
  void close();

private:
  void ready(std::uint32_t events);
  bool read_some();
  bool answer_some();
  bool write_some();
  bool has_query() const;
  void await_next();
  void await_idle();
  void end();

  io::reactor& loop_;
  unique_fd socket_;
  std::chrono::milliseconds idle_;
  answer_to answer_;
  std::function<void(int)> on_end_;
  std::string in_, out_;
  io::reactor::timer_id timer_ = 0;
  bool peer_ended_ = false;
};

} // namespace banger::dns
