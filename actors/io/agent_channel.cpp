#include "actors/io/agent_channel.hpp"

#include "actors/io/reactor.hpp"

#include <algorithm>
#include <array>
#include <sys/epoll.h>
#include <sys/random.h>

namespace banger::io {

using guest::frame_type;
using guest::header;

namespace {

constexpr auto damaged = "the guest's agent sent a frame with a damaged body";
constexpr auto sync_patience = std::chrono::milliseconds(200);

std::uint64_t random_epoch() {
  std::uint64_t epoch = 0;
  while (epoch == 0)
    if (::getrandom(&epoch, sizeof epoch, 0) != sizeof epoch)
      epoch = 0;
  return epoch;
}

bool guest_may_send(frame_type type) {
  switch (type) {
  case frame_type::opened:
  case frame_type::data:
  case frame_type::eof:
  case frame_type::ack:
  case frame_type::exited:
  case frame_type::taken:
  case frame_type::failed: return true;
  default: return false;
  }
}

} // namespace

void agent_channel::start() {
  on_frame_ = [this](const header& h, std::string_view payload) { return take(h, payload); };
  epoch_ = random_epoch();
  search_ = std::make_unique<hello_search>(epoch_);
  watched_ = true;
  loop_.watch(socket_.get(), EPOLLIN,
              [self = shared_from_this()](std::uint32_t events) { self->on_ready(events); });
  sync_timer_ = loop_.at(reactor::clock::now() + sync_patience, [self = shared_from_this()] {
    self->sync_timer_ = 0;
    self->say_sync();
  });
}

void agent_channel::say_sync() {
  if (std::exchange(synced_, true))
    return;
  loop_.cancel(std::exchange(sync_timer_, 0));
  request(frame_type::sync, guest::encode(guest::sync_body{epoch_}));
}

void agent_channel::on_ready(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0)
    flush();
  if (!watched_ || (events & ~std::uint32_t{EPOLLOUT}) == 0)
    return;
  switch (read()) {
  case got::some: return;
  case got::end: return lose(false, "the guest's agent closed its channel");
  case got::broken: return lose(true, garbage_);
  }
}

void agent_channel::drain() {
  for (int i = 0; watched_ && i < 64; ++i)
    if (read() != got::some)
      return;
}

got agent_channel::read() {
  garbage_.clear();
  const auto state = search_ ? search() : reader_.read(socket_.get(), on_frame_);
  for (const auto& sink : touched_)
    sink->on_batch_end();
  touched_.clear();
  if (state == got::broken && garbage_.empty())
    garbage_ = "the guest's agent sent something that is not a frame";
  return garbage_.empty() ? state : got::broken;
}

got agent_channel::search() {
  auto* buffer = scratch::get();
  std::size_t bytes = 0;
  const auto state = read_some(socket_.get(), buffer, scratch::read_size, bytes);
  const auto hello = search_->feed({buffer, bytes});
  if (!hello) {
    if (port_open_ && search_->saw_another())
      say_sync();
    return state;
  }
  const auto found = std::move(search_);
  reader_ = frame_reader();
  protocol_ = hello->protocol;
  keep_orphans(hello->sessions);
  on_.on_event(event::hello{*hello});
  return reader_.feed(found->rest(), on_frame_);
}

// A second hello: the guest took the end of our predecessor for ours and has forgotten what we
// said. Clients come back for the commands that it still has.
void agent_channel::start_over(const guest::hello_body& hello) {
  const auto cut = std::exchange(sessions_, {});
  starts_.clear();
  keep_orphans(hello.sessions);
  search_anew();
  say_sync();
  for (const auto& [id, sink] : cut)
    sink->on_cut();
  tell_use();
}

void agent_channel::search_anew() {
  loop_.cancel(std::exchange(sync_timer_, 0));
  synced_ = false;
  epoch_ = random_epoch();
  search_ = std::make_unique<hello_search>(epoch_);
}

// The last frame may have been cut off, and the next agent's hello follows it: only one with a new
// epoch counts. Commands end with their agent.
void agent_channel::guest_left() {
  port_open_ = false;
  if (!watched_)
    return;
  for (auto& [id, sink] : std::exchange(sessions_, {}))
    left_.push_back(std::move(sink));
  orphans_.clear();
  loop_.cancel(std::exchange(orphans_timer_, 0));
  unsent_.clear();
  starts_.clear();
  was_congested_ = false;
  search_anew();
  tell_use();
  on_.on_event(event::agent_left{});
}

void agent_channel::tell_left(const std::string& why) {
  for (const auto& sink : std::exchange(left_, {}))
    sink->on_lost(why);
}

void agent_channel::guest_came() {
  port_open_ = true;
  if (watched_ && search_)
    say_sync();
}

// Commands of an earlier connection: their clients lost it as we did, and may come back for them.
void agent_channel::keep_orphans(const std::vector<std::uint32_t>& sessions) {
  orphans_.clear();
  for (const auto id : sessions)
    if (id != 0 && sessions_.count(id) == 0)
      orphans_.insert(id);
  if (orphans_.empty())
    return;
  loop_.cancel(orphans_timer_);
  orphans_timer_ = loop_.at(reactor::clock::now() + orphan_life_, [self = shared_from_this()] {
    self->orphans_timer_ = 0;
    self->close_orphans();
  });
}

void agent_channel::close_orphans() {
  for (const auto id : std::exchange(orphans_, {}))
    request_session(frame_type::close, id, {});
}

bool agent_channel::take(const header& h, std::string_view payload) {
  if (h.session == 0)
    return take_control(h, payload);
  if (guest_may_send(h.type)) {
    take_session(h, payload);
    return true;
  }
  garbage_ = "the guest's agent sent a frame that only the host may send";
  return false;
}

template <class Event, class Body>
bool agent_channel::tell(std::string_view payload) {
  auto body = guest::decode<Body>(payload);
  if (!body) {
    garbage_ = damaged;
    return false;
  }
  on_.on_event(Event{std::move(*body)});
  return true;
}

bool agent_channel::take_clock(std::string_view payload) {
  const auto body = guest::decode<guest::clock_body>(payload);
  if (!body) {
    garbage_ = damaged;
    return false;
  }
  on_.on_clock(*body);
  return true;
}

bool agent_channel::take_control(const header& h, std::string_view payload) {
  switch (h.type) {
  case frame_type::configured: return tell<event::configured, guest::configured_body>(payload);
  case frame_type::grown: return tell<event::grown, guest::grown_body>(payload);
  case frame_type::booted: return tell<event::booted, guest::booted_body>(payload);
  case frame_type::ports: return tell<event::ports, guest::ports_body>(payload);
  case frame_type::health: return tell<event::health, guest::health_body>(payload);
  case frame_type::clock: return take_clock(payload);
  case frame_type::failed: return tell<event::refused, guest::failed_body>(payload);
  case frame_type::stopping: on_.on_event(event::stopping{}); return true;
  case frame_type::log: on_.on_log(payload); return true;
  case frame_type::hello: {
    const auto again = guest::decode<guest::hello_body>(payload);
    if (!again)
      return false;
    start_over(*again);
    return true;
  }
  case frame_type::reidentified:
  case frame_type::pong: return true;
  default: garbage_ = "the guest's agent sent a frame that only the host may send"; return false;
  }
}

// A frame for a session that was closed meanwhile was under way then: it is dropped.
void agent_channel::take_session(const header& h, std::string_view payload) {
  const auto found = sessions_.find(h.session);
  if (found == sessions_.end())
    return;
  if (std::find(touched_.begin(), touched_.end(), found->second) == touched_.end())
    touched_.push_back(found->second);
  const auto keep = found->second; // it may close itself
  keep->from_guest(h, payload);
}

void agent_channel::lose(bool garbage, const std::string& why) {
  if (!watched_)
    return;
  unwatch();
  on_.on_lost(garbage, why);
}

void agent_channel::unwatch() {
  if (!std::exchange(watched_, false))
    return;
  loop_.post([keep = shared_from_this()] {}); // the handler may hold the last reference
  loop_.unwatch(socket_.get());
}

void agent_channel::end(const std::string& why, bool cut) {
  unwatch();
  loop_.cancel(std::exchange(orphans_timer_, 0));
  loop_.cancel(std::exchange(sync_timer_, 0));
  socket_.reset();
  unsent_.clear();
  starts_.clear();
  tell_left(why);
  for (auto& [id, sink] : std::exchange(sessions_, {}))
    cut ? sink->on_cut() : sink->on_lost(why);
}

bool agent_channel::request(frame_type type, std::string_view payload) {
  if (!watched_ || payload.size() > guest::max_payload)
    return false;
  header h;
  h.type = type;
  send(h, payload);
  return true;
}

expected<void> agent_channel::open_session(std::uint32_t session, const guest::open_body& command,
                                           std::shared_ptr<session_sink> sink) {
  // An agent takes nothing in that comes before its sync.
  if (!watched_ || !synced_)
    return fail(errc::disconnected, "the command was not started",
                "there is no connection to the guest's agent");
  if (session == 0 || sessions_.count(session) != 0 || orphans_.count(session) != 0)
    return fail(errc::already_exists, "the command was not started",
                "there is a session of its number");
  auto body = guest::encode(command);
  if (auto ok = starts_.admit(body.size(), protocol_); !ok)
    return ok;
  sessions_.emplace(session, std::move(sink));
  tell_use();
  if (body.size() <= guest::max_payload) {
    request_session(frame_type::open, session, body);
  } else {
    starts_.add(session, std::move(body));
    send_starts();
  }
  return {};
}

expected<void> agent_channel::attach_session(std::uint32_t session, const guest::attach_body& from,
                                             std::shared_ptr<session_sink> sink) {
  if (!watched_)
    return fail(errc::disconnected, "the command cannot be reached",
                "there is no connection to the guest's agent");
  if (orphans_.erase(session) == 0)
    return fail(errc::not_found, "the command is gone", "the guest has no session of its number");
  sessions_.emplace(session, std::move(sink));
  tell_use();
  request_session(frame_type::attach, session, guest::encode(from));
  return {};
}

void agent_channel::close_session(std::uint32_t session) {
  if (sessions_.erase(session) == 0)
    return;
  starts_.drop(session);
  request_session(frame_type::close, session, {});
  tell_use();
}

void agent_channel::tell_use() {
  if (in_use_ != sessions_.empty())
    return;
  in_use_ = !in_use_;
  on_.on_event(event::in_use{in_use_});
}

void agent_channel::request_session(frame_type type, std::uint32_t session,
                                    std::string_view payload) {
  header h;
  h.type = type;
  h.session = session;
  send(h, payload);
}

void agent_channel::send(const header& h, std::string_view payload) {
  if (!watched_)
    return;
  char head[guest::header_size];
  auto full = h;
  full.length = static_cast<std::uint32_t>(payload.size());
  guest::encode_header(head, full);
  std::size_t sent = 0;
  if (unsent_.empty()) {
    iovec pieces[] = {{head, sizeof head}, {const_cast<char*>(payload.data()), payload.size()}};
    const auto taken = send_some(socket_.get(), pieces, 2);
    if (!taken)
      return loop_.post([self = shared_from_this()] {
        self->lose(false, "the guest's agent closed its channel");
      });
    sent = *taken;
  }
  const auto of_head = std::min(sent, sizeof head);
  unsent_.append(std::string_view(head, sizeof head).substr(of_head));
  unsent_.append(payload.substr(sent - of_head));
  if (!unsent_.empty() && !std::exchange(write_armed_, true))
    loop_.rearm(socket_.get(), EPOLLIN | EPOLLOUT);
  was_congested_ = was_congested_ || congested();
}

void agent_channel::flush() {
  while (watched_ && !unsent_.empty()) {
    std::array<iovec, 8> pieces{};
    const auto count = unsent_.front(pieces.data(), pieces.size(), unsent_.size());
    const auto sent = send_some(socket_.get(), pieces.data(), count);
    if (!sent)
      return lose(false, "the guest's agent closed its channel");
    if (*sent == 0)
      break;
    unsent_.drop(*sent);
  }
  if (unsent_.empty() && std::exchange(write_armed_, false))
    loop_.rearm(socket_.get(), EPOLLIN);
  tell_drained();
  send_starts();
}

// They never congest the channel: what clients of other commands send goes between them.
void agent_channel::send_starts() {
  while (watched_ && !starts_.empty() && unsent_.size() < relief)
    starts_.send_next([this](const header& h, std::string_view payload) { send(h, payload); });
}

void agent_channel::tell_drained() {
  if (unsent_.size() > relief || !std::exchange(was_congested_, false))
    return;
  const auto sessions = sessions_; // a sink may close its session
  for (const auto& [id, sink] : sessions)
    if (sessions_.count(id) != 0)
      sink->on_drained();
}

} // namespace banger::io
