#include "messages/transport/door.hpp"

#include <atomic>
#include <future>

namespace banger::transport {

namespace {

// BASP knows what it publishes by port. Ours name no port; they only have to differ.
std::uint16_t next_port() {
  static std::atomic<std::uint16_t> last{0};
  return ++last;
}

// Carries timed and queued words into the I/O thread; holds nothing itself.
caf::behavior keeper(caf::event_based_actor* self, const std::weak_ptr<door>& watched) {
  self->set_default_handler(caf::drop);
  const auto in_loop = [self, watched](void (door::*what)(std::uint64_t), std::uint64_t number) {
    self->system().middleman().backend().post([watched, what, number] {
      const auto shared = watched.lock();
      if (shared && !shared->retired)
        ((*shared).*what)(number);
    });
  };
  return {
      [in_loop](caf::tick_atom, std::uint64_t number) { in_loop(&door::overdue, number); },
      [in_loop](caf::delete_atom, std::uint64_t number) { in_loop(&door::forgotten, number); },
  };
}

expected<frames::targets> admit_all(const std::vector<target>& all) {
  frames::targets admitted;
  for (const auto& [actor, clauses] : all) {
    if (!actor)
      return fail(errc::bad_request, "cannot publish an actor that does not exist");
    for (const auto& clause : clauses)
      if (clause.types.find("???") != std::string::npos)
        return fail(errc::operation_failed, "cannot publish " + clause.types,
                    "one of these types was not registered", "this is a bug, please report it");
    admitted.emplace(actor->id(), clauses);
  }
  return admitted;
}

frames::node self_of(caf::actor_system& system) {
  frames::node id{};
  std::vector<char> bytes;
  caf::binary_serializer sink(system, bytes);
  if (!sink(system.node()) && bytes.size() == id.size())
    std::copy(bytes.begin(), bytes.end(), id.begin());
  return id;
}

} // namespace

struct server::impl {
  caf::actor_system& system;
  local::listener listener;
  door_ptr shared;
  std::uint16_t port;
  bool closed = false;

  void close() {
    if (closed)
      return;
    closed = true;
    listener.unlink();
    if (auto done = system.middleman().close(port); !done)
      return; // already gone with the broker
  }

  // From here on no callback runs: the door is retired in the thread that would call them.
  void retire() {
    const auto done = std::make_shared<std::promise<void>>();
    auto end = done->get_future();
    shared->loop().dispatch([gone = shared, done] {
      gone->retire();
      done->set_value();
    });
    end.wait();
    caf::anon_send_exit(shared->keeper, caf::exit_reason::kill);
  }
};

server::server(std::unique_ptr<impl> made) : impl_(std::move(made)) {}
server::server(server&&) noexcept = default;
server& server::operator=(server&& other) noexcept {
  std::swap(impl_, other.impl_);
  return *this;
}

server::~server() {
  if (impl_ == nullptr)
    return;
  impl_->close();
  impl_->retire();
}

void server::close() {
  if (impl_ != nullptr)
    impl_->close();
}

expected<server> publish(caf::actor_system& system, options opts, target front,
                         std::set<std::string> interface, std::vector<target> facets) {
  facets.push_back(front);
  auto admitted = admit_all(facets);
  if (!admitted)
    return tl::unexpected(admitted.error());
  auto listener = opts.inherited >= 0 ? local::take_over(opts.inherited)
                                      : local::listen(opts.socket, opts.socket_owner);
  if (!listener)
    return tl::unexpected(listener.error());
  auto shared = std::make_shared<door>(system);
  shared->opts = std::move(opts);
  shared->admitted = std::make_shared<const frames::targets>(std::move(*admitted));
  shared->self = self_of(system);
  shared->keeper = system.spawn<caf::hidden>(keeper, std::weak_ptr<door>(shared));
  const auto port = next_port();
  const int socket = listener->release_socket();
  caf::io::doorman_ptr at_door = caf::make_counted<doorman>(shared, socket, port);
  auto basp = system.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
  caf::anon_send(basp, caf::publish_atom::value, std::move(at_door), port, std::move(front.actor),
                 std::move(interface));
  return server(std::make_unique<server::impl>(
      server::impl{system, std::move(*listener), std::move(shared), port}));
}

} // namespace banger::transport
