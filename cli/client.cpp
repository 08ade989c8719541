#include "cli/client.hpp"

#include "cli/mailbox.hpp"
#include "cli/signals.hpp"
#include "cli/waiting.hpp"
#include "messages/actor/help.hpp"
#include "messages/base/version.hpp"
#include "messages/client.hpp"
#include "messages/transport/transport.hpp"

#include <deque>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace banger::cli {

/// Something to do in the listener actor. Never leaves this process.
struct chore {
  std::function<void(caf::event_based_actor*)> run;
};

} // namespace banger::cli

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::cli::chore)

namespace banger::cli {

using namespace messages;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds connect_deadline{5000};
constexpr milliseconds answer_deadline{15000};
constexpr milliseconds cancel_deadline{5000};
constexpr milliseconds halt_deadline{60000};     // operations end first
constexpr milliseconds discard_deadline{120000}; // disks of any size
constexpr milliseconds reprobe_deadline{600000}; // the daemon bounds the test guest's boot

failure daemon_gone() {
  return {errc::disconnected, "the daemon went away", "its connection has ended",
          "see `banger daemon logs`", ""};
}

struct client_config : caf::actor_system_config {
  client_config() { transport::configure(*this, transport::role::client); }
};

// Threads that CAF makes must not take signals that are meant for us.
std::unique_ptr<caf::actor_system> make_system(client_config& config) {
  const signals_blocked quiet;
  auto system = std::make_unique<caf::actor_system>(config);
  transport::prepare(*system);
  return system;
}

unique_fd open_process(std::uint32_t pid) {
  return unique_fd(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0)));
}

} // namespace

struct client::impl {
  client_config config;
  mailbox letters;
  std::unique_ptr<caf::actor_system> system = make_system(config);
  transport::session daemon;
  std::filesystem::path socket; ///< of the daemon
  unique_fd process;            ///< of the daemon, if it is one of this machine
  caf::actor listener;
  std::deque<event> events;
  std::optional<failure> gone;
  std::uint64_t connection = 0; ///< counts; what an earlier one still says is not heard

  caf::actor spawn_listener();
  void hear(event what);
  /// Where the answer to a question comes to lie.
  template <class T>
  using slot = std::shared_ptr<std::optional<expected<T>>>;
  template <class T, class To, class... Words>
  slot<T> send(milliseconds deadline, const To& to, Words... words);
  template <class T>
  expected<T> receive(const slot<T>& got, bool at_once = true);
  /// For what takes its time; `ask` is for what is answered at once.
  template <class T, class To, class... Words>
  expected<T> ask_within(milliseconds deadline, const To& to, Words... words) {
    return receive<T>(send<T>(deadline, to, std::move(words)...), false);
  }
  template <class T, class Atom>
  std::vector<expected<T>> ask_each(Atom what, const std::vector<std::string>& refs);
  template <class T, class To, class... Words>
  expected<T> ask(const To& to, Words... words) {
    return receive<T>(send<T>(answer_deadline, to, std::move(words)...));
  }
  expected<void> wait_letter(bool at_once);
};

caf::actor client::impl::spawn_listener() {
  const auto tell = [this, mine = ++connection](event what) {
    letters.post([this, mine, what = std::move(what)] {
      if (mine == connection)
        hear(what);
    });
  };
  return system->spawn([this, tell](caf::event_based_actor* self) -> caf::behavior {
    self->set_default_handler(caf::drop);
    actor::on_down(self, [tell](const caf::down_msg&) { tell(lost{daemon_gone()}); });
    self->monitor(daemon.gateway);
    return {[tell](const progress& news) { tell(news); },
            [tell](const finished& end) { tell(end); },
            [self](const chore& todo) { todo.run(self); }};
  });
}

void client::impl::hear(event what) {
  if (const auto* end = std::get_if<lost>(&what))
    gone = end->why;
  events.push_back(std::move(what));
}

expected<void> client::impl::wait_letter(bool at_once) {
  auto until = at_once ? wait_clock::now() + silence_of_daemon : for_ever;
  while (!letters.open_letters()) {
    const auto ready = await(letters.fd(), POLLIN, until);
    if (!ready)
      return tl::unexpected(ready.error());
    if (!*ready) {
      tell_silence(socket);
      until = for_ever;
    }
  }
  return {};
}

// The answer may come after nobody waits for it any more, so it is kept where both can reach it.
template <class T, class To, class... Words>
client::impl::slot<T> client::impl::send(milliseconds deadline, const To& to, Words... words) {
  auto got = std::make_shared<std::optional<expected<T>>>();
  if (gone)
    *got = tl::unexpected(*gone);
  else if (!to)
    *got = fail(errc::bad_version, "the daemon is of another version", "",
                "stop it with `banger daemon stop`");
  if (*got)
    return got;
  const auto refused = [this, got](caf::error& why) {
    letters.post([got, why] { *got = tl::unexpected(actor::from_error(why)); });
  };
  actor::tell_from_outside(
      listener, chore{[=, this](caf::event_based_actor* self) {
        auto answer = actor::ask(self, to, deadline, words...);
        if constexpr (std::is_void_v<T>)
          answer.then([this, got] { letters.post([got] { *got = expected<void>{}; }); }, refused);
        else
          answer.then([this, got](T& value) { letters.post([got, value] { *got = value; }); },
                      refused);
      }});
  return got;
}

template <class T>
expected<T> client::impl::receive(const slot<T>& got, bool at_once) {
  while (!*got && !gone)
    if (auto ok = wait_letter(at_once); !ok)
      return tl::unexpected(ok.error());
  if (!*got)
    return tl::unexpected(*gone);
  return std::move(**got);
}

template <class T, class Atom>
std::vector<expected<T>> client::impl::ask_each(Atom what, const std::vector<std::string>& refs) {
  std::vector<slot<T>> sent;
  sent.reserve(refs.size());
  for (const auto& ref : refs)
    sent.push_back(send<T>(answer_deadline, daemon.vms, what, ref));
  std::vector<expected<T>> got;
  got.reserve(sent.size());
  for (const auto& s : sent)
    got.push_back(receive<T>(s));
  return got;
}

client::client() : impl_(std::make_shared<impl>()) {}

client::~client() {
  if (impl_->listener)
    caf::anon_send_exit(impl_->listener, caf::exit_reason::user_shutdown);
}

expected<void> client::connect(const std::filesystem::path& socket) {
  impl_->socket = socket;
  auto session = in_thread<transport::session>(
      [keep = impl_, socket]() -> expected<transport::session> {
        auto gateway = transport::connect(*keep->system, socket, connect_deadline);
        if (!gateway)
          return tl::unexpected(gateway.error());
        return transport::greet(*keep->system, *gateway, connect_deadline);
      },
      [socket] { tell_silence(socket); });
  if (!session)
    return tl::unexpected(session.error());
  if (impl_->listener)
    caf::anon_send_exit(impl_->listener, caf::exit_reason::user_shutdown);
  impl_->daemon = std::move(*session);
  impl_->process = open_process(impl_->daemon.daemon.pid);
  impl_->events.clear();
  impl_->gone.reset();
  impl_->listener = impl_->spawn_listener();
  return {};
}

const hello_reply& client::daemon() const { return impl_->daemon.daemon; }

expected<void> client::retire() {
  const auto& ours = this_build();
  return impl_->ask<void>(impl_->daemon.gateway, retire_atom::value,
                          hello_request{protocol_version, ours.version, ours.commit, ours.number});
}

expected<void> client::halt() {
  return impl_->ask_within<void>(halt_deadline, impl_->daemon.system, halt_atom::value);
}

expected<void> client::wait_gone(milliseconds deadline) {
  const auto end = wait_clock::now() + deadline;
  pollfd ready[2] = {{impl_->process.get(), POLLIN, 0}, {impl_->letters.fd(), POLLIN, 0}};
  for (;;) {
    const bool process_gone = !impl_->process || (ready[0].revents & POLLIN) != 0;
    if (process_gone && (impl_->gone || impl_->process))
      return {};
    const auto came = await(ready, 2, end);
    if (!came)
      return tl::unexpected(came.error());
    if (!*came)
      return fail(errc::timed_out, "the daemon has not ended in time",
                  "its operations may still be running", "try again, or see `banger daemon logs`");
    impl_->letters.open_letters();
  }
}

expected<std::string> client::reprobe() {
  return impl_->ask_within<std::string>(reprobe_deadline, impl_->daemon.system,
                                        reprobe_atom::value);
}

expected<daemon_status> client::status() {
  return impl_->ask<daemon_status>(impl_->daemon.system, status_atom::value);
}

expected<std::vector<vm_view>> client::list() {
  return impl_->ask<std::vector<vm_view>>(impl_->daemon.vms, list_atom::value);
}

expected<vm_detail> client::show(const std::string& ref) {
  return impl_->ask<vm_detail>(impl_->daemon.vms, show_atom::value, ref);
}

expected<op_ticket> client::begin(const create_request& request) {
  return impl_->ask<op_ticket>(impl_->daemon.vms, begin_atom::value, request);
}

expected<op_ticket> client::begin(const verb_request& request) {
  return impl_->ask<op_ticket>(impl_->daemon.vms, begin_atom::value, request);
}

expected<op_ticket> client::begin(const set_request& request) {
  return impl_->ask<op_ticket>(impl_->daemon.vms, begin_atom::value, request);
}

expected<void> client::touch(const std::string& ref) {
  return impl_->ask<void>(impl_->daemon.vms, touch_atom::value, ref);
}

expected<vm_view> client::reclaim(const reclaim_request& request) {
  return impl_->ask<vm_view>(impl_->daemon.vms, reclaim_atom::value, request);
}

expected<void> client::discard(const std::string& orphan) {
  return impl_->ask_within<void>(discard_deadline, impl_->daemon.vms, discard_atom::value, orphan);
}

expected<stream_ticket> client::exec(const exec_request& request) {
  return impl_->ask<stream_ticket>(impl_->daemon.vms, exec_atom::value, request);
}

expected<stream_ticket> client::attach(const attach_request& request) {
  return impl_->ask<stream_ticket>(impl_->daemon.vms, attach_atom::value, request);
}

expected<stream_ticket> client::logs(const logs_request& request) {
  return impl_->ask<stream_ticket>(impl_->daemon.vms, logs_atom::value, request);
}

std::vector<expected<vm_stats>> client::stats(const std::vector<std::string>& refs) {
  return impl_->ask_each<vm_stats>(stats_atom::value, refs);
}

std::vector<expected<vm_ports>> client::ports(const std::vector<std::string>& refs) {
  return impl_->ask_each<vm_ports>(ports_atom::value, refs);
}

std::vector<expected<vm_health>> client::health(const std::vector<std::string>& refs) {
  return impl_->ask_each<vm_health>(health_atom::value, refs);
}

expected<stream_ticket> client::console(const std::string& ref) {
  return impl_->ask<stream_ticket>(impl_->daemon.vms, console_atom::value, ref);
}

expected<op_ticket> client::begin(const image_request& request) {
  return impl_->ask<op_ticket>(impl_->daemon.images, begin_atom::value, request);
}

expected<std::vector<image_view>> client::images() {
  return impl_->ask<std::vector<image_view>>(impl_->daemon.images, list_atom::value);
}

expected<void> client::delete_image(const std::string& name) {
  return impl_->ask<void>(impl_->daemon.images, delete_atom::value, name);
}

expected<stream_ticket> client::open_events(bool follow) {
  return impl_->ask<stream_ticket>(impl_->daemon.system, events_atom::value,
                                   events_request{follow});
}

expected<std::vector<actor_view>> client::actors() {
  return impl_->ask<std::vector<actor_view>>(impl_->daemon.system, actors_atom::value);
}

expected<void> client::crash(const std::string& vm) {
  return impl_->ask<void>(impl_->daemon.vms, crash_atom::value, vm);
}

expected<std::vector<operation_view>> client::operations() {
  return impl_->ask<std::vector<operation_view>>(impl_->daemon.operations, list_atom::value);
}

expected<operation_view> client::watch(const std::string& op) {
  return impl_->ask<operation_view>(impl_->daemon.operations, watch_atom::value, op);
}

expected<bool> client::try_cancel(const std::string& op) {
  return impl_->ask<bool>(impl_->daemon.operations, cancel_atom::value, op);
}

// Whether it still ran is told by its `finished`.
bool client::cancel(const std::string& op) {
  const auto heard = impl_->receive<bool>(
      impl_->send<bool>(cancel_deadline, impl_->daemon.operations, cancel_atom::value, op));
  return heard || (heard.error().code != errc::timed_out && heard.error().code != errc::cancelled);
}

int client::events() const { return impl_->letters.fd(); }

std::optional<event> client::next() {
  impl_->letters.open_letters();
  if (impl_->events.empty())
    return std::nullopt;
  auto first = std::move(impl_->events.front());
  impl_->events.pop_front();
  return first;
}

} // namespace banger::cli
