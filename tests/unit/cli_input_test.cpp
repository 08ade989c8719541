// Standard input is shared with the commands that come next in a script: what a command in a VM did
// not read is left for them.
#include "cli/input_source.hpp"
#include "tests/unit/cli_scene.hpp"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <sys/wait.h>

using namespace banger;
using namespace banger::cli;
using namespace banger::cli::test;

namespace {

const std::string three_lines = "one\ntwo\nthree\n";

// A command whose agent counts; it reads `wanted` bytes of what comes, and ends.
auto command_that_reads(std::uint64_t wanted, std::string& came) {
  return [wanted, &came](server_end& peer) {
    peer.taken(0);
    peer.opened();
    if (const auto f = peer.next(frame_type::data))
      came = f->payload;
    peer.taken(wanted);
    peer.exited(guest::exit_kind::exited, 0);
  };
}

std::string rest_of(int fd) {
  std::string text(1 << 17, '\0');
  pollfd now{fd, POLLIN, 0};
  const auto n = ::poll(&now, 1, 0) > 0 ? ::read(fd, text.data(), text.size()) : 0;
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return text;
}

unique_fd file_with(const std::string& text) {
  char path[] = "/tmp/banger-input-XXXXXX";
  unique_fd file(::mkstemp(path));
  REQUIRE(file);
  ::unlink(path);
  REQUIRE(::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  REQUIRE(::lseek(file.get(), 0, SEEK_SET) == 0);
  return file;
}

} // namespace

TEST_CASE("of a pipe no more is removed than the command has read") {
  for (const auto wanted : {std::size_t{0}, std::size_t{4}, std::size_t{14}}) {
    scene s;
    std::string came;
    REQUIRE(::write(s.in.write.get(), three_lines.data(), three_lines.size()) == 14);
    REQUIRE(s.run(command_that_reads(wanted, came)));
    CHECK(came == three_lines);
    CHECK(rest_of(s.in.read.get()) == three_lines.substr(wanted));
  }
}

TEST_CASE("a read of a terminal whose line was taken by another does not wait", "[faults]") {
  const unique_fd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  REQUIRE(master);
  REQUIRE(::grantpt(master.get()) == 0);
  REQUIRE(::unlockpt(master.get()) == 0);
  const unique_fd ours(::open(::ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  REQUIRE(ours);
  input_source from(ours.get());
  REQUIRE(from.is_terminal());
  char line[16];
  ::alarm(30); // it would wait for ever
  errno = 0;
  CHECK(from.read(line) == -1);
  CHECK(errno == EAGAIN);
  REQUIRE(::write(master.get(), "ls\n", 3) == 3);
  CHECK(from.read(line) == 3);
  ::alarm(0);
}

TEST_CASE("a terminal is not read in the background, even if a line waits", "[faults]") {
  const unique_fd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  REQUIRE(master);
  REQUIRE(::grantpt(master.get()) == 0);
  REQUIRE(::unlockpt(master.get()) == 0);
  const std::string name = ::ptsname(master.get());
  const auto shell = ::fork();
  if (shell == 0) {
    ::setsid();
    const int tty = ::open(name.c_str(), O_RDWR); // of its session from now on
    if (::write(master.get(), "ls\n", 3) != 3)
      ::_exit(2);
    const auto job = ::fork();
    if (job == 0) {
      ::setpgid(0, 0);
      input_source from(tty);
      char line[16];
      ::_exit(from.read(line) == -1 && errno == EIO ? 0 : 1); // a read would stop it
    }
    int status = 0;
    ::waitpid(job, &status, WUNTRACED);
    if (WIFSTOPPED(status))
      ::kill(job, SIGKILL);
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
  }
  int status = 0;
  REQUIRE(::waitpid(shell, &status, 0) == shell);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("of a socket no more is removed than the command has read") {
  scene s;
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
  s.in.read.reset(fds[0]);
  s.in.write.reset(fds[1]);
  std::string came;
  REQUIRE(::write(s.in.write.get(), three_lines.data(), three_lines.size()) == 14);
  REQUIRE(s.run(command_that_reads(4, came)));
  CHECK(came == three_lines);
  CHECK(rest_of(s.in.read.get()) == "two\nthree\n");
}

TEST_CASE("a file goes on where the command stopped reading") {
  for (const off_t wanted : {0, 4, 14}) {
    scene s;
    s.in.read = file_with("before " + three_lines);
    REQUIRE(::lseek(s.in.read.get(), 7, SEEK_SET) == 7);
    std::string came;
    REQUIRE(s.run(command_that_reads(static_cast<std::uint64_t>(wanted), came)));
    CHECK(came == three_lines);
    CHECK(::lseek(s.in.read.get(), 0, SEEK_CUR) == 7 + wanted);
  }
}

TEST_CASE("a guest that does not count is given the input as before") {
  scene s;
  REQUIRE(::write(s.in.write.get(), "abc", 3) == 3);
  std::string came;
  REQUIRE(s.run([&](server_end& peer) {
    peer.opened();
    if (const auto f = peer.next(frame_type::data))
      came = f->payload;
    peer.exited(guest::exit_kind::exited, 0);
  }));
  CHECK(came == "abc");
  CHECK(rest_of(s.in.read.get()).empty());
}

TEST_CASE("a second piece is sent when the first was read, and the end without being asked for") {
  scene s;
  REQUIRE(::write(s.in.write.get(), "one\n", 4) == 4);
  REQUIRE(s.run([&](server_end& peer) {
    peer.taken(0);
    peer.opened();
    const auto first = peer.next(frame_type::data);
    REQUIRE(first);
    REQUIRE(::write(s.in.write.get(), "two\n", 4) == 4);
    s.in.write.reset();
    CHECK(peer.silent(100));
    peer.taken(4);
    const auto second = peer.next(frame_type::data);
    REQUIRE(second);
    CHECK(second->head.offset == 4);
    CHECK(second->payload == "two\n");
    const auto end = peer.next(); // although nobody has read the second piece
    REQUIRE(end);
    CHECK(end->head.type == frame_type::eof);
    CHECK(end->head.offset == 8);
    peer.exited(guest::exit_kind::exited, 0);
  }));
  CHECK(rest_of(s.in.read.get()) == "two\n");
}

TEST_CASE("a command that reads much gets it as fast as the window allows, unharmed") {
  const auto bytes = pattern(4'000'000);
  scene s;
  std::thread feed([&] {
    for (std::string_view rest(bytes); !rest.empty();)
      if (const auto n = ::write(s.in.write.get(), rest.data(), rest.size()); n > 0)
        rest.remove_prefix(static_cast<std::size_t>(n));
    s.in.write.reset();
  });
  std::string came;
  const auto end = s.run([&](server_end& peer) {
    peer.taken(0);
    peer.opened();
    for (auto f = peer.next(); f && f->head.type == frame_type::data; f = peer.next()) {
      came += f->payload;
      if (came.size() < 2 * guest::counted_input)
        peer.taken(came.size());
      peer.send(frame_type::ack, stream_id::in, came.size(), "");
    }
    peer.taken(came.size());
    peer.exited(guest::exit_kind::exited, 0);
  });
  feed.join();
  REQUIRE(end);
  CHECK((came == bytes));
}

TEST_CASE("lines that were typed ahead are left to what comes next") {
  unique_fd master(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  REQUIRE(::grantpt(master.get()) == 0);
  REQUIRE(::unlockpt(master.get()) == 0);
  scene s;
  s.in.read.reset(::open(::ptsname(master.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  REQUIRE(s.in.read);
  REQUIRE(::write(master.get(), three_lines.data(), three_lines.size()) == 14);
  SECTION("all of them, if the command ends at once") {
    const auto end = s.run([](server_end& peer) {
      peer.taken(0);
      peer.opened();
      peer.exited(guest::exit_kind::exited, 0);
    });
    REQUIRE(end);
    CHECK(end->unread == 0);
    CHECK(rest_of(s.in.read.get()) == "one\n");
  }
  SECTION("all but the first, if it stays and reads nothing; and that is said") {
    const auto end = s.run([](server_end& peer) {
      peer.taken(0);
      peer.opened();
      const auto f = peer.next(frame_type::data);
      REQUIRE(f);
      CHECK(f->payload == "one\n");
      CHECK(peer.silent(100));
      peer.exited(guest::exit_kind::exited, 0);
    });
    REQUIRE(end);
    CHECK(end->unread == 4);
    CHECK(rest_of(s.in.read.get()) == "two\n");
  }
}

TEST_CASE("a count of what was never sent is not believed") {
  scene s;
  const auto end = s.run([](server_end& peer) {
    peer.taken(5);
    while (peer.next()) {
    }
  });
  REQUIRE_FALSE(end);
  CHECK(end.error().code == errc::bad_version);
}
