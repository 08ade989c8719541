// Plays a hypervisor with a guest in it, for tests that need thousands of machines: it takes QEMU's
// command line, serves QMP and the agent's port on the inherited sockets, and boots at once. How it
// misbehaves is chosen by the machine's memory (tests/vmm/README.md), the one thing about a machine
// that a test can set and a hypervisor sees.
#include "tests/vmm/guest.hpp"
#include "tests/vmm/script.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <poll.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace {

using namespace banger::scripted;

/// A listening socket and the one peer that it has.
struct port {
  int listening = -1, peer = -1;

  int fd() const { return peer >= 0 ? peer : listening; }
  void say(const std::string& bytes) {
    if (peer >= 0 && !bytes.empty() &&
        ::send(peer, bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(bytes.size()))
      hang_up();
  }
  void hang_up() {
    ::close(peer);
    peer = -1;
  }
  /// True if a peer has come.
  bool accept() {
    peer = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
    return peer >= 0;
  }
  /// What came; empty after the peer has gone.
  std::string hear() {
    std::string bytes(65536, '\0');
    const auto size = ::recv(peer, bytes.data(), bytes.size(), 0);
    if (size <= 0) {
      hang_up();
      return {};
    }
    bytes.resize(static_cast<std::size_t>(size));
    return bytes;
  }
};

/// "socket,id=agent,fd=4,..." → 4 for `agent`.
int channel_fd(const std::vector<std::string>& args, const std::string& id) {
  const auto wanted = "socket,id=" + id + ",fd=";
  for (const auto& a : args)
    if (a.starts_with(wanted))
      return std::atoi(a.c_str() + wanted.size());
  return -1;
}

unsigned memory_of(const std::vector<std::string>& args) {
  for (std::size_t i = 0; i + 1 < args.size(); ++i)
    if (args[i] == "-m")
      return static_cast<unsigned>(std::atoi(args[i + 1].c_str()));
  return 0;
}

class machine {
public:
  explicit machine(const std::vector<std::string>& args)
      : how_(behaviour_of(memory_of(args))), guest_(how_) {
    qmp_.listening = channel_fd(args, "qmp");
    agent_.listening = channel_fd(args, "agent");
    console_.listening = channel_fd(args, "console");
  }

  int run() {
    if (how_ == behaviour::dies_at_once) {
      std::fputs("scripted machine:\n\x1b[31mno such accelerator\n", stderr);
      return 3;
    }
    for (;;) {
      pollfd ready[] = {
          {qmp_.fd(), POLLIN, 0}, {agent_.fd(), POLLIN, 0}, {console_.fd(), POLLIN, 0}};
      if (::poll(ready, 3, guest_.wait_ms()) < 0 && errno != EINTR)
        return 1;
      if (ready[0].revents != 0)
        on_qmp();
      if (ready[2].revents != 0)
        on_console();
      if (ready[1].revents != 0)
        on_agent();
      guest_.on_time();
      agent_.say(guest_.take_words());
      if (guest_.status())
        return *guest_.status();
    }
  }

private:
  void on_console() {
    if (console_.peer >= 0)
      console_.hear();
    else if (console_.accept())
      console_.say("scripted machine: " + std::string(name_of(how_)) + "\n");
  }

  void on_agent() {
    if (agent_.peer >= 0) {
      const auto bytes = agent_.hear();
      return bytes.empty() ? guest_.host_went() : guest_.hear(bytes);
    }
    if (agent_.accept())
      guest_.host_came();
  }

  void on_qmp() {
    if (qmp_.peer < 0) {
      if (qmp_.accept())
        qmp_.say("{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n");
      return;
    }
    lines_ += qmp_.hear();
    for (auto end = lines_.find('\n'); end != std::string::npos; end = lines_.find('\n')) {
      obey(lines_.substr(0, end));
      lines_.erase(0, end + 1);
    }
  }

  void obey(const std::string& line) {
    std::string id;
    if (const auto at = line.find("\"id\":"); at != std::string::npos) {
      const auto begin = line.find_first_not_of(" ", at + 5);
      id = ", \"id\": " + line.substr(begin, line.find_first_of(",}", begin) - begin);
    }
    qmp_.say("{\"return\": {}" + id + "}\r\n");
    if (line.find("\"quit\"") != std::string::npos && how_ != behaviour::ignores_quit)
      guest_.end(0);
  }

  behaviour how_;
  guest guest_;
  port qmp_, agent_, console_;
  std::string lines_;
};

} // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args == std::vector<std::string>{"--version"}) {
    std::puts("QEMU emulator version 7.2.0 (scripted)");
    return 0;
  }
  return machine(args).run();
}
