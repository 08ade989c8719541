#include "guest/terminal.hpp"

#include "messages/base/unique_fd.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace banger::guest {

namespace {

bool is_signal_key(const termios& modes, char key) {
  const auto is = [&](int which) { return modes.c_cc[which] == static_cast<cc_t>(key); };
  return key != _POSIX_VDISABLE && (modes.c_lflag & ISIG) != 0 && (modes.c_lflag & NOFLSH) == 0 &&
         (is(VINTR) || is(VQUIT) || is(VSUSP));
}

} // namespace

bool press_signal_key(int master, char key) {
  termios modes{};
  if (::tcgetattr(master, &modes) != 0 || !is_signal_key(modes, key))
    return false;
  const unique_fd peer(::ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!peer)
    return false;
  // What lies between master and line discipline, and then what that holds.
  ::tcflush(master, TCOFLUSH);
  ::tcflush(peer.get(), TCIFLUSH);
  return ::write(master, &key, 1) == 1;
}

} // namespace banger::guest
