// Preloaded into a program of ours: its wall clock is as many seconds off as the file named by
// CLOCK_SHIFT_FILE says, from one look to the next. Other clocks are left alone. A timer of that
// clock is never due; when the file was written it is cancelled, as by a kernel whose clock was
// set.
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

namespace {

long shift() {
  const char* file = std::getenv("CLOCK_SHIFT_FILE");
  char text[24] = "";
  const int fd = file != nullptr ? ::open(file, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0)
    return 0;
  const auto size = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  return size > 0 ? std::atol(text) : 0;
}

std::array<std::atomic<bool>, 1024> timers; ///< the descriptors that stand for one

bool is_timer(int fd) {
  return fd >= 0 && static_cast<std::size_t>(fd) < timers.size() &&
         timers[static_cast<std::size_t>(fd)];
}

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

} // namespace

extern "C" {

int timerfd_create(clockid_t clock, int flags) noexcept {
  static auto* const real = next<int(clockid_t, int)>("timerfd_create");
  const char* file = std::getenv("CLOCK_SHIFT_FILE");
  if (clock != CLOCK_REALTIME || file == nullptr)
    return real(clock, flags);
  const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (fd < 0 || static_cast<std::size_t>(fd) >= timers.size() ||
      ::inotify_add_watch(fd, file, IN_CLOSE_WRITE) < 0)
    std::abort();
  timers[static_cast<std::size_t>(fd)] = true;
  return fd;
}

int timerfd_settime(int fd, int flags, const itimerspec* value, itimerspec* old) noexcept {
  static auto* const real = next<int(int, int, const itimerspec*, itimerspec*)>("timerfd_settime");
  return is_timer(fd) ? 0 : real(fd, flags, value, old);
}

ssize_t read(int fd, void* buffer, size_t size) {
  static auto* const real = next<ssize_t(int, void*, size_t)>("read");
  if (!is_timer(fd))
    return real(fd, buffer, size);
  alignas(inotify_event) std::array<char, 4096> events;
  const auto got = real(fd, events.data(), events.size());
  if (got > 0)
    errno = ECANCELED;
  return -1;
}

int close(int fd) {
  static auto* const real = next<int(int)>("close");
  if (is_timer(fd))
    timers[static_cast<std::size_t>(fd)] = false;
  return real(fd);
}

int clock_gettime(clockid_t clock, timespec* now) noexcept {
  static const auto real =
      reinterpret_cast<int (*)(clockid_t, timespec*)>(::dlsym(RTLD_NEXT, "clock_gettime"));
  const int result = real(clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    now->tv_sec += shift();
  return result;
}

time_t time(time_t* out) noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr)
    *out = now.tv_sec;
  return now.tv_sec;
}

int gettimeofday(timeval* now, void*) noexcept {
  timespec exact{};
  ::clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

} // extern "C"
