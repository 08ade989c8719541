#include "actors/events/events.hpp"

#include "actors/events/chronicle.hpp"

#include "messages/base/duration.hpp"

namespace banger::events {

using namespace messages;

namespace {

class events_state : public actor::state_base {
public:
  static inline const char* name = "events";

  void init(events_actor::pointer self, outlet out) {
    self_ = self;
    out_ = std::move(out);
  }

  void heard(const begun& b) { tell({past_.begun(b.op, b.kind, b.target, now_us())}); }
  void heard(const progress& news) { tell(past_.heard(news)); }
  void heard(const finished& end) { tell(past_.ended(end, now_us())); }
  void heard(const change& c) {
    tell({event{c.what, {}, {}, actor_of("vm", c.vm), {}, c.state, 0, c.why}});
  }

  caf::result<stream_ticket> open(const events_request& request) {
    if (!out_.offer)
      return actor::to_error({errc::unavailable, "nobody tells events here", {}, {}, {}});
    return stream_ticket{
        out_.offer(request.follow ? std::optional<std::size_t>(told_first) : std::nullopt), {}, 0};
  }

private:
  std::uint64_t now_us() const {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                          self_->clock().now().time_since_epoch())
                                          .count());
  }

  void tell(const std::vector<event>& all) {
    for (const auto& e : all)
      out_.append(to_line(e, ++number_, unix_ms()));
  }

  events_actor::pointer self_ = nullptr;
  outlet out_;
  chronicle past_;
  std::uint64_t number_ = 0;
};

events_actor::behavior_type behavior(events_actor::stateful_pointer<events_state> self,
                                     outlet out) {
  static_assert(actor::sound_state<events_state>);
  actor::make_sturdy(self);
  auto& s = self->state;
  s.init(self, std::move(out));
  return {
      [&s](const begun& b) { s.heard(b); },
      [&s](const progress& news) { s.heard(news); },
      [&s](const finished& end) { s.heard(end); },
      [&s](const change& c) { s.heard(c); },
      [&s](events_atom, const events_request& request) { return s.open(request); },
  };
}

} // namespace

std::string missed(std::uint64_t count) { return lost_line(count, unix_ms()); }

events_actor spawn_events(caf::actor_system& system, outlet out) {
  return system.spawn(behavior, std::move(out));
}

} // namespace banger::events
