#include "actors/operations/operations.hpp"

#include "messages/base/duration.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <set>

namespace banger::operations {

using namespace std::chrono_literals;
using namespace messages;

namespace {

constexpr auto progress_interval = 100ms;
constexpr auto runner_deadline = 10s;

class operations_state : public actor::state_base {
public:
  static inline const char* name = "operations";

  void init(operations_actor::pointer self, events::events_actor events) {
    self_ = self;
    events_ = std::move(events);
    actor::on_down(self_, [this](const caf::down_msg& down) { lost(down.source); });
  }

  void open(const opening& o);
  void heard(const progress& news);
  void flush(const std::string& op);
  void ended(const finished& end);

  std::vector<operation_view> list() const;
  caf::result<operation_view> watch(const std::string& ref);
  caf::result<bool> cancel(const std::string& ref);
  std::uint32_t count() const { return static_cast<std::uint32_t>(running_.size()); }
  caf::result<void> drain();
  running_steps steps() const;

private:
  using clock = std::chrono::steady_clock;

  struct running {
    operation_view view;
    runner_actor runner;
    std::vector<client_actor> watchers;
    clock::time_point began, step_began, last_sent;
    std::string last_stage;
    std::optional<progress> held; ///< sent when the burst is over
  };

  struct ended_operation {
    operation_view view;
    finished end;
  };

  expected<std::string> find(const std::string& ref) const;
  operation_view now(const running& r) const;
  void add_watcher(running& r, const client_actor& who);
  void send(running& r, const progress& news);
  void lost(const caf::actor_addr& who);
  template <class News>
  void write_down(const News& news) {
    if (events_)
      actor::tell(self_, events_, news);
  }

  operations_actor::pointer self_ = nullptr;
  events::events_actor events_;
  std::map<std::string, running> running_;
  std::deque<ended_operation> ended_;   ///< the oldest first
  std::set<caf::actor_addr> monitored_; ///< watchers
  std::vector<caf::typed_response_promise<void>> drained_;
};

// -- what runners say -----------------------------------------------------------------------------

void operations_state::open(const opening& o) {
  running r;
  r.view.op = o.op;
  r.view.kind = o.kind;
  r.view.target = o.target;
  r.view.state = "running";
  r.view.began_ms = unix_ms();
  r.runner = o.runner;
  r.began = r.step_began = self_->clock().now();
  write_down(events::begun{o.op, o.kind, o.target});
  auto& kept = running_.insert_or_assign(o.op, std::move(r)).first->second;
  if (o.asker)
    add_watcher(kept, o.asker);
}

void operations_state::heard(const progress& news) {
  const auto it = running_.find(news.op);
  if (it == running_.end())
    return;
  auto& r = it->second;
  if (news.stage == "notice") { // no stage of the operation: only for whoever follows it
    for (const auto& watcher : r.watchers)
      actor::tell(self_, watcher, news);
    return;
  }
  write_down(news);
  if (r.view.stage != news.stage)
    r.step_began = self_->clock().now();
  r.view.stage = news.stage;
  r.view.detail = news.detail;
  if (news.stage != r.last_stage || self_->clock().now() - r.last_sent >= progress_interval)
    return send(r, news);
  if (!r.held)
    actor::after(self_, progress_interval, flush_atom::value, news.op);
  r.held = news;
}

void operations_state::flush(const std::string& op) {
  const auto it = running_.find(op);
  if (it != running_.end() && it->second.held)
    send(it->second, *std::exchange(it->second.held, std::nullopt));
}

void operations_state::send(running& r, const progress& news) {
  r.last_sent = self_->clock().now();
  r.last_stage = news.stage;
  r.held.reset();
  for (const auto& watcher : r.watchers)
    actor::tell(self_, watcher, news);
}

void operations_state::ended(const finished& end) {
  const auto it = running_.find(end.op);
  if (it == running_.end())
    return;
  write_down(end);
  auto view = now(it->second);
  const auto code = static_cast<errc>(end.error.code);
  view.state = code == errc::none ? "done" : code == errc::cancelled ? "cancelled" : "failed";
  view.error = end.error;
  for (const auto& watcher : it->second.watchers)
    actor::tell(self_, watcher, end);
  running_.erase(it);
  ended_.push_back({std::move(view), end});
  if (ended_.size() > most_ended)
    ended_.pop_front();
  if (running_.empty())
    for (auto& waiting : std::exchange(drained_, {}))
      actor::done(waiting);
}

// -- what clients say -----------------------------------------------------------------------------

std::vector<operation_view> operations_state::list() const {
  std::vector<operation_view> all;
  for (const auto& [op, r] : running_)
    all.push_back(now(r));
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::tie(a.began_ms, a.op) < std::tie(b.began_ms, b.op);
  });
  for (const auto& e : ended_)
    all.push_back(e.view);
  return all;
}

caf::result<operation_view> operations_state::watch(const std::string& ref) {
  const auto op = find(ref);
  if (!op)
    return actor::to_error(op.error());
  const auto asker = caf::actor_cast<client_actor>(self_->current_sender());
  if (const auto it = running_.find(*op); it != running_.end()) {
    add_watcher(it->second, asker);
    return now(it->second);
  }
  const auto past =
      std::find_if(ended_.begin(), ended_.end(), [&](const auto& e) { return e.view.op == *op; });
  actor::tell(self_, asker, past->end);
  return past->view;
}

caf::result<bool> operations_state::cancel(const std::string& ref) {
  const auto op = find(ref);
  if (!op)
    return actor::to_error(op.error());
  const auto it = running_.find(*op);
  if (it == running_.end())
    return false;
  auto answer = self_->make_response_promise<bool>();
  actor::ask(self_, it->second.runner, runner_deadline, cancel_atom::value, *op)
      .then([answer](bool ran) mutable { answer.deliver(ran); },
            // The one who ran it is gone, and with it the operation.
            [answer](caf::error&) mutable { answer.deliver(false); });
  return answer;
}

caf::result<void> operations_state::drain() {
  auto answer = self_->make_response_promise<void>();
  if (running_.empty())
    actor::done(answer);
  else
    drained_.push_back(answer);
  return answer;
}

running_steps operations_state::steps() const {
  running_steps steps;
  for (const auto& [op, r] : running_)
    steps.all.push_back({op, r.view.stage,
                         std::chrono::duration_cast<std::chrono::microseconds>(
                             self_->clock().now() - r.step_began)});
  return steps;
}

// -- who is there ---------------------------------------------------------------------------------

// An exact id, else the beginning of one, with or without its "op-".
expected<std::string> operations_state::find(const std::string& ref) const {
  std::vector<std::string> fits;
  const auto look_at = [&](const std::string& op) {
    if (op == ref || (!ref.empty() && (op.rfind(ref, 0) == 0 || op.rfind("op-" + ref, 0) == 0)))
      fits.push_back(op);
  };
  for (const auto& [op, r] : running_)
    look_at(op);
  for (const auto& e : ended_)
    look_at(e.view.op);
  if (std::find(fits.begin(), fits.end(), ref) != fits.end())
    return ref;
  if (fits.empty())
    return fail(errc::not_found, "there is no operation '" + ref.substr(0, 64) + "'",
                "it never was, ended long ago, or belonged to an earlier daemon",
                "see `banger operations`");
  if (fits.size() > 1)
    return fail(errc::ambiguous, "'" + ref + "' fits several operations",
                fits[0] + ", " + fits[1] + (fits.size() > 2 ? ", ..." : ""));
  return fits.front();
}

operation_view operations_state::now(const running& r) const {
  auto view = r.view;
  view.elapsed_us = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(self_->clock().now() - r.began)
          .count());
  return view;
}

void operations_state::add_watcher(running& r, const client_actor& who) {
  if (std::find(r.watchers.begin(), r.watchers.end(), who) != r.watchers.end())
    return;
  r.watchers.push_back(who);
  if (monitored_.insert(who.address()).second)
    self_->monitor(who);
}

void operations_state::lost(const caf::actor_addr& who) {
  monitored_.erase(who);
  for (auto& [op, r] : running_)
    std::erase_if(r.watchers, [&](const auto& w) { return w.address() == who; });
}

operations_actor::behavior_type behavior(operations_actor::stateful_pointer<operations_state> self,
                                         events::events_actor events) {
  static_assert(actor::sound_state<operations_state>);
  actor::make_sturdy(self);
  auto& s = self->state;
  s.init(self, std::move(events));
  return {
      [&s](list_atom) { return s.list(); },
      [&s](watch_atom, const std::string& ref) { return s.watch(ref); },
      [&s](cancel_atom, const std::string& ref) { return s.cancel(ref); },
      [&s](const progress& news) { s.heard(news); },
      [&s](const finished& end) { s.ended(end); },
      [&s](opening_atom, const opening& o) { s.open(o); },
      [&s](count_atom) { return s.count(); },
      [&s](drain_atom) { return s.drain(); },
      [&s](flush_atom, const std::string& op) { s.flush(op); },
      [&s](steps_atom) { return s.steps(); },
  };
}

} // namespace

operations_actor spawn_operations(caf::actor_system& system, events::events_actor events) {
  return system.spawn(behavior, std::move(events));
}

} // namespace banger::operations
