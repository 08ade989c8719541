// A client in front of servers that are not what they should be.
#include "messages/handover/handover.hpp"
#include "tests/unit/storage_scratch.hpp"

#include <array>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <iostream>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>

using namespace banger;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

const std::string some_token(32, 'a');

/// Sends `text` with `count` descriptors of what `pipe` is written to.
void send_with(int socket, std::string text, const unique_fd& pipe, std::size_t count) {
  std::vector<char> room(CMSG_SPACE(count * sizeof(int)));
  iovec piece{text.data(), text.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  if (count > 0) {
    message.msg_control = room.data();
    message.msg_controllen = room.size();
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    const int fd = pipe.get();
    for (std::size_t i = 0; i < count; ++i)
      std::memcpy(CMSG_DATA(header) + i * sizeof(int), &fd, sizeof fd);
  }
  ::sendmsg(socket, &message, MSG_NOSIGNAL);
}

/// What `fetch` of `count` says when a server answers so; nothing it sent stays open.
errc against(const std::function<void(int socket, const unique_fd& pipe)>& answer,
             std::size_t count = 1, std::chrono::milliseconds deadline = 2s) {
  const test::scratch top;
  auto listener = local::listen(top / "s", {}, SOCK_SEQPACKET);
  REQUIRE(listener);
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const unique_fd kept(ends[0]);
  unique_fd given(ends[1]);
  std::thread server([&] {
    const unique_fd socket(::accept4(listener->socket(), nullptr, nullptr, SOCK_CLOEXEC));
    std::array<char, 64> request{};
    ::recv(socket.get(), request.data(), request.size(), 0);
    answer(socket.get(), given);
    given.reset();
    ::recv(socket.get(), request.data(), request.size(), 0);
  });
  const auto got = handover::fetch(top / "s", some_token, count, deadline);
  server.join();
  pollfd hung_up{kept.get(), 0, 0};
  CHECK((got || ::poll(&hung_up, 1, 2000) == 1));
  return got ? errc::none : got.error().code;
}

} // namespace

TEST_CASE("a client takes exactly what was asked for") {
  const auto sends = [](const char* text, std::size_t count) {
    return [=](int socket, const unique_fd& pipe) { send_with(socket, text, pipe, count); };
  };
  CHECK(against(sends("+1", 1)) == errc::none);
  CHECK(against(sends("+64", 64), 64) == errc::none);
  CHECK(against(sends("+1", 0)) == errc::bad_version); // says so, and does not
  CHECK(against(sends("+1", 2)) == errc::bad_version); // more than it says
  CHECK(against(sends("+2", 1), 2) == errc::bad_version);
  CHECK(against(sends("+2", 2)) == errc::bad_version); // more than was asked for
  CHECK(against(sends("+64", 65), 64) == errc::busy);  // more than fit: cut off by the kernel
  CHECK(against(sends("+1", 200)) == errc::busy);
  CHECK(against(sends("-", 0)) == errc::not_found);
  CHECK(against(sends("-", 1)) == errc::not_found); // a refusal that brings something
  CHECK(against(sends("", 1)) == errc::disconnected);
  CHECK(against(sends("+1 and more", 1)) == errc::bad_version);
  CHECK(against([](int socket, const unique_fd& pipe) {
          send_with(socket, std::string(1000, '+'), pipe, 1);
        }) == errc::bad_version);
}

TEST_CASE("a client does not wait for ever") {
  const auto begun = std::chrono::steady_clock::now();
  const auto silence = [](int, const unique_fd&) {};
  CHECK(against(silence, 1, 100ms) == errc::timed_out);
  CHECK(std::chrono::steady_clock::now() - begun < 2s);
  CHECK(against([](int socket, const unique_fd&) { ::shutdown(socket, SHUT_RDWR); }) ==
        errc::disconnected);
}

TEST_CASE("where nobody listens there is nothing to fetch") {
  const test::scratch top;
  CHECK(handover::fetch(top / "s", some_token, 1, 1s).error().code == errc::not_found);
  CHECK(handover::fetch(std::string(200, 'x'), some_token, 1, 1s).error().code ==
        errc::bad_request);
}

TEST_CASE("a listener that is neither root nor us is told nothing") {
  if (::geteuid() != 0) {
    std::cout << "SKIPPED: to listen as another user needs root\n";
    return;
  }
  const test::scratch top;
  fs::permissions(top.top(), fs::perms::all);
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setresuid(12345, 12345, 12345) != 0)
      ::_exit(1);
    auto listener = local::listen(top / "s", {}, SOCK_SEQPACKET);
    ::close(ends[0]);
    if (!listener || ::write(ends[1], "x", 1) != 1)
      ::_exit(2);
    for (;;)
      ::pause();
  }
  ::close(ends[1]);
  char ready = 0;
  REQUIRE(::read(ends[0], &ready, 1) == 1);
  ::close(ends[0]);
  // Root alone would be let in by any mode: what counts is who is at the other end. A client that
  // is a third user, so that neither fits.
  const auto got = [&] {
    const pid_t client = ::fork();
    if (client == 0) {
      fs::permissions(top / "s", fs::perms::all);
      if (::setresuid(23456, 23456, 23456) != 0)
        ::_exit(100);
      const auto outcome = handover::fetch(top / "s", some_token, 1, 1s);
      ::_exit(outcome ? 101 : static_cast<int>(outcome.error().code));
    }
    int status = 0;
    ::waitpid(client, &status, 0);
    return WEXITSTATUS(status);
  }();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(got == static_cast<int>(errc::unauthorized));
}
