#include "messages/transport/door.hpp"

#include <algorithm>
#include <fcntl.h>
#include <sys/socket.h>

namespace banger::transport {

using caf::io::receive_policy;
using caf::io::network::operation;

namespace {

void say(const std::function<void(const client_info&, const std::string&)>& listener,
         const client_info& who, const std::string& why) {
  if (listener)
    listener(who, why);
}

std::chrono::steady_clock::time_point now() { return std::chrono::steady_clock::now(); }

} // namespace

// --- door ---------------------------------------------------------------------------------------

void door::left(connection& which) {
  present.erase(which.who().number);
  if (retired)
    return;
  say(which.announced() ? opts.closed : opts.refused, which.who(), which.why());
  leaving.emplace(which.who().number, caf::io::scribe_ptr{&which});
  // BASP learns of the end right after this call and puts its cleaning up into its message queue.
  // What is posted here comes later, so the word to the keeper stands behind it in that queue.
  loop().post([shared = shared_from_this(), number = which.who().number] {
    if (shared->retired)
      return;
    auto basp = shared->system.middleman().named_broker<caf::io::basp_broker>(caf::atom("BASP"));
    auto* broker = static_cast<caf::io::basp_broker*>(caf::actor_cast<caf::abstract_actor*>(basp));
    auto& queue = broker->instance.queue();
    queue.push(&shared->loop(), queue.new_id(),
               caf::actor_cast<caf::strong_actor_ptr>(shared->keeper),
               caf::make_mailbox_element(nullptr, caf::make_message_id(), {},
                                         caf::delete_atom::value, number));
  });
}

void door::overdue(std::uint64_t number) {
  const auto found = present.find(number);
  if (found != present.end() && !found->second->greeted())
    found->second->cut("no handshake in time");
}

void door::retire() {
  retired = true;
  leaving.clear();
}

// --- accepting ----------------------------------------------------------------------------------

int accepting::open_spare() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

accepting::~accepting() {
  if (spare_ >= 0)
    ::close(spare_);
}

bool accepting::try_accept(int& accepted, int listening) {
  accepted = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (accepted >= 0)
    return true;
  if ((errno == EMFILE || errno == ENFILE) && spare_ >= 0) {
    ::close(spare_);
    const int shed = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (shed >= 0)
      ::close(shed);
    spare_ = open_spare();
  }
  return false;
}

// --- doorman ------------------------------------------------------------------------------------

doorman::doorman(door_ptr shared, int socket, std::uint16_t port)
    : caf::io::doorman(caf::io::network::accept_hdl_from_socket(socket)), door_(std::move(shared)),
      port_(port), acceptor_(door_->loop(), socket) {}

void doorman::graceful_shutdown() {
  acceptor_.graceful_shutdown();
  detach(&acceptor_.backend(), false);
}

bool doorman::refuse(int socket, const client_info& who, const char* why) {
  ::close(socket);
  say(door_->opts.refused, who, why);
  return false;
}

bool doorman::new_connection() {
  const int socket = acceptor_.accepted_socket();
  client_info who{++door_->last_number, 0, 0};
  if (detached() || door_->retired) {
    ::close(socket);
    return false;
  }
  const auto peer = local::peer_of(socket);
  if (!peer)
    return refuse(socket, who, "unknown user");
  who.pid = peer->pid;
  who.uid = peer->uid;
  const auto& allowed = door_->opts.allowed_uids;
  if (std::find(allowed.begin(), allowed.end(), who.uid) == allowed.end())
    return refuse(socket, who, "another user");
  const auto kept = who.uid == 0 ? 0 : door_->opts.kept_for_root;
  if (door_->present.size() + kept >= door_->opts.max_connections)
    return refuse(socket, who, "too many connections");
  auto made = caf::make_counted<connection>(door_, socket, who);
  const auto handle = made->hdl();
  door_->present.emplace(who.number, made.get());
  parent()->add_scribe(std::move(made));
  caf::delayed_anon_send(door_->keeper, door_->opts.handshake_timeout, caf::tick_atom::value,
                         who.number);
  return caf::io::doorman::new_connection(&acceptor_.backend(), handle);
}

// --- connection ---------------------------------------------------------------------------------

connection::connection(door_ptr shared, int socket, client_info who)
    : scribe_impl(shared->loop(), socket), door_(std::move(shared)), who_(who),
      guard_({door_->admitted, door_->opts.limits, door_->self, door_->opts.bind_pid ? who.pid : 0,
              door_->nodes},
             now()) {}

void connection::cut(const char* why) {
  if (cut_)
    return;
  cut_ = true;
  why_ = why;
  ::shutdown(stream_.fd(), SHUT_RDWR);
  if (!detached())
    io_failure(&stream_.backend(), operation::read);
}

void connection::detach_from(caf::io::abstract_broker* broker) {
  const caf::intrusive_ptr<connection> alive(this); // the broker's may be the last other one
  scribe_impl::detach_from(broker);
  guard_.leave();
  door_->left(*this);
}

// The caller may be the broker, in the middle of its work with this connection. So the end is put
// off.
void connection::flush() {
  if (wr_buf().size() > door_->opts.max_unsent && !cut_)
    stream_.backend().post(
        [held = caf::intrusive_ptr<connection>(this)] { held->cut("does not read its answers"); });
  scribe_impl::flush();
}

bool connection::expect(std::size_t bytes) {
  stream_.configure_read(receive_policy::exactly(bytes));
  return true;
}

bool connection::consume(caf::execution_unit* unit, const void* data, std::size_t size) {
  if (detached() || cut_)
    return false;
  const caf::intrusive_ptr<connection> alive(this);
  const std::span bytes(static_cast<const char*>(data), size);
  switch (stage_) {
  case stage::header: return on_header(unit, bytes);
  case stage::payload: return on_payload(unit, bytes);
  case stage::swallowing: stage_ = stage::header; return expect(frames::header_size);
  }
  return false;
}

bool connection::on_header(caf::execution_unit* unit, std::span<const char> bytes) {
  const auto ruling = guard_.on_header(bytes, now());
  switch (ruling.what) {
  case frames::action::pass: return deliver(unit, false);
  case frames::action::close: cut(ruling.why); return false;
  case frames::action::await: stage_ = stage::payload; break;
  case frames::action::swallow: stage_ = stage::swallowing; break;
  }
  held_.assign(bytes.begin(), bytes.end());
  return expect(frames::decode(bytes).payload);
}

bool connection::on_payload(caf::execution_unit* unit, std::span<const char> bytes) {
  const bool stranger = !guard_.greeted();
  const auto ruling = guard_.on_payload(bytes);
  stage_ = stage::header;
  if (ruling.what == frames::action::close) {
    cut(ruling.why);
    return false;
  }
  if (ruling.what != frames::action::pass)
    return expect(frames::header_size);
  const bool goes_on = deliver(unit, true);
  if (stranger && !detached())
    after_greeting();
  return goes_on;
}

// BASP reads from the stream's buffer, so the held header takes the payload's place there for a
// moment.
bool connection::deliver(caf::execution_unit* unit, bool with_payload) {
  if (with_payload) {
    std::vector<char> payload;
    payload.swap(rd_buf());
    rd_buf() = held_;
    const bool accepted = scribe_impl::consume(unit, rd_buf().data(), rd_buf().size());
    rd_buf().swap(payload);
    if (!accepted || detached())
      return false;
  }
  const bool goes_on = scribe_impl::consume(unit, rd_buf().data(), rd_buf().size());
  return goes_on && !detached() && expect(frames::header_size);
}

// CAF keeps one helper actor per node it ever met, for remote spawning, which we do not have.
void connection::after_greeting() {
  auto* broker = dynamic_cast<caf::io::basp_broker*>(parent());
  caf::node_id id;
  caf::binary_deserializer source(&stream_.backend(), guard_.peer().data(), frames::node_size);
  if (broker != nullptr && !source(id)) {
    const auto helper = broker->spawn_servers.find(id);
    if (helper != broker->spawn_servers.end()) {
      caf::anon_send_exit(helper->second, caf::exit_reason::kill);
      broker->spawn_servers.erase(helper);
    }
  }
  announced_ = true;
  if (door_->opts.opened)
    door_->opts.opened(who_);
}

} // namespace banger::transport
