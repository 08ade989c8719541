#include "messages/actor/remote.hpp"

#include <algorithm>

namespace banger::actor {

detail::question_ptr remote_calls::add(caf::actor_addr whom,
                                       std::function<void(const failure&)> failed) {
  open_.erase(std::remove_if(open_.begin(), open_.end(), [](const auto& q) { return !q->open(); }),
              open_.end());
  auto question = std::make_shared<detail::question>();
  question->asked = std::move(whom);
  question->fail = std::move(failed);
  open_.push_back(question);
  return question;
}

bool remote_calls::lost(const caf::down_msg& gone) {
  if (watched_.erase(gone.source) == 0)
    return false;
  // A failed question may lead to a new one, so the list is taken apart first.
  std::vector<detail::question_ptr> failing;
  const auto kept = std::stable_partition(open_.begin(), open_.end(),
                                          [&](const auto& q) { return q->asked != gone.source; });
  std::move(kept, open_.end(), std::back_inserter(failing));
  open_.erase(kept, open_.end());
  for (const auto& question : failing)
    question->give_up({errc::disconnected, "the connection to the daemon was lost",
                       "it ended, or cut the connection", "see its log: `banger daemon logs`", ""});
  return true;
}

} // namespace banger::actor
