// A server of descriptors that somebody keeps busy.
#include "messages/handover/handover.hpp"
#include "tests/unit/storage_scratch.hpp"

#include <array>
#include <atomic>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace banger;
using namespace std::chrono_literals;

TEST_CASE("whoever knocks again as soon as he is refused keeps nobody from what is his") {
  const test::scratch top;
  const auto path = top / "fd.sock";
  std::atomic<bool> over{false};
  const auto knock = [&] {
    if (!over)
      unique_fd(local::connect(path, 1s, SOCK_SEQPACKET).value_or(-1));
  };
  auto listener = local::listen(path, {}, SOCK_SEQPACKET);
  REQUIRE(listener);
  std::vector<unique_fd> one;
  one.emplace_back(::dup(STDERR_FILENO));
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::array<char, 32> shown{};
    const bool told = ::read(ends[0], shown.data(), shown.size()) == 32;
    const auto got = handover::fetch(path, {shown.data(), shown.size()}, 1, 5s);
    ::_exit(told && got ? 0 : 1);
  }
  // In the server's thread: the next one is there before it looks for it.
  auto server = handover::server::start(
      std::move(*listener), {.refused = [&](local::peer, const std::string&) { knock(); }});
  REQUIRE(server);
  knock();
  const auto shown =
      server->offer(std::move(one), {static_cast<std::uint32_t>(child), ::geteuid()});
  REQUIRE(shown);
  REQUIRE(::write(ends[1], shown->data(), shown->size()) == 32);
  int status = 0;
  ::waitpid(child, &status, 0);
  over = true;
  ::close(ends[0]);
  ::close(ends[1]);
  CHECK(WEXITSTATUS(status) == 0);
}
