// Runs programs for tests: streams apart, a deadline for everything, never a shell.
#pragma once

#include "messages/base/unique_fd.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace banger::test {

using clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// A deadline as this machine needs it: times BANGER_TEST_TIME_SCALE (1 if unset).
milliseconds scaled(milliseconds deadline);

enum class input { empty, closed, pipe };

struct program {
  std::vector<std::string> argv;          ///< argv[0] is a path, or is searched in our PATH
  std::map<std::string, std::string> env; ///< the whole environment
  input in = input::empty;
  std::int64_t uid = -1; ///< run as this user (and group); needs root
};

/// A program that runs. Its destructor kills it if it still does.
class child {
public:
  explicit child(const program& p);
  ~child();
  child(const child&) = delete;
  child& operator=(const child&) = delete;

  pid_t pid() const { return pid_; }
  const std::string& out() const { return out_; }
  const std::string& err() const { return err_; }

  /// Bytes for stdin; written while we wait for something. No more after `end_input`.
  void write(std::string_view bytes) { pending_ += bytes; }
  /// Asked for more whenever stdin has room; an empty answer ends the input.
  void feed(std::function<std::string()> source) { source_ = std::move(source); }
  void end_input() { input_ends_ = true; }
  /// Gets stdout instead of `out()`.
  void drain(std::function<void(std::string_view)> sink) { sink_ = std::move(sink); }
  /// While false, stdout is not read: a reader that stalls.
  void read_output(bool wanted) { reading_ = wanted; }

  void signal(int number) const;
  /// Moves bytes until `met` or the deadline; answers `met()`. The deadline is scaled.
  bool until(const std::function<bool()>& met, milliseconds deadline);
  /// Moves bytes for that long, not scaled.
  void run_for(milliseconds time);
  /// The exit status, 128 + signal, or -1 if it still runs at the deadline (scaled).
  int wait(milliseconds deadline);
  bool running();

private:
  void step(milliseconds patience);
  void write_some();
  void read_some(unique_fd& fd, bool is_out);
  void reap(bool block);

  pid_t pid_ = -1;
  int status_ = -1;
  unique_fd pidfd_, in_, out_fd_, err_fd_;
  std::string pending_, out_, err_;
  std::function<std::string()> source_;
  std::function<void(std::string_view)> sink_;
  bool input_ends_ = false;
  bool reading_ = true;
};

struct outcome {
  int status = -1; ///< as `child::wait`
  std::string out, err;
  milliseconds took{};
};

/// Runs it to its end with these bytes as its stdin.
outcome run(program p, std::string_view stdin_bytes, milliseconds deadline);

} // namespace banger::test
