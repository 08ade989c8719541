#include "messages/transport/socket.hpp"

#include "messages/base/paths.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace banger::local {

namespace fs = std::filesystem;

namespace {

constexpr int backlog = 128;

class descriptor {
public:
  explicit descriptor(int fd) : fd_(fd) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

private:
  int fd_;
};

int new_socket(int type) { return ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0); }

// The caller has checked the length.
sockaddr_un address_of(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.native().size() + 1);
  return address;
}

int connect_to(int fd, const fs::path& path) {
  const auto address = address_of(path);
  return ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? 0
                                                                                         : errno;
}

std::string read_owner(int lock) {
  char text[32] = {};
  const auto size = ::pread(lock, text, sizeof text - 1, 0);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "unknown";
}

tl::unexpected<failure> taken(const fs::path& path, std::string why) {
  return fail(errc::already_exists, "a daemon already serves " + path.string(), std::move(why),
              "use that one, or stop it first");
}

expected<int> take_lock(const fs::path& path) {
  const auto lock_path = path.string() + ".lock";
  descriptor lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock)
    return fail_errno("cannot open the lock " + lock_path, errno);
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    return errno == EWOULDBLOCK
               ? expected<int>(taken(path, "its lock is held by process " + read_owner(lock.get())))
               : expected<int>(fail_errno("cannot lock " + lock_path, errno));
  const auto pid = std::to_string(::getpid());
  if (::ftruncate(lock.get(), 0) != 0 ||
      ::pwrite(lock.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size()))
    return fail_errno("cannot write the lock " + lock_path, errno);
  return lock.release();
}

// Only with the lock held. Somebody who ignores the lock may still be there, so it knocks first.
expected<void> remove_stale(const fs::path& path, int type) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0)
    return errno == ENOENT ? expected<void>()
                           : expected<void>(fail_errno("cannot look at " + path.string(), errno));
  if (!S_ISSOCK(info.st_mode))
    return fail(errc::bad_request, "will not replace " + path.string(), "it is not a socket",
                "remove it, or choose another path");
  descriptor probe(new_socket(type | SOCK_NONBLOCK));
  if (!probe)
    return fail_errno("cannot make a socket", errno);
  const int knock = connect_to(probe.get(), path);
  // EPROTOTYPE: somebody answers there, in another manner.
  if (knock == 0 || knock == EAGAIN || knock == EPROTOTYPE)
    return taken(path, "somebody who does not hold its lock answers there");
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return fail_errno("cannot remove the stale socket " + path.string(), errno);
  return {};
}

timeval to_timeval(std::chrono::milliseconds span) {
  const auto millis = std::max<std::chrono::milliseconds::rep>(span.count(), 1);
  return {static_cast<time_t>(millis / 1000), static_cast<suseconds_t>(millis % 1000 * 1000)};
}

tl::unexpected<failure> cannot_connect(const fs::path& path, int error) {
  const auto what = "cannot reach the daemon at " + path.string();
  switch (error) {
  case ENOENT:
  case ENOTDIR: return fail(errc::not_found, what, "there is no socket", "start bangerd");
  case ECONNREFUSED: return fail(errc::not_found, what, "nobody listens there", "start bangerd");
  case EACCES:
  case EPERM:
    return fail(errc::unauthorized, what, std::strerror(error),
                "the socket, or a folder on its way, is closed to this user: see `ls -ld " +
                    path.parent_path().string() + "`");
  case EAGAIN: return fail(errc::busy, what, "it does not accept connections", "try again");
  default: return fail_errno(what, error);
  }
}

} // namespace

expected<peer> peer_of(int socket) {
  ucred who{};
  socklen_t size = sizeof who;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size) != 0)
    return fail_errno("cannot tell who is at the other end of a socket", errno);
  return peer{static_cast<std::uint32_t>(who.pid), who.uid};
}

void listener::swap(listener& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  std::swap(socket_, other.socket_);
  std::swap(device_, other.device_);
  std::swap(inode_, other.inode_);
}

listener::~listener() {
  unlink();
  if (socket_ >= 0)
    ::close(socket_);
  if (lock_ >= 0)
    ::close(lock_);
}

int listener::release_socket() { return std::exchange(socket_, -1); }

void listener::unlink() {
  struct stat info {};
  if (inode_ != 0 && ::lstat(path_.c_str(), &info) == 0 && info.st_dev == device_ &&
      info.st_ino == inode_)
    ::unlink(path_.c_str());
  inode_ = 0;
}

expected<listener> listen(const fs::path& path, std::optional<uid_t> owner, int type) {
  if (auto ok = check_socket_path(path); !ok)
    return tl::unexpected(ok.error());
  const auto lock = take_lock(path);
  if (!lock)
    return tl::unexpected(lock.error());
  listener made;
  made.lock_ = *lock;
  made.path_ = path;
  if (auto ok = remove_stale(path, type); !ok)
    return tl::unexpected(ok.error());
  made.socket_ = new_socket(type);
  // The mode of a socket's file comes from the descriptor when it is bound, so there is no moment
  // in which it is open to all.
  if (made.socket_ < 0 || ::fchmod(made.socket_, 0600) != 0)
    return fail_errno("cannot make a socket", errno);
  const auto address = address_of(path);
  if (::bind(made.socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_errno("cannot bind a socket at " + path.string(), errno);
  if (owner && ::lchown(path.c_str(), *owner, static_cast<gid_t>(-1)) != 0)
    return fail_errno("cannot give the socket " + path.string() + " to its user", errno);
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0 || ::listen(made.socket_, backlog) != 0)
    return fail_errno("cannot listen on " + path.string(), errno);
  made.device_ = info.st_dev;
  made.inode_ = info.st_ino;
  return made;
}

expected<listener> take_over(int socket, int type) {
  const auto option = [socket](int which) {
    int value = -1;
    socklen_t size = sizeof value;
    return ::getsockopt(socket, SOL_SOCKET, which, &value, &size) == 0 ? value : -1;
  };
  if (option(SO_DOMAIN) != AF_UNIX || option(SO_TYPE) != type || option(SO_ACCEPTCONN) != 1)
    return fail(errc::bad_request, "cannot serve on descriptor " + std::to_string(socket),
                type == SOCK_STREAM ? "it is not a unix stream socket that listens"
                                    : "it is not a unix socket of this type that listens");
  if (::fcntl(socket, F_SETFD, FD_CLOEXEC) != 0 ||
      ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_NONBLOCK) != 0)
    return fail_errno("cannot serve on descriptor " + std::to_string(socket), errno);
  listener taken;
  taken.socket_ = socket;
  return taken;
}

expected<int> connect(const fs::path& path, std::chrono::milliseconds deadline, int type) {
  if (auto ok = check_socket_path(path); !ok)
    return tl::unexpected(ok.error());
  descriptor fd(new_socket(type));
  const auto patience = to_timeval(deadline);
  if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)
    return fail_errno("cannot make a socket", errno);
  if (const int error = connect_to(fd.get(), path); error != 0)
    return cannot_connect(path, error);
  const auto who = peer_of(fd.get());
  if (!who)
    return tl::unexpected(who.error());
  if (who->uid != ::geteuid() && who->uid != 0)
    return fail(errc::unauthorized, "will not talk to the process at " + path.string(),
                "it runs as user " + std::to_string(who->uid), "check who made that socket");
  return fd.release();
}

} // namespace banger::local
