// A child that gives rights up, and what it still has to be able to do.
#pragma once

#include "messages/base/unique_fd.hpp"
#include "privhelper/confinement.hpp"
#include "tests/unit/storage_scratch.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <functional>
#include <iostream>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>

namespace banger::test {

namespace fs = std::filesystem;

inline bool is_root() {
  if (::geteuid() == 0)
    return true;
  std::cout << "SKIPPED: to give rights up, one must have them: this needs root\n";
  return false;
}

/// What went wrong in a child, line by line.
class report {
public:
  void that(bool good, const std::string& what) {
    if (!good)
      text += what + "\n";
  }
  /// `result` of a call is -1, with this errno.
  void refused(long result, const std::string& call, int error = EPERM) {
    const int got = errno;
    that(result == -1 && got == error,
         call + (result == -1 ? ": " + std::string(std::strerror(got)) : " works"));
  }
  std::string text;
};

inline std::string in_child(const std::function<void(report&)>& work) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  unique_fd read_end(ends[0]), write_end(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    report r;
    work(r);
    r.text += "end";
    ::_exit(::write(write_end.get(), r.text.data(), r.text.size()) < 0 ? 1 : 0);
  }
  write_end.reset();
  std::string text;
  std::array<char, 4096> piece{};
  for (ssize_t n = 0; (n = ::read(read_end.get(), piece.data(), piece.size())) > 0;)
    text.append(piece.data(), static_cast<std::size_t>(n));
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status)) : text;
}

inline void be(report& r, const expected<void>& confined) {
  r.that(confined.has_value(), confined ? "" : describe(confined.error()));
}

// What CAF, log and servers are made of.
inline void check_still_works(report& r, const fs::path& folder) {
  int found = 0;
  std::thread([&found] {
    ::pthread_setname_np(::pthread_self(), "other");
    found = 1;
  }).join();
  r.that(found == 1, "no thread");
  const unique_fd event(::eventfd(0, EFD_CLOEXEC)), poller(::epoll_create1(EPOLL_CLOEXEC)),
      timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
  epoll_event about{};
  about.events = EPOLLIN;
  r.that(event && poller && timer, "no eventfd, epoll or timerfd");
  r.that(::epoll_ctl(poller.get(), EPOLL_CTL_ADD, event.get(), &about) == 0, "no epoll_ctl");
  ::eventfd_write(event.get(), 1);
  r.that(::epoll_wait(poller.get(), &about, 1, 1000) == 1, "no epoll_wait");
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  r.that(::sigprocmask(SIG_BLOCK, &signals, nullptr) == 0, "no sigprocmask");
  r.that(static_cast<bool>(unique_fd(::signalfd(-1, &signals, SFD_CLOEXEC))), "no signalfd");
  r.that(::raise(SIGTERM) == 0, "no raise");
  std::vector<std::string> much(1000, std::string(100'000, 'x'));
  r.that(much.back().size() == 100'000, "no memory");
  std::ofstream(folder / "log") << "a line\n";
  r.that(fs::file_size(folder / "log") == 7, "no file is written");
  r.that(::write(STDERR_FILENO, "", 0) == 0, "no stderr");
  const unique_fd server(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{AF_UNIX, {}};
  (folder / "s").native().copy(address.sun_path, sizeof address.sun_path - 1);
  const auto* raw = reinterpret_cast<const sockaddr*>(&address);
  r.that(::bind(server.get(), raw, sizeof address) == 0 && ::listen(server.get(), 1) == 0 &&
             ::connect(client.get(), raw, sizeof address) == 0,
         "no unix socket");
  const unique_fd accepted(::accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC));
  r.that(::send(client.get(), "x", 1, 0) == 1, "no send");
  r.that(::unlink(address.sun_path) == 0, "no unlink");
}

inline void check_tap(report& r) {
  const unique_fd tap(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  ifreq ask{};
  std::strcpy(ask.ifr_name, "tap-fc-unit");
  ask.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  r.that(static_cast<bool>(tap) && ::ioctl(tap.get(), TUNSETIFF, &ask) == 0 &&
             ::ioctl(tap.get(), TUNSETPERSIST, 0UL) == 0 && ::if_nametoindex("tap-fc-unit") > 0,
         "no tap: " + std::string(std::strerror(errno)));
}

} // namespace banger::test
