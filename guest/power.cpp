#include "guest/power.hpp"

#include "guest/files.hpp"
#include "guest/loop.hpp"
#include "guest/text.hpp"

#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>

namespace banger::guest {

namespace {

constexpr std::uint64_t grace_us = 2'000'000;

// As PID 1 every process ends up as our child; otherwise these are only our own commands.
bool children_left() {
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  return ::waitpid(-1, nullptr, WNOHANG) == 0;
}

void end_all(int number) {
  ::kill(-1, number);
  sigset_t child;
  ::sigemptyset(&child);
  ::sigaddset(&child, SIGCHLD);
  const auto deadline = monotonic_us() + grace_us;
  for (auto now = monotonic_us(); children_left() && now < deadline; now = monotonic_us()) {
    const auto left = deadline - now;
    const timespec wait{static_cast<time_t>(left / 1'000'000),
                        static_cast<long>(left % 1'000'000 * 1000)};
    ::sigtimedwait(&child, nullptr, &wait);
  }
}

// Empties the journal and holds back every later write; also where others stand on the mount.
void freeze(const std::string& path) {
  const unique_fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd)
    ::ioctl(fd.get(), FIFREEZE, 0);
}

void close_disks() {
  const auto mounts = split(read_file("/proc/mounts"), '\n');
  for (auto line = mounts.rbegin(); line != mounts.rend(); ++line) {
    const auto fields = split(*line, ' ');
    if (fields.size() < 3 || (fields[0].find('/') == std::string::npos && fields[2] != "overlay"))
      continue;
    // Not unmounted: we stand on the root, and an overlay holds its layers where no path leads.
    const auto* path = fields[1].c_str();
    if (::mount(nullptr, path, nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0 &&
        fields[2] != "overlay")
      freeze(path);
  }
}

} // namespace

bool ask_init_to_power_off() {
  // Only systemd says by its name what it understands.
  return read_file("/proc/1/comm") == "systemd\n" && ::kill(1, SIGRTMIN + 4) == 0;
}

void end_machine(finale how, const std::function<void()>& last_words) {
  end_all(SIGTERM);
  if (children_left())
    end_all(SIGKILL);
  ::sync();
  close_disks();
  last_words();
  if (how == finale::power_off)
    ::reboot(RB_POWER_OFF);
  // It cannot be switched off: end it in the way that ends QEMU as well.
  ::reboot(RB_AUTOBOOT);
  for (;;)
    ::pause();
}

} // namespace banger::guest
