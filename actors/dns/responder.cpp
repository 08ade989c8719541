#include "actors/dns/responder.hpp"

#include "actors/dns/conversation.hpp"
#include "actors/dns/query.hpp"
#include "actors/dns/sockets.hpp"
#include "actors/dns/wire.hpp"
#include "actors/log/log.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unordered_map>

namespace banger::dns {

namespace {

constexpr auto accept_pause = std::chrono::milliseconds(100);
/// Per wake-up: then the reactor's other descriptors have their turn.
constexpr int most_datagrams = 32;

bool is_local(const sockaddr_in& peer) {
  return peer.sin_family == AF_INET && is_loopback({ntohl(peer.sin_addr.s_addr)});
}

/// In the reactor's thread.
class server : public std::enable_shared_from_this<server> {
public:
  server(io::reactor& loop, sockets s, const responder_options& options)
      : loop_(loop), sockets_(std::move(s)), options_(options) {}

  void start();
  void stop();
  responder_stats stats() const;

  zone vms;

private:
  void receive(std::uint32_t events);
  bool receive_one();
  void accept(std::uint32_t events);
  void take(unique_fd peer, bool local);
  std::optional<std::string> answer_to(std::string_view query, transport by, bool local);

  io::reactor& loop_;
  sockets sockets_;
  responder_options options_;
  responder_stats stats_;
  io::reactor::timer_id pause_ = 0;
  std::unordered_map<int, std::shared_ptr<conversation>> conversations_;
};

void server::start() {
  loop_.watch(sockets_.udp.get(), EPOLLIN,
              [self = shared_from_this()](std::uint32_t events) { self->receive(events); });
  loop_.watch(sockets_.tcp.get(), EPOLLIN,
              [self = shared_from_this()](std::uint32_t events) { self->accept(events); });
}

void server::stop() {
  loop_.post([keep = shared_from_this()] {}); // the handlers may hold the last reference
  loop_.cancel(pause_);
  for (const auto& [fd, c] : conversations_)
    c->close();
  conversations_.clear();
  for (const auto* const socket : {&sockets_.udp, &sockets_.tcp})
    if (*socket)
      loop_.unwatch(socket->get());
  sockets_ = {};
}

responder_stats server::stats() const {
  auto s = stats_;
  s.connections = static_cast<std::uint32_t>(conversations_.size());
  return s;
}

std::optional<std::string> server::answer_to(std::string_view query, transport by, bool local) {
  ++stats_.queries;
  auto said = local ? answer(query, vms, by) : refusal(query);
  if (!said)
    ++stats_.dropped;
  else if (is_refusal(*said))
    ++stats_.refused;
  return said;
}

void server::receive(std::uint32_t events) {
  if ((events & EPOLLERR) != 0) {
    int why = 0;
    socklen_t size = sizeof why;
    ::getsockopt(sockets_.udp.get(), SOL_SOCKET, SO_ERROR, &why, &size); // and it is cleared
    log::warn({}, "dns_socket_failed", {{"text", std::strerror(why)}});
    if (why == 0)
      return loop_.unwatch(sockets_.udp.get()); // it cannot be watched
  }
  for (int left = most_datagrams; left > 0 && receive_one(); --left) {
  }
}

// False: there is none now.
bool server::receive_one() {
  std::array<char, most_query + 1> buffer;
  sockaddr_in peer{};
  socklen_t size = sizeof peer;
  const auto n = ::recvfrom(sockets_.udp.get(), buffer.data(), buffer.size(), 0,
                            reinterpret_cast<sockaddr*>(&peer), &size);
  if (n < 0)
    return errno == EINTR;
  const auto said =
      answer_to({buffer.data(), static_cast<std::size_t>(n)}, transport::udp, is_local(peer));
  if (said && ::sendto(sockets_.udp.get(), said->data(), said->size(), MSG_NOSIGNAL,
                       reinterpret_cast<const sockaddr*>(&peer), size) < 0)
    ++stats_.dropped; // its asker will ask again
  return true;
}

void server::accept(std::uint32_t events) {
  const int listener = sockets_.tcp.get();
  if ((events & EPOLLERR) != 0) {
    log::warn({}, "dns_socket_failed", {{"text", "it cannot be watched"}});
    return loop_.unwatch(listener);
  }
  sockaddr_in from{};
  socklen_t size = sizeof from;
  unique_fd peer(
      ::accept4(listener, reinterpret_cast<sockaddr*>(&from), &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (peer)
    return take(std::move(peer), is_local(from));
  if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS)
    return;
  // The connection stays in the queue; asking again at once would spin.
  log::warn({}, "accept_failed", {{"text", std::strerror(errno)}});
  loop_.rearm(listener, 0);
  pause_ = loop_.at(io::reactor::clock::now() + accept_pause,
                    [this] { loop_.rearm(sockets_.tcp.get(), EPOLLIN); });
}

void server::take(unique_fd peer, bool local) {
  if (!local || conversations_.size() >= options_.connections) {
    ++stats_.refused;
    return;
  }
  const int fd = peer.get();
  auto c = std::make_shared<conversation>(
      loop_, std::move(peer), options_.idle,
      [this](std::string_view query) { return answer_to(query, transport::tcp, true); },
      [this](int closed) { conversations_.erase(closed); });
  conversations_.emplace(fd, c);
  c->start();
}

class handle final : public responder {
public:
  handle(io::reactor& loop, std::shared_ptr<server> s, std::uint16_t port)
      : loop_(loop), server_(std::move(s)), port_(port) {}
  handle(const handle&) = delete;
  handle& operator=(const handle&) = delete;
  ~handle() override {
    loop_.post([s = server_] { s->stop(); });
  }

  std::uint16_t port() const override { return port_; }

  void set(const vm_name& name, ipv4 address, std::function<void()> in_effect) override {
    change([name = name.str(), address](zone& vms) { vms[name] = address; }, std::move(in_effect));
  }
  void remove(const vm_name& name, std::function<void()> in_effect) override {
    change([name = name.str()](zone& vms) { vms.erase(name); }, std::move(in_effect));
  }
  void replace(const std::map<vm_name, ipv4>& all, std::function<void()> in_effect) override {
    zone named;
    for (const auto& [name, address] : all)
      named.emplace(name.str(), address);
    change([named = std::move(named)](zone& vms) mutable { vms.swap(named); },
           std::move(in_effect));
  }
  void stats(std::function<void(responder_stats)> f) override {
    loop_.post([s = server_, f = std::move(f)] { f(s->stats()); });
  }

private:
  template <class F>
  void change(F f, std::function<void()> in_effect) {
    loop_.post([s = server_, f = std::move(f), in_effect = std::move(in_effect)]() mutable {
      f(s->vms);
      if (in_effect)
        in_effect();
    });
  }

  io::reactor& loop_;
  std::shared_ptr<server> server_;
  std::uint16_t port_;
};

} // namespace

expected<std::unique_ptr<responder>> serve_names(io::reactor& loop,
                                                 const responder_options& options) {
  if (auto ok = packet::possible(); !ok)
    return tl::unexpected(ok.error());
  auto opened = open_sockets(options.address, options.port);
  if (!opened)
    return tl::unexpected(opened.error());
  const auto port = opened->port;
  auto s = std::make_shared<server>(loop, std::move(*opened), options);
  loop.post([s] { s->start(); });
  return std::make_unique<handle>(loop, std::move(s), port);
}

} // namespace banger::dns
