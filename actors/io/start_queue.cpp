#include "actors/io/start_queue.hpp"

#include <algorithm>

namespace banger::io {

expected<void> start_queue::admit(std::size_t open, std::uint32_t protocol) const {
  if (open <= guest::max_payload)
    return {};
  if (open > guest::max_open)
    return fail(errc::bad_request, "the command was not started", "its argument list is too long",
                "pass long input through stdin or a file");
  if (protocol < guest::parts_since)
    return fail(errc::bad_version, "the command was not started",
                "its arguments and environment are longer than the 64 KiB that the VM's agent "
                "takes, which is older than this daemon",
                "restart the VM, or pass long input through stdin or a file");
  if (bytes_ + open > most_bytes)
    return fail(errc::busy, "the command was not started",
                "too many commands with long arguments are starting at once", "try again");
  return {};
}

void start_queue::add(std::uint32_t session, std::string body) {
  bytes_ += body.size();
  waiting_.push_back({session, std::move(body)});
}

void start_queue::drop(std::uint32_t session) {
  const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                  [&](const start& s) { return s.session == session; });
  if (found == waiting_.end())
    return;
  if (found == waiting_.begin())
    at_ = 0;
  bytes_ -= found->body.size();
  waiting_.erase(found);
}

void start_queue::clear() {
  waiting_.clear();
  at_ = bytes_ = 0;
}

void start_queue::send_next(const send& out) {
  const auto& first = waiting_.front();
  const auto piece = std::string_view(first.body).substr(at_, guest::max_payload);
  guest::header head;
  head.session = first.session;
  head.offset = at_;
  const bool ends = at_ + piece.size() == first.body.size();
  head.type = ends ? guest::frame_type::open : guest::frame_type::part;
  out(head, piece);
  at_ += piece.size();
  if (ends)
    drop(first.session);
}

} // namespace banger::io
