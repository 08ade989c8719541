#include "actors/io/streams.hpp"

#include "actors/io/stream_client.hpp"
#include "actors/log/log.hpp"
#include "messages/base/paths.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <system_error>
#include <unordered_map>

namespace banger::io {

namespace {

constexpr auto accept_pause = std::chrono::milliseconds(100);

void draw(void* bytes, std::size_t size) {
  if (::getrandom(bytes, size, 0) != static_cast<ssize_t>(size))
    throw std::system_error(errno, std::generic_category(), "getrandom");
}

std::uint32_t random_session() {
  std::uint32_t number = 0;
  while (number == 0)
    draw(&number, sizeof number);
  return number;
}

std::string random_token() {
  std::array<unsigned char, 16> bits{};
  draw(bits.data(), bits.size());
  constexpr std::string_view digits = "0123456789abcdef";
  std::string token;
  for (const unsigned b : bits) {
    token += digits[b >> 4];
    token += digits[b & 15];
  }
  return token;
}

bool same_user(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == ::geteuid();
}

/// The socket and the lock that makes it ours alone.
struct listening {
  unique_fd lock;
  unique_fd socket;
};

expected<listening> listen_on(const std::filesystem::path& path) {
  const auto cannot = "cannot serve streams on " + path.string();
  if (auto fits = check_socket_path(path); !fits)
    return tl::unexpected(fits.error());
  listening l;
  l.lock.reset(
      ::open((path.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!l.lock)
    return fail_errno(cannot, errno);
  if (::flock(l.lock.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(errc::already_exists, cannot, "another daemon serves there",
                "see `banger daemon status`");
  struct stat there {};
  if (::lstat(path.c_str(), &there) == 0 && S_ISSOCK(there.st_mode))
    ::unlink(path.c_str()); // left by a daemon that was killed: its lock is gone
  l.socket.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.native().size() + 1);
  // The mode of the socket becomes the mode of the file, so that it is never open to others.
  if (!l.socket || ::fchmod(l.socket.get(), 0600) != 0 ||
      ::bind(l.socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(l.socket.get(), 64) != 0)
    return fail_errno(cannot, errno);
  return l;
}

/// What was offered and not fetched yet, oldest first.
class token_store {
public:
  using clock = reactor::clock;

  void add(std::string token, std::shared_ptr<stream> s, clock::time_point until,
           const stream_limits& most) {
    bytes_ += s->buffered_bytes();
    by_age_.emplace_back(until, token);
    offers_.emplace(std::move(token), std::move(s));
    while (offers_.size() > most.tokens || (bytes_ > most.token_bytes && offers_.size() > 1))
      drop_oldest();
  }

  /// Nothing if it is unknown, used or too old.
  std::shared_ptr<stream> take(const std::string& token) {
    auto found = offers_.extract(token);
    if (found.empty())
      return nullptr;
    bytes_ -= found.mapped()->buffered_bytes();
    return std::move(found.mapped());
  }

  void expire(clock::time_point now) {
    while (!by_age_.empty() && by_age_.front().first <= now)
      drop_oldest();
  }

  bool empty() const { return by_age_.empty(); }
  clock::time_point next() const { return by_age_.front().first; }

private:
  void drop_oldest() {
    take(by_age_.front().second);
    by_age_.pop_front();
  }

  std::size_t bytes_ = 0; ///< held by `offers_`
  std::unordered_map<std::string, std::shared_ptr<stream>> offers_;
  std::deque<std::pair<clock::time_point, std::string>> by_age_; ///< used ones stay till their time
};

/// In the reactor's thread.
class server : public std::enable_shared_from_this<server> {
public:
  server(reactor& loop, std::filesystem::path path, listening l, const stream_limits& limits)
      : loop_(loop), path_(std::move(path)), listening_(std::move(l)), limits_(limits) {}

  void start() {
    loop_.watch(listening_.socket.get(), EPOLLIN,
                [self = shared_from_this()](std::uint32_t) { self->accept(); });
  }
  void stop();
  void offer(std::string token, std::shared_ptr<stream> s);
  stream_stats stats() const;

  reactor& loop() { return loop_; }

private:
  void accept();
  void expire();

  reactor& loop_;
  std::filesystem::path path_;
  listening listening_;
  stream_limits limits_;
  token_store tokens_;
  reactor::timer_id expiry_ = 0;
  reactor::timer_id pause_ = 0;
  std::unordered_map<int, std::shared_ptr<stream_client>> clients_;
};

void server::accept() {
  unique_fd peer(
      ::accept4(listening_.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!peer) {
    if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS)
      return;
    // The connection stays in the queue; asking again at once would spin.
    log::warn({}, "accept_failed", {{"text", std::strerror(errno)}});
    loop_.rearm(listening_.socket.get(), 0);
    pause_ = loop_.at(reactor::clock::now() + accept_pause,
                      [this] { loop_.rearm(listening_.socket.get(), EPOLLIN); });
    return;
  }
  if (!same_user(peer.get()) || clients_.size() >= limits_.connections)
    return log::warn({}, "stream_refused", {{"text", "another user's, or too many connections"}});
  const int fd = peer.get();
  auto client = std::make_shared<stream_client>(
      loop_, std::move(peer), limits_, [this](const std::string& t) { return tokens_.take(t); },
      [this](int closed) { clients_.erase(closed); });
  clients_.emplace(fd, client);
  client->start();
}

void server::offer(std::string token, std::shared_ptr<stream> s) {
  tokens_.add(std::move(token), std::move(s), reactor::clock::now() + limits_.token_life, limits_);
  if (expiry_ == 0)
    expiry_ = loop_.at(tokens_.next(), [this] { expire(); });
}

void server::expire() {
  tokens_.expire(reactor::clock::now());
  expiry_ = tokens_.empty() ? 0 : loop_.at(tokens_.next(), [this] { expire(); });
}

stream_stats server::stats() const {
  stream_stats s;
  for (const auto& [fd, client] : clients_) {
    s.open += client->attached() ? 1 : 0;
    s.buffered_bytes += client->buffered_bytes();
  }
  return s;
}

void server::stop() {
  loop_.post([keep = shared_from_this()] {}); // the handler may hold the last reference
  loop_.cancel(expiry_);
  loop_.cancel(pause_);
  const auto clients = clients_;
  for (const auto& [fd, client] : clients)
    client->let_go();
  ::unlink(path_.c_str()); // it is ours as long as we hold the lock
  loop_.unwatch(listening_.socket.get());
  listening_ = {};
}

class handle final : public stream_server {
public:
  explicit handle(std::shared_ptr<server> s) : server_(std::move(s)) {}
  handle(const handle&) = delete;
  handle& operator=(const handle&) = delete;
  ~handle() override {
    server_->loop().post([s = server_] { s->stop(); });
  }

  stream_offer offer_exec(std::shared_ptr<machine_link> link, guest::open_body command) override {
    const auto session = random_session();
    return {offer(exec_stream(std::move(link), session, std::move(command))), session};
  }
  std::string offer_attach(std::shared_ptr<machine_link> link, std::uint32_t session,
                           guest::attach_body from) override {
    return offer(attach_stream(std::move(link), session, from));
  }
  std::string offer_log(std::filesystem::path file, bool follow) override {
    return offer(log_stream(server_->loop(), std::move(file), follow));
  }
  std::string offer_console(std::filesystem::path file, unique_fd process) override {
    return offer(console_stream(server_->loop(), std::move(file), std::move(process)));
  }
  std::string offer_lines(std::shared_ptr<line_feed> feed,
                          std::optional<std::size_t> follow_after) override {
    return offer(line_stream(std::move(feed), follow_after));
  }
  void stats(std::function<void(stream_stats)> f) override {
    server_->loop().post([s = server_, f = std::move(f)] { f(s->stats()); });
  }

private:
  std::string offer(std::shared_ptr<stream> behind) {
    auto token = random_token();
    server_->loop().post([s = server_, token, behind = std::move(behind)]() mutable {
      s->offer(std::move(token), std::move(behind));
    });
    return token;
  }

  std::shared_ptr<server> server_;
};

} // namespace

expected<std::unique_ptr<stream_server>>
serve_streams(reactor& loop, const std::filesystem::path& socket, const stream_limits& limits) {
  auto l = listen_on(socket);
  if (!l)
    return tl::unexpected(l.error());
  auto s = std::make_shared<server>(loop, socket, std::move(*l), limits);
  loop.post([s] { s->start(); });
  return std::make_unique<handle>(std::move(s));
}

} // namespace banger::io
