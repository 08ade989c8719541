// What the transport tests are made of, without CAF: a server process, and a peer that speaks raw
// frames.
#pragma once

#include "messages/transport/frames.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace banger::test {

/// A folder of its own, removed at the end.
class folder {
public:
  folder();
  ~folder();
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;
  std::filesystem::path path;
};

class server_process {
public:
  explicit server_process(const std::filesystem::path& socket, std::vector<std::string> flags = {});
  ~server_process(); ///< ends it, orderly unless it was killed
  server_process(const server_process&) = delete;
  server_process& operator=(const server_process&) = delete;

  /// The next line that begins so, within `patience`; empty if there is none. Drops the lines
  /// before it.
  std::string line(std::string_view beginning,
                   std::chrono::milliseconds patience = std::chrono::seconds(10));
  void kill();
  int end();  ///< asks it to end, and waits
  int wait(); ///< its exit status, or minus the signal
  bool alive() const;
  std::uint64_t rss_kib() const;
  std::size_t descriptors() const;
  double cpu_seconds() const;
  std::string stderr_text() const;

  pid_t pid = -1;
  std::string first_line; ///< "ready ..." or "failed CODE ..."
  std::uint64_t gateway = 0, vms = 0, system = 0, operations = 0, images = 0; ///< actor ids

private:
  bool read_more(std::chrono::milliseconds patience);

  std::filesystem::path errors_;
  int input_ = -1, output_ = -1;
  std::string buffer_;
};

/// Bytes as BASP writes them.
class bytes {
public:
  bytes& number(std::uint64_t value, std::size_t size);
  bytes& length(std::uint32_t value);
  bytes& text(std::string_view value);
  bytes& raw(std::string_view value);
  std::string data;
};

std::string frame(frames::operation what, std::uint8_t flags, std::uint64_t message,
                  std::uint64_t source, std::uint64_t dest, std::string_view payload);
std::string node_of(std::uint32_t pid);
std::string message(std::string_view types, std::string_view content);

inline constexpr std::uint64_t one_way = 0x1000'0000'0000'0000;

/// A connection that says what it likes.
class raw_peer {
public:
  explicit raw_peer(const std::filesystem::path& socket);
  ~raw_peer();
  raw_peer(const raw_peer&) = delete;
  raw_peer& operator=(const raw_peer&) = delete;

  bool say(std::string_view data); ///< false once the other side has closed
  void greet();                    ///< a correct handshake
  /// Waits until the other side closes, and reads what it says until then.
  bool closed_within(std::chrono::milliseconds patience = std::chrono::seconds(5));
  /// Reads exactly so much; shorter if the other side closes before.
  std::string hear(std::size_t size);
  void hear_greeting();

  frames::node server{}; ///< after hear_greeting
  int socket = -1;
};

/// Sanitizers keep freed memory for a while, so nothing can be said about a process's size then.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool size_tells = false;
#elif defined(__has_feature)
#  if __has_feature(address_sanitizer)
inline constexpr bool size_tells = false;
#  else
inline constexpr bool size_tells = true;
#  endif
#else
inline constexpr bool size_tells = true;
#endif

/// BANGER_TEST_TIME_SCALE, at least 1: how much slower this machine may be.
double time_scale();

double micros_since(std::chrono::steady_clock::time_point start);

} // namespace banger::test
