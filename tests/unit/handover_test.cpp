// Descriptors from a server to a client, and what others try in between.
#include "messages/handover/handover.hpp"
#include "messages/handover/packets.hpp"
#include "tests/unit/storage_scratch.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <iostream>
#include <mutex>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>

using namespace banger;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

using descriptors = std::vector<unique_fd>;

local::peer myself() { return {static_cast<std::uint32_t>(::getpid()), ::geteuid()}; }

/// Pipes: the writing ends are offered, the reading ends tell whether all those are closed.
struct offered {
  descriptors given, kept;

  explicit offered(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      std::array<int, 2> ends{};
      REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
      kept.emplace_back(ends[0]);
      given.emplace_back(ends[1]);
    }
  }

  bool closed_within(std::chrono::milliseconds span) const {
    for (const auto& end : kept) {
      pollfd hung_up{end.get(), 0, 0};
      if (::poll(&hung_up, 1, static_cast<int>(span.count())) != 1)
        return false;
    }
    return true;
  }
};

struct desk {
  test::scratch top;
  fs::path path = top / "fd.sock";
  std::mutex lock;
  std::vector<std::string> refusals;
  handover::server server;

  explicit desk(handover::options opts = {}) : server(open(std::move(opts))) {}

  handover::server open(handover::options opts) {
    opts.refused = [this](local::peer, const std::string& why) {
      const std::lock_guard hold(lock);
      refusals.push_back(why);
    };
    auto listener = local::listen(path, {}, SOCK_SEQPACKET);
    REQUIRE(listener);
    auto made = handover::server::start(std::move(*listener), std::move(opts));
    REQUIRE(made);
    return std::move(*made);
  }

  std::string token(offered& what, local::peer to = myself()) {
    const auto shown = server.offer(std::move(what.given), to);
    REQUIRE(shown);
    return *shown;
  }

  errc code(const std::string& shown, std::size_t count) const {
    const auto got = handover::fetch(path, shown, count, 2s);
    return got ? errc::none : got.error().code;
  }

  bool refused_because(const std::string& why) {
    for (int i = 0; i < 200; ++i, std::this_thread::sleep_for(10ms)) {
      const std::lock_guard hold(lock);
      for (const auto& r : refusals)
        if (r == why)
          return true;
    }
    return false;
  }

  unique_fd knock() const {
    unique_fd fd(local::connect(path, 1s, SOCK_SEQPACKET).value_or(-1));
    REQUIRE(fd);
    return fd;
  }
};

bool hung_up_within(const unique_fd& fd, std::chrono::milliseconds span) {
  pollfd waited{fd.get(), POLLIN, 0};
  std::array<char, 8> rest{};
  return ::poll(&waited, 1, static_cast<int>(span.count())) == 1 &&
         ::recv(fd.get(), rest.data(), rest.size(), MSG_DONTWAIT) <= 0;
}

/// The exit status of `work` in a child.
int in_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0)
    ::_exit(work());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

} // namespace

TEST_CASE("descriptors are fetched with their token, in their order and close-on-exec") {
  desk d;
  for (const std::size_t count : {std::size_t{1}, std::size_t{2}, std::size_t{64}}) {
    offered pipes(count);
    const auto got = handover::fetch(d.path, d.token(pipes), count, 2s);
    REQUIRE(got);
    REQUIRE(got->size() == count);
    for (std::size_t i = 0; i < count; ++i) {
      CHECK(::fcntl((*got)[i].get(), F_GETFD) == FD_CLOEXEC);
      const auto byte = static_cast<char>('0' + i);
      REQUIRE(::write((*got)[i].get(), &byte, 1) == 1);
      char read = 0;
      CHECK((::read(pipes.kept[i].get(), &read, 1) == 1 && read == byte));
    }
    CHECK_FALSE(pipes.closed_within(0ms));
  }
  CHECK(d.server.held() == 0);
  CHECK(d.refusals.empty());
}

TEST_CASE("after they were fetched the descriptors live as long as the fetcher's") {
  desk d;
  offered pipes(3);
  auto got = handover::fetch(d.path, d.token(pipes), 3, 2s);
  REQUIRE(got);
  CHECK_FALSE(pipes.closed_within(50ms));
  got->clear();
  CHECK(pipes.closed_within(2s));
}

TEST_CASE("a token works once") {
  desk d;
  offered first(1), second(1);
  const auto shown = d.token(first);
  d.token(second); // so that we are expected
  CHECK(d.code(shown, 1) == errc::none);
  CHECK(d.code(shown, 1) == errc::not_found);
}

TEST_CASE("an offer that nobody fetches is closed after its time") {
  desk d({.life = 100ms});
  offered pipes(2);
  const auto shown = d.token(pipes);
  CHECK_FALSE(pipes.closed_within(20ms));
  CHECK(pipes.closed_within(2s));
  CHECK(d.server.held() == 0);
  CHECK(d.code(shown, 2) == errc::disconnected);
}

TEST_CASE("a token is worth nothing to another process of the same user") {
  desk d;
  offered pipes(1);
  const auto shown = d.token(pipes);
  CHECK(in_child([&] { return static_cast<int>(d.code(shown, 1)); }) ==
        static_cast<int>(errc::disconnected));
  CHECK(d.refused_because("nothing is offered to it"));
  CHECK(d.code(shown, 1) == errc::none);
}

TEST_CASE("nobody is heard to whom nothing is offered") {
  desk d;
  const auto fd = d.knock();
  CHECK(hung_up_within(fd, 2s));
  CHECK(d.refused_because("nothing is offered to it"));
}

TEST_CASE("what is said must be a token") {
  desk d;
  offered pipes(1);
  const auto shown = d.token(pipes);
  for (const auto& bad : {std::string("x"), shown + "0", shown + "\n", std::string(32, 'f') + "f",
                          std::string(60'000, 'a'), std::string(32, '\0')}) {
    const auto fd = d.knock();
    REQUIRE(::send(fd.get(), bad.data(), bad.size(), MSG_NOSIGNAL) > 0);
    CHECK(hung_up_within(fd, 2s));
  }
  CHECK(d.code(std::string(32, 'f'), 1) == errc::not_found);
  CHECK(d.code(shown, 1) == errc::none);
  CHECK(d.refused_because("it said something else than a token"));
  CHECK(d.refused_because("nothing is behind its token"));
}

TEST_CASE("descriptors that somebody sends are not taken") {
  desk d;
  offered pipes(1), theirs(1);
  d.token(pipes);
  const auto fd = d.knock();
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> room{};
  char byte = 'x';
  iovec piece{&byte, 1};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = room.data();
  message.msg_controllen = room.size();
  auto* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int sent = theirs.given.front().get();
  std::memcpy(CMSG_DATA(header), &sent, sizeof sent);
  REQUIRE(::sendmsg(fd.get(), &message, 0) == 1);
  theirs.given.clear();
  CHECK(theirs.closed_within(2s));
}

TEST_CASE("whoever says nothing is left after a while, and others are served meanwhile") {
  desk d({.patience = 200ms});
  offered pipes(1), more(1);
  const auto shown = d.token(pipes);
  d.token(more);
  const auto silent = d.knock();
  CHECK(d.code(shown, 1) == errc::none);
  CHECK(hung_up_within(silent, 2s));
  CHECK(d.refused_because("it did not say its token in time"));
}

TEST_CASE("no more connections are held than there may be") {
  desk d({.patience = 60s});
  offered pipes(1);
  const auto shown = d.token(pipes);
  std::vector<unique_fd> held;
  for (int i = 0; i < 16; ++i)
    held.push_back(d.knock());
  CHECK(hung_up_within(d.knock(), 2s));
  CHECK(d.refused_because("too many connections"));
  held.pop_back();
  for (int i = 0; i < 100 && d.code(shown, 1) != errc::none; ++i)
    std::this_thread::sleep_for(10ms);
  CHECK(d.server.held() == 0);
}

TEST_CASE("out of descriptors, a connection is closed instead of being reported for ever") {
  // In a child, whose limit it is.
  CHECK(in_child([] {
          desk d;
          offered pipes(1);
          const auto shown = d.token(pipes);
          const auto fd = d.knock();
          std::this_thread::sleep_for(50ms); // it is accepted
          unique_fd later(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
          rlimit limit{};
          ::getrlimit(RLIMIT_NOFILE, &limit);
          const rlimit before = limit;
          limit.rlim_cur = static_cast<rlim_t>(later.get()) + 1;
          ::setrlimit(RLIMIT_NOFILE, &limit);
          std::vector<unique_fd> filled;
          while (unique_fd one{::dup(0)})
            filled.push_back(std::move(one));
          sockaddr_un address{AF_UNIX, {}};
          d.path.native().copy(address.sun_path, sizeof address.sun_path - 1);
          if (::connect(later.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
            return 1;
          if (!hung_up_within(later, 2s))
            return 2;
          ::setrlimit(RLIMIT_NOFILE, &before);
          filled.clear();
          return d.refused_because("no descriptors are left") && d.code(shown, 1) == errc::none ? 0
                                                                                                : 3;
        }) == 0);
}

TEST_CASE("a client without room for all descriptors gets none, and an error") {
  desk d;
  offered pipes(8);
  // The offer is for the child, which is not born yet: it waits for its token.
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::array<char, 32> shown{};
    if (::read(ends[0], shown.data(), shown.size()) != 32)
      ::_exit(100);
    pipes.given.clear();
    const int next = ::dup(0);
    const rlimit limit{static_cast<rlim_t>(next) + 5, 4096};
    ::close(next);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    const auto got = handover::fetch(d.path, {shown.data(), shown.size()}, 8, 2s);
    const int after = ::dup(0);
    ::_exit(got ? 101 : after != next ? 102 : static_cast<int>(got.error().code));
  }
  const auto shown = d.token(pipes, {static_cast<std::uint32_t>(child), ::geteuid()});
  REQUIRE(::write(ends[1], shown.data(), shown.size()) == 32);
  int status = 0;
  ::waitpid(child, &status, 0);
  ::close(ends[0]);
  ::close(ends[1]);
  CHECK(WEXITSTATUS(status) == static_cast<int>(errc::busy));
  CHECK(pipes.closed_within(2s));
}

TEST_CASE("another number than was asked for is an error, and leaves nothing open") {
  desk d;
  for (const std::size_t asked : {1U, 3U}) {
    offered pipes(2);
    CHECK(d.code(d.token(pipes), asked) == errc::bad_version);
    CHECK(pipes.closed_within(2s));
  }
  CHECK(d.code(std::string(32, '0'), 0) == errc::bad_request);
  CHECK(d.code(std::string(32, '0'), 65) == errc::bad_request);
  CHECK(d.code("no token", 1) == errc::bad_request);
}

TEST_CASE("a server that is closed gives its offers up, and its socket") {
  desk d;
  offered pipes(2), late(1);
  const auto shown = d.token(pipes);
  const auto open = d.knock();
  const auto begun = std::chrono::steady_clock::now();
  d.server.close();
  CHECK(std::chrono::steady_clock::now() - begun < 1s);
  CHECK(pipes.closed_within(0ms));
  CHECK(hung_up_within(open, 0ms));
  CHECK_FALSE(fs::exists(d.path));
  CHECK(d.code(shown, 2) == errc::not_found);
  CHECK(d.server.offer(std::move(late.given), myself()).error().code == errc::disconnected);
  d.server.close();
}

TEST_CASE("many fetch at once, and each gets its own") {
  desk d;
  std::atomic<int> good{0};
  std::vector<std::thread> all;
  for (int i = 0; i < 8; ++i)
    all.emplace_back([&d, &good] {
      for (int n = 0; n < 50; ++n) {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0)
          return;
        const unique_fd read_end(ends[0]);
        descriptors one;
        one.emplace_back(ends[1]);
        const auto shown = d.server.offer(std::move(one), myself());
        const auto got = handover::fetch(d.path, *shown, 1, 2s);
        char byte = 0;
        if (got && ::write(got->front().get(), "x", 1) == 1 &&
            ::read(read_end.get(), &byte, 1) == 1)
          ++good;
      }
    });
  for (auto& one : all)
    one.join();
  CHECK(good == 400);
  CHECK(d.server.held() == 0);
}

TEST_CASE("the socket is of mode 0600 and belongs to whom it was given") {
  const test::scratch top;
  const uid_t owner = ::geteuid() == 0 ? 12345 : ::geteuid();
  const auto listener = local::listen(top / "s", owner, SOCK_SEQPACKET);
  REQUIRE(listener);
  struct stat info {};
  REQUIRE(::lstat((top / "s").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0600);
  CHECK(info.st_uid == owner);
  CHECK(local::listen(top / "s", {}, SOCK_SEQPACKET).error().code == errc::already_exists);
}

TEST_CASE("a socket of the other type that somebody answers on is left alone") {
  const test::scratch top;
  const unique_fd other(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{AF_UNIX, {}};
  (top / "s").native().copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(other.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(other.get(), 1) == 0);
  CHECK(local::listen(top / "s", {}, SOCK_SEQPACKET).error().code == errc::already_exists);
  const auto taken = local::take_over(other.get(), SOCK_SEQPACKET);
  CHECK(taken.error().code == errc::bad_request);
}
