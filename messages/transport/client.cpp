#include "messages/actor/remote.hpp"
#include "messages/base/unique_fd.hpp"
#include "messages/base/version.hpp"
#include "messages/transport/socket.hpp"
#include "messages/transport/transport.hpp"

#include <caf/io/all.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/scribe_impl.hpp>

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace banger::transport {

namespace {

constexpr int death_throes_ms = 500;

using namespace std::chrono_literals;
using caf::io::receive_policy;

// The connecting side. CAF's own scribe aborts when asked for the port of a unix socket; and no
// frame may reach BASP that would crash it.
class uplink final : public caf::io::network::scribe_impl {
public:
  uplink(caf::io::network::default_multiplexer& loop, int socket, std::string path)
      : scribe_impl(loop, socket), path_(std::move(path)) {}

  std::string addr() const override { return path_; }
  std::uint16_t port() const override { return 0; }

  bool consume(caf::execution_unit* unit, const void* data, std::size_t size) override {
    if (detached() || cut_)
      return false;
    const caf::intrusive_ptr<uplink> alive(this);
    switch (std::exchange(stage_, stage::header)) {
    case stage::header: return on_header(unit, {static_cast<const char*>(data), size});
    case stage::payload: return pass_on(unit);
    case stage::swallowing: return expect(frames::header_size);
    }
    return false;
  }

  void cut() {
    if (std::exchange(cut_, true))
      return;
    ::shutdown(stream_.fd(), SHUT_RDWR);
    if (!detached())
      io_failure(&stream_.backend(), caf::io::network::operation::read);
  }

private:
  enum class stage { header, payload, swallowing };

  bool expect(std::size_t bytes) {
    stream_.configure_read(receive_policy::exactly(bytes));
    return true;
  }

  bool pass_on(caf::execution_unit* unit) {
    return scribe_impl::consume(unit, rd_buf().data(), rd_buf().size());
  }

  // BASP takes the header and sets the stream up for the payload itself.
  bool on_header(caf::execution_unit* unit, std::span<const char> bytes) {
    if (bytes.size() != frames::header_size)
      return cut(), false;
    const auto head = frames::decode(bytes);
    const auto ruling = frames::judge_server_frame(head, std::exchange(first_, false));
    switch (ruling.what) {
    case frames::action::close: return cut(), false;
    case frames::action::await: stage_ = stage::payload; break;
    case frames::action::swallow: stage_ = stage::swallowing; return expect(head.payload);
    case frames::action::pass: break;
    }
    return pass_on(unit);
  }

  std::string path_;
  stage stage_ = stage::header;
  bool first_ = true, cut_ = false;
};

tl::unexpected<failure> refused(const std::filesystem::path& socket, const caf::error& why) {
  const auto what = "the daemon at " + socket.string() + " ";
  if (why == caf::sec::disconnect_during_handshake)
    return fail(errc::busy, what + "closed the connection before it greeted",
                "it has as many connections as it takes, or serves another user", "try again");
  if (why == caf::sec::request_timeout)
    return fail(errc::timed_out, what + "does not greet", "it may be stuck or overloaded",
                "see its log: `banger daemon logs`");
  return fail(errc::bad_version, what + "does not speak our protocol", {},
              "stop it, and let this version start its own");
}

// The process behind a socket; nothing if the kernel does not tell.
unique_fd process_behind(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return {};
  return unique_fd(static_cast<int>(::syscall(SYS_pidfd_open, peer.pid, 0)));
}

// A process that is being killed may still accept, and closes what it accepted as it goes.
bool is_dying(const unique_fd& process) {
  pollfd ready{process.get(), POLLIN, 0};
  return process && ::poll(&ready, 1, death_throes_ms) == 1;
}

expected<welcome> shake_hands(caf::actor_system& system, const std::filesystem::path& path,
                              int socket, std::chrono::milliseconds deadline) {
  auto& loop = static_cast<caf::io::network::default_multiplexer&>(system.middleman().backend());
  auto link = caf::make_counted<uplink>(loop, socket, path.string());
  auto basp = system.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
  expected<welcome> outcome = welcome{};
  caf::scoped_actor self{system};
  self->request(basp, deadline, caf::connect_atom::value, caf::io::scribe_ptr{link},
                std::uint16_t{0})
      .receive(
          [&](const caf::node_id&, caf::strong_actor_ptr& actor, std::set<std::string>& sigs) {
            outcome = welcome{std::move(actor), std::move(sigs)};
          },
          [&](caf::error& why) { outcome = refused(path, why); });
  if (!outcome)
    loop.post([link] { link->cut(); });
  return outcome;
}

} // namespace

expected<welcome> reach(caf::actor_system& system, const std::filesystem::path& socket,
                        std::chrono::milliseconds deadline) {
  const auto connected = local::connect(socket, deadline);
  if (!connected)
    return tl::unexpected(connected.error());
  const auto process = process_behind(*connected);
  auto welcomed = shake_hands(system, socket, *connected, deadline);
  if (!welcomed && welcomed.error().code == errc::busy && is_dying(process))
    return fail(errc::disconnected, "the daemon at " + socket.string() + " has ended");
  return welcomed;
}

failure speaks_otherwise(const std::filesystem::path& socket) {
  return refused(socket, caf::sec::unexpected_actor_messaging_interface).value();
}

expected<messages::gateway_actor> connect(caf::actor_system& system,
                                          const std::filesystem::path& socket,
                                          std::chrono::milliseconds deadline) {
  return connect_to<messages::gateway_actor>(system, socket, deadline);
}

expected<session> greet(caf::actor_system& system, messages::gateway_actor gateway,
                        std::chrono::milliseconds deadline) {
  const auto& build = this_build();
  using answer = std::tuple<messages::hello_reply, messages::vms_facet, messages::operations_facet,
                            messages::images_facet, messages::system_facet>;
  auto answered = actor::call<answer>(
      system, gateway, deadline, messages::hello_atom::value,
      messages::hello_request{protocol_version, build.version, build.commit, build.number});
  if (!answered)
    return tl::unexpected(answered.error());
  auto& [reply, vms, operations, images, system_facet] = *answered;
  return session{std::move(gateway),    std::move(reply),  std::move(vms),
                 std::move(operations), std::move(images), std::move(system_facet)};
}

} // namespace banger::transport
