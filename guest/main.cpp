// PID 1 of every banger machine: says hello before it touches a disk, then does what it is told.
// Or, started by the image's init, the agent in place of one that was killed.
#include "guest/agent.hpp"
#include "guest/files.hpp"
#include "guest/modules.hpp"
#include "guest/port.hpp"
#include "guest/power.hpp"
#include "guest/text.hpp"

#include <csignal>
#include <fcntl.h>
#include <sys/klog.h>
#include <sys/reboot.h>
#include <sys/resource.h>

namespace banger::guest {

namespace {

constexpr const char* port_name = "banger.agent.0";
constexpr int port_timeout_ms = 30'000;

[[noreturn]] void give_up(const problem& p) {
  klog_error(p.text);
  end_machine(finale::power_off, [] {});
}

// Without an initial console there is nothing behind 0, 1 and 2, and pipes would take their place.
void open_console() {
  for (int fd = ::open("/dev/console", O_RDWR); fd >= 0 && fd < 2;)
    fd = ::dup(fd);
}

// While the kernel boots only what is worse than an error is shown: without PCI, as here, it says
// that there is none as if it were one. From here on errors are shown.
void show_errors() {
  constexpr int set_console_level = 8, errors_and_worse = 4;
  ::klogctl(set_console_level, nullptr, errors_and_worse);
}

// Of open files the kernel allows its first process 4096 at most, systemd its services so many.
void raise_limits() {
  constexpr rlimit files{1024, 524'288};
  ::setrlimit(RLIMIT_NOFILE, &files);
}

[[noreturn]] void run() {
  show_errors();
  raise_limits();
  auto ok = mount_early();
  if (::fcntl(2, F_GETFD) < 0)
    open_console();
  ::reboot(RB_DISABLE_CAD);
  loop events;
  if (ok)
    ok = events.open();
  auto uevents = open_uevents();
  if (!ok || !uevents)
    give_up(ok ? uevents.error() : ok.error());
  auto groups = module_groups(read_file("/modules/order"));
  auto said = load_modules(groups.front());
  std::vector<std::string> later;
  for (std::size_t i = 1; i < groups.size(); ++i)
    later.insert(later.end(), groups[i].begin(), groups[i].end());
  auto port = open_port(uevents->get(), port_name, port_timeout_ms);
  if (!port)
    give_up(port.error());
  uevents->reset();
  agent(events, std::move(later), std::move(said)).serve(std::move(*port));
}

// What fails here is tried again by the init, such as a port that is not free yet.
int succeed() {
  auto left = inherit();
  if (!left) {
    constexpr char text[] = "banger-init is started by the kernel of a banger machine\n";
    [[maybe_unused]] const auto size = ::write(2, text, sizeof text - 1);
    return 2;
  }
  auto alone = become_the_agent();
  loop events;
  auto ok = alone ? events.open() : tl::unexpected(alone.error());
  auto uevents = open_uevents();
  auto port = uevents ? open_port(uevents->get(), port_name, port_timeout_ms)
                      : tl::unexpected(uevents.error());
  if (!ok || !port) {
    klog(ok ? port.error().text : ok.error().text);
    return 1;
  }
  uevents->reset();
  agent successor(events, {}, {});
  successor.succeed(std::move(*left), std::move(*alone));
  successor.serve(std::move(*port));
}

} // namespace

} // namespace banger::guest

int main() {
  if (::getpid() != 1)
    return banger::guest::succeed();
  banger::guest::run();
}
