#include "messages/handover/handover.hpp"
#include "messages/handover/shelf.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <mutex>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <thread>

namespace banger::handover {

namespace {

bool send_with(int socket, std::string_view text, const descriptors& fds) {
  alignas(cmsghdr) std::array<char, CMSG_SPACE(most_descriptors * sizeof(int))> room{};
  std::string copy(text);
  iovec piece{copy.data(), copy.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = room.data();
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    for (std::size_t i = 0; i < fds.size(); ++i) {
      const int fd = fds[i].get();
      std::memcpy(CMSG_DATA(header) + i * sizeof(int), &fd, sizeof fd);
    }
  }
  return ::sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) ==
         static_cast<ssize_t>(copy.size());
}

// Signals are for the threads that await them.
class without_signals {
public:
  without_signals() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~without_signals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  without_signals(const without_signals&) = delete;
  without_signals& operator=(const without_signals&) = delete;

private:
  sigset_t before_{};
};

unique_fd make_spare() { return unique_fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

} // namespace

class server::impl {
public:
  impl(local::listener listener, options opts)
      : opts_(std::move(opts)), listener_(std::move(listener)), spare_(make_spare()),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), shelf_(opts_.life, opts_.max_held) {}
  impl(const impl&) = delete;
  impl& operator=(const impl&) = delete;
  ~impl() { close(); }

  expected<void> start() {
    const int flags = ::fcntl(listener_.socket(), F_GETFL);
    if (!wake_ || !spare_ || flags < 0 ||
        ::fcntl(listener_.socket(), F_SETFL, flags | O_NONBLOCK) != 0)
      return fail_errno("cannot hand descriptors over", errno);
    const without_signals quiet;
    thread_ = std::thread([this] { run(); });
    return {};
  }

  expected<std::string> offer(descriptors fds, local::peer to) {
    const std::lock_guard hold(mutex_);
    if (stopped_)
      return fail(errc::disconnected, "cannot hand descriptors over", "the helper is ending");
    auto drawn = shelf_.put(std::move(fds), to, clock::now());
    if (!drawn)
      return tl::unexpected(drawn.error());
    wake();
    return drawn->str();
  }

  std::size_t held() {
    const std::lock_guard hold(mutex_);
    return shelf_.held();
  }

  void close() {
    {
      const std::lock_guard hold(mutex_);
      stopped_ = true;
    }
    wake();
    if (thread_.joinable())
      thread_.join();
    listener_ = {};
    connections_.clear();
    const std::lock_guard hold(mutex_);
    shelf_.expire(clock::time_point::max());
  }

private:
  struct connection {
    unique_fd socket;
    local::peer who;
    clock::time_point until;
  };

  void wake() { ::eventfd_write(wake_.get(), 1); }
  void refused(local::peer who, const char* why) const {
    if (opts_.refused)
      opts_.refused(who, why);
  }

  bool goes_on() {
    const std::lock_guard hold(mutex_);
    return !stopped_;
  }

  void run() {
    ::pthread_setname_np(::pthread_self(), "handover"); // another thread's is a file in /proc
    while (goes_on()) {
      std::vector<pollfd> waited{{wake_.get(), POLLIN, 0}, {listener_.socket(), POLLIN, 0}};
      for (const auto& c : connections_)
        waited.push_back({c.socket.get(), POLLIN, 0});
      if (::poll(waited.data(), waited.size(), until_next()) < 0)
        continue;
      eventfd_t drained = 0;
      ::eventfd_read(wake_.get(), &drained);
      // Backwards: those that are served go, and the indices before them stay.
      for (std::size_t i = connections_.size(); i-- > 0;)
        if (waited[i + 2].revents != 0)
          serve(i);
      tidy();
      if (waited[1].revents != 0)
        accept_some();
    }
  }

  // Milliseconds, rounded up: a deadline is over when it is looked at.
  int until_next() {
    auto next = [this] {
      const std::lock_guard hold(mutex_);
      return shelf_.next();
    }();
    for (const auto& c : connections_)
      next = std::min(next, c.until);
    if (next == clock::time_point::max())
      return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
  }

  // To close a tap takes the kernel some time: not with the lock held.
  void tidy() {
    const auto now = clock::now();
    const auto unclaimed = [&] {
      const std::lock_guard hold(mutex_);
      return shelf_.expire(now);
    }();
    std::erase_if(connections_, [&](const connection& c) {
      if (c.until <= now)
        refused(c.who, "it did not say its token in time");
      return c.until <= now;
    });
  }

  // No more than may be held: those that hold get their turn in between.
  void accept_some() {
    for (std::size_t i = 0; i < opts_.max_connections; ++i) {
      unique_fd socket(
          ::accept4(listener_.socket(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (socket) {
        admit(std::move(socket));
        continue;
      }
      if (errno == EMFILE || errno == ENFILE) {
        turn_away();
        return;
      }
      if (errno != EINTR && errno != ECONNABORTED)
        return;
    }
  }

  // Out of descriptors, the kernel would report the connection again and again.
  void turn_away() {
    spare_.reset();
    unique_fd socket(::accept4(listener_.socket(), nullptr, nullptr, SOCK_CLOEXEC));
    if (socket)
      refused(local::peer_of(socket.get()).value_or(local::peer{}), "no descriptors are left");
    socket.reset();
    spare_ = make_spare();
  }

  void admit(unique_fd socket) {
    const auto who = local::peer_of(socket.get());
    if (!who)
      return refused({}, "unknown user");
    const auto now = clock::now();
    const bool expected = [&] {
      const std::lock_guard hold(mutex_);
      return shelf_.expects(*who, now);
    }();
    if (!expected)
      return refused(*who, "nothing is offered to it");
    if (connections_.size() >= opts_.max_connections)
      return refused(*who, "too many connections");
    connections_.push_back({std::move(socket), *who, now + opts_.patience});
  }

  // One packet, one answer, and it is over.
  void serve(std::size_t index) {
    const auto c = std::move(connections_[index]);
    connections_.erase(connections_.begin() + static_cast<std::ptrdiff_t>(index));
    std::array<char, largest_packet> room{};
    const auto size = ::recv(c.socket.get(), room.data(), room.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (size <= 0)
      return;
    const auto whole = static_cast<std::size_t>(size);
    const auto shown = whole <= room.size() ? parse_request({room.data(), whole}) : std::nullopt;
    if (!shown)
      return refused(c.who, "it said something else than a token");
    const auto fds = [&] {
      const std::lock_guard hold(mutex_);
      return shelf_.take(*shown, c.who, clock::now());
    }();
    if (fds.empty())
      refused(c.who, "nothing is behind its token");
    if (!send_with(c.socket.get(), fds.empty() ? reply_nothing : reply_with(fds.size()), fds))
      refused(c.who, "it did not take what was offered");
  }

  const options opts_;
  local::listener listener_;
  unique_fd spare_, wake_;
  std::vector<connection> connections_;
  std::mutex mutex_; ///< over the two below: offers come from other threads
  shelf shelf_;
  bool stopped_ = false;
  std::thread thread_;
};

expected<server> server::start(local::listener listener, options opts) {
  auto made = std::make_unique<impl>(std::move(listener), std::move(opts));
  if (auto ok = made->start(); !ok)
    return tl::unexpected(ok.error());
  return server(std::move(made));
}

server::server(std::unique_ptr<impl> made) : impl_(std::move(made)) {}
server::server(server&&) noexcept = default;
server& server::operator=(server&&) noexcept = default;
server::~server() = default;

expected<std::string> server::offer(descriptors fds, local::peer to) {
  return impl_->offer(std::move(fds), to);
}
std::size_t server::held() const { return impl_->held(); }
void server::close() { impl_->close(); }

} // namespace banger::handover
