// Asking actors of another process. CAF lets a request to a lost peer wait until its deadline; here
// it fails at once.
#pragma once

#include "messages/actor/help.hpp"

#include <functional>
#include <future>
#include <memory>
#include <set>
#include <tuple>
#include <vector>

namespace banger::actor {

namespace detail {

/// One question. Whoever comes first settles it: the answer, the error, the loss of the peer.
struct question {
  caf::actor_addr asked;
  std::function<void(const failure&)> fail;

  bool settle() { return std::exchange(open_, false); }
  bool open() const { return open_; }
  void give_up(const failure& why) {
    if (settle())
      fail(why);
  }

private:
  bool open_ = true;
};

using question_ptr = std::shared_ptr<question>;

template <class F, class Args = typename caf::detail::get_callable_trait<F>::arg_types>
struct first_answer;

template <class F, class... Args>
struct first_answer<F, caf::detail::type_list<Args...>> {
  question_ptr asked;
  F f;
  void operator()(Args... args) {
    if (asked->settle())
      f(std::forward<Args>(args)...);
  }
};

} // namespace detail

/// The open questions of one actor to remote ones. A member of its state; its `on_down` calls
/// `lost`.
class remote_calls {
public:
  /// As `ask`, but `.then(answer, failed)` with `failed(const failure&)`, which is also called when
  /// the actor asked, or its process, is gone. Watches `to` from now on.
  template <class Self, class To, class... Ts>
  auto ask(Self* self, const To& to, std::chrono::milliseconds deadline, Ts&&... words) {
    watch(self, to);
    return asked{this, to.address(), self->request(to, deadline, std::forward<Ts>(words)...)};
  }

  /// `down` will tell when `to` is gone. Once is enough; repeating it is harmless.
  template <class Self, class To>
  void watch(Self* self, const To& to) {
    if (watched_.insert(to.address()).second)
      self->monitor(to);
  }

  /// Fails what was asked of the actor that is gone. True if it was one that is watched here.
  bool lost(const caf::down_msg& gone);

private:
  template <class Response>
  struct asked {
    remote_calls* calls;
    caf::actor_addr whom;
    Response response;

    template <class F, class G>
    void then(F f, G failed) {
      auto question = calls->add(std::move(whom), std::move(failed));
      response.then(detail::first_answer<F>{question, std::move(f)},
                    [question](caf::error& why) { question->give_up(from_error(why)); });
    }
  };
  template <class Response>
  asked(remote_calls*, caf::actor_addr, Response) -> asked<Response>;

  detail::question_ptr add(caf::actor_addr whom, std::function<void(const failure&)> failed);

  std::set<caf::actor_addr> watched_;
  std::vector<detail::question_ptr> open_;
};

namespace detail {

template <class Answer>
struct into_promise {
  static auto handler(const std::function<void(expected<Answer>)>& deliver) {
    return [deliver](const Answer& answer) { deliver(answer); };
  }
};

template <>
struct into_promise<void> {
  static auto handler(const std::function<void(expected<void>)>& deliver) {
    return [deliver] { deliver({}); };
  }
};

template <class... Parts>
struct into_promise<std::tuple<Parts...>> {
  static auto handler(const std::function<void(expected<std::tuple<Parts...>>)>& deliver) {
    return [deliver](const Parts&... parts) { deliver(std::tuple<Parts...>(parts...)); };
  }
};

} // namespace detail

/// For a thread outside of CAF, such as a `main`: asks and blocks until there is an answer, or a
/// failure. Several results come as a std::tuple.
template <class Answer, class To, class... Ts>
expected<Answer> call(caf::actor_system& system, const To& to, std::chrono::milliseconds deadline,
                      const Ts&... words) {
  const auto promise = std::make_shared<std::promise<expected<Answer>>>();
  auto outcome = promise->get_future();
  system.spawn([&, promise](caf::event_based_actor* self) {
    auto calls = std::make_shared<remote_calls>();
    on_down(self, [calls](const caf::down_msg& gone) { calls->lost(gone); });
    const std::function<void(expected<Answer>)> deliver = [self, promise](expected<Answer> x) {
      self->quit();
      promise->set_value(std::move(x));
    };
    calls->ask(self, to, deadline, words...)
        .then(detail::into_promise<Answer>::handler(deliver),
              [deliver](const failure& why) { deliver(tl::unexpected(why)); });
  });
  return outcome.get();
}

} // namespace banger::actor
