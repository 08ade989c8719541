// Which process is it, really?
#include "messages/base/unique_fd.hpp"
#include "privhelper/paths/paths.hpp"
#include "tests/support/catch.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <fcntl.h>
#include <iostream>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>

using namespace banger;
using namespace banger::helper;

namespace {

// Sleeps until it is killed; is what it shall be when the constructor returns.
class child {
public:
  explicit child(uid_t as = ::geteuid()) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const unique_fd read_end(ends[0]);
    unique_fd write_end(ends[1]);
    pid_ = ::fork();
    if (pid_ == 0)
      sleep_as(as, write_end.get());
    write_end.reset();
    char ready = 0;
    REQUIRE(::read(read_end.get(), &ready, 1) == 1);
    pid = static_cast<std::uint32_t>(pid_);
    started = start_time_of(pid).value();
  }
  ~child() { reap(); }
  child(const child&) = delete;
  child& operator=(const child&) = delete;

  void kill() const { ::kill(pid_, SIGKILL); }
  void reap() {
    if (pid_ <= 0)
      return;
    kill();
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  std::uint32_t pid = 0;
  std::uint64_t started = 0;

private:
  [[noreturn]] static void sleep_as(uid_t user, int ready) {
    // A name that a careless reader of /proc/PID/stat counts fields in.
    ::prctl(PR_SET_NAME, "a) R 1 2 (x");
    if (user != ::geteuid() && ::setresuid(user, user, user) != 0)
      ::_exit(1);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::write(ready, "1", 1) != 1)
      ::_exit(1);
    for (;;)
      ::pause();
  }

  pid_t pid_ = -1;
};

errc code_of(const process_claim& claim) {
  const auto process = open_process(claim);
  return process ? errc::none : process.error().code;
}

} // namespace

TEST_CASE("a process is found by its number and start time, and signalled by its descriptor") {
  child c;
  const auto process = open_process({c.pid, c.started});
  REQUIRE(process);
  CHECK(::syscall(SYS_pidfd_send_signal, process->get(), SIGKILL, nullptr, 0) == 0);
  c.reap();
  CHECK(::syscall(SYS_pidfd_send_signal, process->get(), SIGKILL, nullptr, 0) == -1);
}

TEST_CASE("a number that is another process's by now is not found") {
  const child c;
  for (const auto wrong : {c.started + 1, c.started - 1, std::uint64_t{0}, UINT64_MAX})
    CHECK(code_of({c.pid, wrong}) == errc::not_found);
}

TEST_CASE("a process that has ended is not found, reaped or not") {
  child c;
  c.kill();
  while (open_process({c.pid, c.started}))
    std::this_thread::yield();
  CHECK(code_of({c.pid, c.started}) == errc::not_found); // a zombie
  c.reap();
  CHECK(code_of({c.pid, c.started}) == errc::not_found);
}

TEST_CASE("what is no process is not found") {
  for (const auto pid : {0U, 4'194'305U, 0x80000000U, UINT32_MAX})
    CHECK(code_of({pid, 1}) == errc::not_found);
  // A thread has a number, too, and is no process.
  std::atomic<long> number{0};
  std::atomic<bool> over{false};
  std::thread other([&] {
    number = ::syscall(SYS_gettid);
    while (!over)
      std::this_thread::yield();
  });
  while (number == 0)
    std::this_thread::yield();
  const auto tid = static_cast<std::uint32_t>(number.load());
  CHECK(code_of({tid, start_time_of(tid).value_or(1)}) == errc::not_found);
  over = true;
  other.join();
}

TEST_CASE("a process of somebody else is refused") {
  const child ours;
  const auto me = ::geteuid();
  CHECK(code_of({ours.pid, ours.started, id_range{me, 1}}) == errc::none);
  CHECK(code_of({ours.pid, ours.started, id_range{me + 1, 1000}}) == errc::unauthorized);
  CHECK(code_of({1, start_time_of(1).value_or(1), id_range{200'000, 1000}}) != errc::none);
  if (me != 0) {
    std::cout << "SKIPPED: to run as another user needs root\n";
    return;
  }
  const child theirs(200'007);
  CHECK(code_of({theirs.pid, theirs.started, id_range{200'000, 1000}}) == errc::none);
  CHECK(code_of({theirs.pid, theirs.started, id_range{0, 1}}) == errc::unauthorized);
}
