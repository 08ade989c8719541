// What the tests of a machine's link share.
#pragma once

#include "actors/io/agent_channel.hpp"
#include "actors/io/frames.hpp"
#include "actors/io/session.hpp"
#include "io_fakes.hpp"

namespace banger::io::test {

inline std::string read_line(int fd) {
  std::string line;
  for (char c = 0; c != '\n'; line += c)
    if (::read(fd, &c, 1) != 1)
      return line;
  return line;
}

/// Counts what reaches a session.
struct counting_sink : session_sink {
  void from_guest(const header& h, std::string_view payload) override {
    bytes += payload.size();
    last = h.type;
  }
  void on_batch_end() override { ++batches; }
  void on_lost(const std::string& why) override { lost = why; }
  void on_cut() override { cut = true; }
  void on_drained() override { ++drained; }
  std::size_t bytes = 0;
  int batches = 0;
  int drained = 0;
  frame_type last{};
  std::string lost;
  bool cut = false;
};

} // namespace banger::io::test
