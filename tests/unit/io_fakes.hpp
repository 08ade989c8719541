// What the tests of actors/io speak to: a guest's agent and a stream client at the far end of a
// socket, a process with a pidfd, and a listener that remembers.
#pragma once

#include "actors/io/machine_link.hpp"
#include "actors/io/reactor.hpp"
#include "messages/base/unique_fd.hpp"
#include "messages/guest/protocol.hpp"
#include "tests/support/catch.hpp"

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <deque>
#include <filesystem>
#include <future>
#include <mutex>
#include <optional>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

namespace banger::io::test {

using namespace std::chrono_literals;
using guest::frame;
using guest::frame_type;
using guest::header;
using guest::stream_id;

struct connected_pair {
  connected_pair() {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    near.reset(fds[0]);
    far.reset(fds[1]);
  }
  unique_fd near, far;
};

/// A folder of its own for each test, gone afterwards.
struct temporary_folder {
  temporary_folder() {
    char name[] = "/tmp/banger-test-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path = name;
  }
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::filesystem::path path;
};

/// Runs `f` in the reactor's thread and waits for it.
template <class F>
void in_reactor(reactor& loop, F f) {
  std::promise<void> done;
  loop.post([&] {
    f();
    done.set_value();
  });
  REQUIRE(done.get_future().wait_for(10s) == std::future_status::ready);
}

/// Speaks frames over a blocking socket, from the test's thread.
class frame_peer {
public:
  frame_peer(unique_fd socket, frame_type first) : fd(std::move(socket)), parser_(first) {}

  void send_raw(std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto n = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      REQUIRE(n > 0);
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  void send(frame_type type, std::uint32_t session, std::string_view payload = {},
            stream_id stream = stream_id::in, std::uint64_t offset = 0) const {
    std::string bytes;
    guest::encode(bytes, {type, stream, session, 0, offset}, payload);
    send_raw(bytes);
  }
  /// The next frame; nothing when the peer closed or nothing came in time.
  std::optional<frame> receive(std::chrono::milliseconds patience = 5000ms) {
    for (;;) {
      if (auto f = parser_.next())
        return f;
      if (parser_.broken() || !fill(patience))
        return std::nullopt;
    }
  }
  /// As `receive`, but it must be of this type.
  frame expect(frame_type type) {
    auto f = receive();
    REQUIRE(f);
    INFO("got type " << static_cast<int>(f->head.type) << ": " << f->payload);
    REQUIRE(f->head.type == type);
    return *f;
  }
  bool closed(std::chrono::milliseconds patience = 5000ms) {
    while (fill(patience)) {
    }
    return eof_;
  }

  unique_fd fd;

private:
  bool fill(std::chrono::milliseconds patience) {
    pollfd p{fd.get(), POLLIN, 0};
    if (::poll(&p, 1, static_cast<int>(patience.count())) != 1)
      return false;
    static thread_local char buffer[256 * 1024];
    const auto n = ::recv(fd.get(), buffer, sizeof buffer, 0);
    eof_ = n <= 0;
    if (n > 0)
      parser_.feed({buffer, static_cast<std::size_t>(n)});
    return n > 0;
  }

  guest::parser parser_;
  bool eof_ = false;
};

/// The guest's side of the channel.
class fake_agent : public frame_peer {
public:
  explicit fake_agent(unique_fd socket) : frame_peer(std::move(socket), frame_type::sync) {}

  void hello() { say_hello(sync_epoch()); }
  std::uint64_t sync_epoch() {
    say_hello(0); // as a guest that has noticed its host
    return guest::decode<guest::sync_body>(expect(frame_type::sync).payload)->epoch;
  }
  /// Its clock is looked after if the test wants it: other frames come one by one then.
  std::uint32_t protocol = guest::clock_since - 1;
  void say_hello(std::uint64_t epoch, std::vector<std::uint32_t> sessions = {}) const {
    guest::hello_body body;
    body.protocol = protocol;
    body.sessions = std::move(sessions);
    body.agent = "fake";
    body.epoch = epoch;
    send(frame_type::hello, 0, guest::encode(body));
  }
};

/// A client of the stream socket.
class fake_client : public frame_peer {
public:
  fake_client(const std::filesystem::path& socket, const std::string& token)
      : frame_peer(connect_to(socket), frame_type::hello) {
    send_raw(token);
  }

  static unique_fd connect_to(const std::filesystem::path& path) {
    unique_fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return fd;
  }

  // The parser looks for one type first, so these bytes go through a plain reader.
  std::optional<frame> receive(std::chrono::milliseconds patience = 5000ms) {
    for (;;) {
      if (bytes_.size() >= guest::header_size) {
        const auto h = guest::decode_header(bytes_);
        REQUIRE(h);
        if (bytes_.size() >= guest::header_size + h->length) {
          frame f{*h, bytes_.substr(guest::header_size, h->length)};
          bytes_.erase(0, guest::header_size + h->length);
          return f;
        }
      }
      pollfd p{fd.get(), POLLIN, 0};
      if (::poll(&p, 1, static_cast<int>(patience.count())) != 1)
        return std::nullopt;
      char buffer[16 * 1024];
      const auto n = ::recv(fd.get(), buffer, sizeof buffer, 0);
      if (n <= 0)
        return std::nullopt;
      bytes_.append(buffer, static_cast<std::size_t>(n));
    }
  }
  frame expect(frame_type type) {
    auto f = receive();
    REQUIRE(f);
    INFO("got type " << static_cast<int>(f->head.type) << ": " << f->payload);
    REQUIRE(f->head.type == type);
    return *f;
  }
  /// The text of a `failed` that ends the stream.
  std::string expect_end() {
    const auto body = guest::decode<guest::failed_body>(expect(frame_type::failed).payload);
    REQUIRE(body);
    REQUIRE(body->request == frame_type::open);
    REQUIRE_FALSE(receive());
    return body->text;
  }

private:
  std::string bytes_;
};

/// A process that waits to be killed.
class sleeper {
public:
  sleeper() : pid_(::fork()) {
    if (pid_ == 0)
      for (;;)
        ::pause();
  }
  ~sleeper() {
    kill();
    ::waitpid(pid_, nullptr, 0);
  }
  sleeper(const sleeper&) = delete;
  sleeper& operator=(const sleeper&) = delete;
  void kill() const { ::kill(pid_, SIGKILL); }
  unique_fd pidfd() const {
    return unique_fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  }
  std::uint32_t pid() const { return static_cast<std::uint32_t>(pid_); }

private:
  pid_t pid_;
};

/// Remembers events until the test asks for them.
class recorder {
public:
  link_listener listener() {
    return [this](link_event e) {
      std::lock_guard lock(mutex_);
      events_.push_back(std::move(e));
      came_.notify_all();
    };
  }
  /// The next event of this type; others before it are skipped.
  template <class Event>
  std::optional<Event> next(std::chrono::milliseconds patience = 5000ms) {
    std::unique_lock lock(mutex_);
    const auto until = std::chrono::steady_clock::now() + patience;
    for (;;) {
      while (!events_.empty()) {
        auto e = std::move(events_.front());
        events_.pop_front();
        if (auto* found = std::get_if<Event>(&e))
          return std::move(*found);
      }
      if (came_.wait_until(lock, until) == std::cv_status::timeout && events_.empty())
        return std::nullopt;
    }
  }

private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<link_event> events_;
};

/// A frame, as it travels.
inline std::string encoded(frame_type type, std::uint32_t session, std::string_view payload = {},
                           stream_id stream = stream_id::in, std::uint64_t offset = 0) {
  std::string bytes;
  guest::encode(bytes, {type, stream, session, 0, offset}, payload);
  return bytes;
}

/// A link with all its far ends in the test's hands.
struct fake_machine {
  explicit fake_machine(reactor& r) : loop(r) {
    connected_pair to_agent, to_qmp, to_console;
    agent.emplace(std::move(to_agent.far));
    qmp = std::move(to_qmp.far);
    console = std::move(to_console.far);
    hypervisor::running_machine machine;
    machine.process.pid = process.pid();
    machine.pidfd = process.pidfd();
    machine.agent = std::move(to_agent.near);
    machine.qmp = std::move(to_qmp.near);
    machine.console = std::move(to_console.near);
    link = open_link(loop, std::move(machine), console_log(), events.listener());
  }
  ~fake_machine() {
    link->close();
    in_reactor(loop, [] {});
  }
  std::filesystem::path console_log() const { return folder.path / "console.log"; }

  reactor& loop;
  temporary_folder folder;
  sleeper process;
  recorder events;
  std::optional<fake_agent> agent;
  unique_fd qmp, console;
  std::shared_ptr<machine_link> link;
};

} // namespace banger::io::test
