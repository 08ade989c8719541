#include "actors/io/line_ring.hpp"

#include <algorithm>

namespace banger::io {

void line_ring::push(std::string line) {
  bytes_ += line.size();
  lines_.push_back(std::move(line));
  while (lines_.size() > 1 && (lines_.size() > most_lines_ || bytes_ > most_bytes_)) {
    bytes_ -= lines_.front().size();
    lines_.pop_front();
    ++first_;
  }
}

line_ring::piece line_ring::read(std::uint64_t& place, std::uint64_t until,
                                 std::size_t room) const {
  piece p;
  until = std::min(until, end());
  if (place < std::min(begin(), until)) {
    p.lost = std::min(begin(), until) - place;
    place += p.lost;
  }
  for (; place < until; ++place) {
    const auto& line = lines_[static_cast<std::size_t>(place - first_)];
    if (!p.text.empty() && p.text.size() + line.size() > room)
      break;
    p.text += line;
  }
  return p;
}

} // namespace banger::io
