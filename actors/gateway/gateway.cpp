#include "actors/gateway/gateway.hpp"

#include "actors/gateway/roll_call.hpp"
#include "actors/log/log.hpp"
#include "messages/base/version.hpp"

namespace banger::gateway {

using namespace std::chrono_literals;
using namespace messages;

namespace {

constexpr auto drain_deadline = 1h;
constexpr auto census_deadline = 10s;

build_info build_of(const hello_request& who) { return {who.version, who.commit, who.build}; }

class system_state : public actor::state_base {
public:
  static inline const char* name = "system";

  void init(system_actor::pointer self, vms::vms_actor vms, operations::operations_actor operations,
            image::images_actor images, system_options options) {
    self_ = self;
    vms_ = std::move(vms);
    operations_ = std::move(operations);
    images_ = std::move(images);
    options_ = std::move(options);
    wait_for_idle();
  }

  caf::result<daemon_status> status() {
    auto answer = self_->make_response_promise<daemon_status>();
    survey([answer](const daemon_status& now) mutable { answer.deliver(now); },
           [answer](caf::error why) mutable { answer.deliver(std::move(why)); });
    return answer;
  }

  // All who ask while a test guest boots share its result.
  caf::result<std::string> reprobe() {
    auto answer = self_->make_response_promise<std::string>();
    reprobing_.push_back(answer);
    if (reprobing_.size() == 1)
      options_.reprobe([this, me = system_actor(self_)](const std::string& now) {
        actor::tell_from_outside(me, work::thunk{[this, now] {
                                   for (auto& waiting : std::exchange(reprobing_, {}))
                                     waiting.deliver(now);
                                 }});
      });
    return answer;
  }

  caf::result<void> halt() {
    auto answer = self_->make_response_promise<void>();
    log::info({}, "halting");
    drain_and_leave(answer);
    return answer;
  }

  caf::result<void> retire(const hello_request& asker) {
    if (!newer(build_of(asker), this_build()))
      return actor::to_error({errc::bad_version, "this daemon is not older than you", {}, {}, {}});
    auto answer = self_->make_response_promise<void>();
    const auto refuse = [answer](caf::error why) mutable { answer.deliver(std::move(why)); };
    count_operations(
        [this, answer](std::uint32_t running) mutable {
          if (running == 0) {
            log::info({}, "retiring", {{"text", "a newer banger takes over; VMs live on"}});
            return drain_and_leave(answer);
          }
          answer.deliver(actor::to_error({errc::busy,
                                          "the daemon is at work for others",
                                          std::to_string(running) + " operations run",
                                          "wait until they are done, or use `banger daemon stop`",
                                          {}}));
        },
        refuse);
    return answer;
  }

  caf::result<stream_ticket> open_events(const events_request& request) {
    if (!options_.events)
      return actor::to_error({errc::unavailable, "nobody tells events here", {}, {}, {}});
    return self_->delegate(options_.events, events_atom::value, request);
  }

  caf::result<std::vector<actor_view>> call_the_roll() {
    roll whom{vms_, operations_, {}, {}};
    actor_view me;
    me.kind = "system";
    me.state = "ok";
    whom.known.push_back(std::move(me));
    const auto add = [&](const char* kind, const auto& handle) {
      if (handle)
        whom.others.emplace_back(kind, caf::actor_cast<caf::strong_actor_ptr>(handle));
    };
    add("gateway", gate_);
    add("events", options_.events);
    add("store", options_.store);
    add("images", images_);
    add("network", options_.network);
    return self_->delegate(spawn_roll_call(self_->home_system(), std::move(whom)),
                           actors_atom::value);
  }

  void meet(const gateway_actor& gate) { gate_ = gate; }

  void count_clients(std::int32_t change) {
    clients_ += change;
    if (clients_ == 0)
      wait_for_idle();
  }

  void look_whether_idle(std::uint64_t number) {
    if (number != idle_number_ || clients_ > 0)
      return;
    survey(
        [this](const daemon_status& now) {
          if (now.clients > 0)
            return;
          if (now.running > 0 || now.operations > 0)
            return wait_for_idle();
          log::info({}, "leaving", {{"text", "no clients and no running VMs"}});
          drain_and_leave({});
        },
        [](const caf::error&) {});
  }

private:
  template <class Then, class Otherwise>
  void count_operations(Then then, Otherwise otherwise) {
    actor::ask(self_, operations_, census_deadline, operations::count_atom::value)
        .then([then](std::uint32_t running) mutable { then(running); },
              [otherwise](caf::error& why) mutable { otherwise(std::move(why)); });
  }

  template <class Then, class Otherwise>
  void survey(Then then, Otherwise otherwise) {
    const auto count = [this, then, otherwise](const vms::census& counted) {
      count_operations(
          [this, then, counted](std::uint32_t operations) {
            with_streams(
                [this, then, counted, operations](const io::stream_stats& streams) mutable {
                  then(now(counted, operations, streams));
                });
          },
          otherwise);
    };
    actor::ask(self_, vms_, census_deadline, vms::census_atom::value)
        .then(count, [otherwise](caf::error& why) mutable { otherwise(std::move(why)); });
  }

  template <class Then>
  void with_streams(Then then) {
    const system_actor me = self_;
    options_.streams->stats([me, then](const io::stream_stats& streams) {
      actor::tell_from_outside(me, work::thunk{[then, streams]() mutable { then(streams); }});
    });
  }

  daemon_status now(const vms::census& counted, std::uint32_t operations,
                    const io::stream_stats& streams) const {
    auto s = options_.about;
    s.hypervisor = options_.hypervisor();
    s.no_names = options_.no_names();
    const auto up = std::chrono::steady_clock::now() - began_;
    s.uptime_ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(up).count());
    s.vms = counted.vms;
    s.running = counted.running;
    s.orphans = counted.orphans;
    s.operations = operations;
    s.clients = static_cast<std::uint32_t>(std::max(clients_, 0));
    s.streams = streams.open;
    s.stream_bytes_buffered = streams.buffered_bytes;
    s.idle_exit_ms = static_cast<std::uint64_t>(options_.idle_exit.count());
    return s;
  }

  // From here on VMs begin nothing new; what runs is not cut off, but for builds of images, which
  // may take an hour and can be made again.
  void drain_and_leave(caf::typed_response_promise<void> answer) {
    const auto refuse = [answer](caf::error& why) mutable { answer.deliver(std::move(why)); };
    const auto leave = [this, answer] {
      actor::done(answer);
      options_.leave();
    };
    const auto wait_for_the_rest = [this, leave, refuse] {
      actor::ask(self_, operations_, drain_deadline, operations::drain_atom::value)
          .then(leave, refuse);
    };
    const auto wait_for_images = [this, wait_for_the_rest, refuse] {
      actor::ask(self_, images_, drain_deadline, image::drain_atom::value)
          .then(wait_for_the_rest, refuse);
    };
    actor::ask(self_, vms_, drain_deadline, vms::drain_atom::value).then(wait_for_images, refuse);
    // VMs may wait for a build: it is told at once, and asked again when they are done.
    actor::ask(self_, images_, drain_deadline, image::drain_atom::value)
        .then([] {}, [](const caf::error&) {});
  }

  void wait_for_idle() {
    if (options_.idle_exit > 0ms)
      actor::after(self_, options_.idle_exit, idle_atom::value, ++idle_number_);
  }

  system_actor::pointer self_ = nullptr;
  vms::vms_actor vms_;
  operations::operations_actor operations_;
  image::images_actor images_;
  system_options options_;
  gateway_actor gate_;
  std::vector<caf::typed_response_promise<std::string>> reprobing_;
  std::int32_t clients_ = 0;
  std::uint64_t idle_number_ = 0;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

system_actor::behavior_type system_behavior(system_actor::stateful_pointer<system_state> self,
                                            vms::vms_actor vms,
                                            operations::operations_actor operations,
                                            image::images_actor images, system_options options) {
  static_assert(actor::sound_state<system_state>);
  actor::make_sturdy(self);
  auto& s = self->state;
  s.init(self, std::move(vms), std::move(operations), std::move(images), std::move(options));
  return {
      [&s](status_atom) { return s.status(); },
      [&s](reprobe_atom) { return s.reprobe(); },
      [&s](halt_atom) { return s.halt(); },
      [&s](events_atom, const events_request& request) { return s.open_events(request); },
      [&s](actors_atom) { return s.call_the_roll(); },
      [&s](retire_atom, const hello_request& asker) { return s.retire(asker); },
      [&s](client_atom, std::int32_t change) { s.count_clients(change); },
      [&s](idle_atom, std::uint64_t number) { s.look_whether_idle(number); },
      [&s](gate_atom, const gateway_actor& gate) { s.meet(gate); },
      [](const work::thunk& t) { t.run(); },
  };
}

struct gateway_state : actor::state_base {
  static inline const char* name = "gateway";
};

struct facets {
  vms_facet vms;
  operations_facet operations;
  images_facet images;
  system_facet system;
};

gateway_actor::behavior_type gateway_behavior(gateway_actor::stateful_pointer<gateway_state> self,
                                              const facets& all, const system_actor& itself) {
  static_assert(actor::sound_state<gateway_state>);
  actor::make_sturdy(self);
  return {
      [all](hello_atom, const hello_request& asker)
          -> caf::result<hello_reply, vms_facet, operations_facet, images_facet, system_facet> {
        const auto& build = this_build();
        hello_reply reply{protocol_version, build.version, build.commit, build.number,
                          static_cast<std::uint32_t>(::getpid())};
        const auto shown = asker.protocol == protocol_version ? all : facets();
        return {std::move(reply), shown.vms, shown.operations, shown.images, shown.system};
      },
      [self, itself](retire_atom, const hello_request& asker) -> caf::result<void> {
        return self->delegate(itself, retire_atom::value, asker);
      },
  };
}

} // namespace

system_actor spawn_system(caf::actor_system& system, vms::vms_actor vms,
                          operations::operations_actor operations, image::images_actor images,
                          system_options options) {
  return system.spawn(system_behavior, std::move(vms), std::move(operations), std::move(images),
                      std::move(options));
}

gateway_actor spawn_gateway(caf::actor_system& system, const vms::vms_actor& vms,
                            const operations::operations_actor& operations,
                            const images_facet& images, const system_actor& itself) {
  const facets all{caf::actor_cast<vms_facet>(vms), caf::actor_cast<operations_facet>(operations),
                   images, caf::actor_cast<system_facet>(itself)};
  auto gate = system.spawn(gateway_behavior, all, itself);
  actor::tell_from_outside(itself, gate_atom::value, gate);
  return gate;
}

} // namespace banger::gateway
