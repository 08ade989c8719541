#include "messages/handover/shelf.hpp"

#include <algorithm>

namespace banger::handover {

namespace {
bool same(local::peer a, local::peer b) { return a.pid == b.pid && a.uid == b.uid; }
} // namespace

expected<token> shelf::put(descriptors fds, local::peer to, clock::time_point now) {
  if (fds.empty() || fds.size() > most_descriptors ||
      std::any_of(fds.begin(), fds.end(), [](const unique_fd& fd) { return !fd; }))
    return fail(errc::bad_request, "cannot offer " + std::to_string(fds.size()) + " descriptors",
                "1 to 64 go into one packet, all of them open");
  if (to.pid == 0)
    return fail(errc::bad_request, "cannot offer descriptors to process 0",
                "that is one the kernel does not name here");
  if (held_ + fds.size() > most_)
    return fail(errc::busy, "too many descriptors wait to be fetched",
                std::to_string(held_) + " of at most " + std::to_string(most_),
                "fetch them, or wait for 5 s");
  auto drawn = new_token();
  if (!drawn)
    return drawn;
  held_ += fds.size();
  offers_.emplace(*drawn, offer{to, now + life_, std::move(fds)});
  return drawn;
}

descriptors shelf::take(const token& shown, local::peer by, clock::time_point now) {
  const auto found = offers_.find(shown);
  if (found == offers_.end() || !same(found->second.to, by) || found->second.until <= now)
    return {};
  auto fds = std::move(found->second.fds);
  held_ -= fds.size();
  offers_.erase(found);
  return fds;
}

bool shelf::expects(local::peer who, clock::time_point now) const {
  return std::any_of(offers_.begin(), offers_.end(), [&](const auto& entry) {
    return same(entry.second.to, who) && entry.second.until > now;
  });
}

std::vector<descriptors> shelf::expire(clock::time_point now) {
  std::vector<descriptors> gone;
  for (auto at = offers_.begin(); at != offers_.end();) {
    if (at->second.until > now) {
      ++at;
      continue;
    }
    held_ -= at->second.fds.size();
    gone.push_back(std::move(at->second.fds));
    at = offers_.erase(at);
  }
  return gone;
}

clock::time_point shelf::next() const {
  auto soonest = clock::time_point::max();
  for (const auto& entry : offers_)
    soonest = std::min(soonest, entry.second.until);
  return soonest;
}

} // namespace banger::handover
