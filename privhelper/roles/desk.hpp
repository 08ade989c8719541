// What both roles have in common: an order is checked where it arrives, then carried out in a
// thread of its own, one after the other, and no more than so many wait for that.
#pragma once

#include "actors/log/log.hpp"
#include "actors/workers/thunk.hpp"
#include "messages/base/failpoint.hpp"
#include "messages/base/version.hpp"
#include "messages/privileged.hpp"
#include "privhelper/roles/log_budget.hpp"
#include "privhelper/rules/strong.hpp"

#include <string>
#include <string_view>

namespace banger::helper {

inline constexpr std::size_t most_waiting = 64; ///< orders, and questions; more are `busy`

/// One thread each, for as long as the role lives.
struct threads {
  work::run_fn effects;
  work::run_fn reading; ///< `inventory`, also while an order is under way
};

/// What is said to a `hello`. `owner`: whose orders are obeyed, besides root's.
messages::helper_about about(std::string_view role, std::uint32_t owner);

/// A refusal is worth a look: bangerd gives no order that is refused.
void log_refusal(std::string_view verb, std::string_view op, const failure& why);
void log_order(std::string_view verb, std::string_view op, const expected<void>& outcome);

/// Says how many lines were left out before, if some were.
bool may_write(log_budget& budget, std::string_view event);

template <class Handle>
class desk {
public:
  desk(typename Handle::pointer self, threads where) : self_(self), where_(std::move(where)) {}

  /// `task`: of `check(order)`. `effect(task)` is called in the thread for effects.
  template <class Answer, class Task, class Effect>
  caf::result<Answer> obey(std::string_view verb, const std::string& op, expected<Task> task,
                           Effect effect) {
    if (!task) {
      // What is no operation's id may be anything: it goes no further.
      const auto known = operation_id::parse(op) ? op : std::string();
      if (may_write(trouble_, "order_refused"))
        log_refusal(verb, known, task.error());
      task.error().operation = known;
      return actor::to_error(task.error());
    }
    if (waiting_ == most_waiting)
      return too_much("orders", op);
    ++waiting_;
    auto answer = self_->template make_response_promise<Answer>();
    work::submit(
        where_.effects, Handle(self_),
        [verb, task = std::move(*task), effect = std::move(effect)]() -> expected<Answer> {
          return carry_out<Answer>(verb, task, effect);
        },
        [this, verb, op, answer](expected<Answer> outcome) {
          --waiting_;
          if (outcome || may_write(trouble_, "order_failed"))
            log_order(verb, op, outcome ? expected<void>{} : tl::unexpected(outcome.error()));
          actor::settle(answer, std::move(outcome));
        });
    return answer;
  }

  template <class Answer, class Read>
  caf::result<Answer> read(Read read) {
    if (reading_ == most_waiting)
      return too_much("questions", {});
    ++reading_;
    auto answer = self_->template make_response_promise<Answer>();
    work::submit(where_.reading, Handle(self_), std::move(read),
                 [this, answer](expected<Answer> found) {
                   --reading_;
                   actor::settle(answer, std::move(found));
                 });
    return answer;
  }

private:
  static caf::error too_much(const std::string& what, const std::string& op) {
    return actor::to_error({errc::busy, "the root helper has too much to do",
                            std::to_string(most_waiting) + " " + what + " wait", "try again later",
                            op});
  }

  template <class Answer, class Task, class Effect>
  static expected<Answer> carry_out(std::string_view verb, const Task& task, const Effect& effect) {
    if (auto ok = work::pass("helper", verb, work::moment::before); !ok)
      return tl::unexpected(ok.error());
    auto outcome = effect(task);
    if (auto ok = work::pass("helper", verb, work::moment::after); !ok)
      return tl::unexpected(ok.error());
    return outcome;
  }

  typename Handle::pointer self_;
  threads where_;
  std::size_t waiting_ = 0, reading_ = 0;
  log_budget trouble_; ///< refused or failed: costs nobody anything to give
};

} // namespace banger::helper
