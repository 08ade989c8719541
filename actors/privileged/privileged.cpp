#include "actors/privileged/privileged.hpp"

#include "actors/log/log.hpp"
#include "messages/actor/remote.hpp"

#include <chrono>

namespace banger::privileged {

using namespace std::chrono_literals;
using namespace messages;

namespace {

// A batch of taps is gone after some 50 ms, and the helper does one thing at a time.
constexpr auto order_deadline = 15s;

class privileged_state : public actor::state_base {
public:
  static inline const char* name = "privileged";

  void init(privileged_actor::pointer self, line to, work::run_fn workers,
            std::function<void()> lost) {
    self_ = self;
    line_ = std::move(to);
    workers_ = std::move(workers);
    lost_ = std::move(lost);
    actor::on_down(self_, [this](const caf::down_msg& down) { gone(down); });
  }

  /// Hands an order on, to a helper that is reached for it if there is none yet.
  template <class Answer, class Atom, class... Words>
  caf::result<Answer> pass_on(Atom what, const Words&... words) {
    auto answer = self_->make_response_promise<Answer>();
    with_helper([this, answer, what, words...](const expected<network_helper>& helper) mutable {
      if (!helper) {
        answer.deliver(actor::to_error(helper.error()));
        return;
      }
      calls_.ask(self_, *helper, order_deadline, what, words...)
          .then(answer_to(answer),
                [answer](const failure& why) mutable { answer.deliver(actor::to_error(why)); });
    });
    return answer;
  }

  caf::result<open_taps_ptr> open(const taps_order& order) {
    auto answer = self_->make_response_promise<open_taps_ptr>();
    with_helper([this, answer, order](const expected<network_helper>& helper) mutable {
      if (!helper) {
        answer.deliver(actor::to_error(helper.error()));
        return;
      }
      calls_.ask(self_, *helper, order_deadline, taps_atom::value, order)
          .then([this, answer, order](const taps_reply& reply) { fetch(answer, order, reply); },
                [answer](const failure& why) mutable { answer.deliver(actor::to_error(why)); });
    });
    return answer;
  }

private:
  using use = std::function<void(const expected<network_helper>&)>;

  template <class Answer>
  static auto answer_to(caf::typed_response_promise<Answer> answer) {
    if constexpr (std::is_void_v<Answer>)
      return [answer] { actor::done(answer); };
    else
      return [answer](const Answer& reply) mutable { answer.deliver(reply); };
  }

  void with_helper(use then) {
    if (helper_)
      return then(helper_);
    waiting_.push_back(std::move(then));
    if (waiting_.size() > 1)
      return; // it is being reached
    work::submit(
        workers_, privileged_actor(self_), [connect = line_.connect] { return connect(); },
        [this](expected<network_helper> reached) { reached_it(std::move(reached)); });
  }

  void reached_it(expected<network_helper> reached) {
    if (reached) {
      helper_ = *reached;
      calls_.watch(self_, helper_);
    }
    for (const auto& then : std::exchange(waiting_, {}))
      then(reached);
  }

  void fetch(caf::typed_response_promise<open_taps_ptr> answer, const taps_order& order,
             const taps_reply& reply) {
    if (!order.present) {
      answer.deliver(std::make_shared<const open_taps>());
      return;
    }
    work::submit(
        workers_, privileged_actor(self_),
        [fetch = line_.fetch, token = reply.token, count = order.names.size()] {
          return fetch(token, count);
        },
        [answer](expected<std::vector<unique_fd>> got) mutable {
          if (!got) {
            answer.deliver(actor::to_error(got.error()));
            return;
          }
          auto taps = std::make_shared<open_taps>();
          for (auto& fd : *got)
            taps->push_back(std::make_shared<unique_fd>(std::move(fd)));
          answer.deliver(open_taps_ptr(std::move(taps)));
        });
  }

  void gone(const caf::down_msg& down) {
    if (!helper_ || down.source != helper_.address()) {
      calls_.lost(down);
      return;
    }
    helper_ = nullptr;
    log::warn({}, "helper_lost", {{"text", "the next order looks for it again"}});
    calls_.lost(down);
    if (lost_)
      lost_();
  }

  privileged_actor::pointer self_ = nullptr;
  line line_;
  work::run_fn workers_;
  std::function<void()> lost_;
  network_helper helper_;
  std::vector<use> waiting_; ///< until the helper is reached
  actor::remote_calls calls_;
};

privileged_actor::behavior_type behavior(privileged_actor::stateful_pointer<privileged_state> self,
                                         line to, work::run_fn workers,
                                         std::function<void()> lost) {
  static_assert(actor::sound_state<privileged_state>);
  actor::make_sturdy(self);
  auto& s = self->state;
  s.init(self, std::move(to), std::move(workers), std::move(lost));
  return {
      [&s](bridge_atom what, const bridge_order& o) { return s.pass_on<void>(what, o); },
      [&s](taps_atom, const taps_order& o) { return s.open(o); },
      [&s](policy_atom what, const policy_order& o) { return s.pass_on<policy_reply>(what, o); },
      [&s](guest_atom what, const guest_change& o) { return s.pass_on<policy_reply>(what, o); },
      [&s](resolver_atom what, const resolver_order& o) { return s.pass_on<void>(what, o); },
      [&s](inventory_atom what) { return s.pass_on<network_inventory>(what); },
      [&s](sweep_atom what, const network_sweep& o) { return s.pass_on<sweep_reply>(what, o); },
      [](const work::thunk& t) { t.run(); },
  };
}

} // namespace

line refusing(const failure& why) {
  return {[why]() -> expected<network_helper> { return tl::unexpected(why); },
          [why](const std::string&, std::size_t) -> expected<std::vector<unique_fd>> {
            return tl::unexpected(why);
          }};
}

privileged_actor spawn_privileged(caf::actor_system& system, line to, work::run_fn workers,
                                  std::function<void()> lost) {
  return system.spawn(behavior, std::move(to), std::move(workers), std::move(lost));
}

} // namespace banger::privileged
