// A stream whose far end is a feed of lines.
#include "actors/io/line_feed.hpp"
#include "actors/io/stream_client.hpp"

#include <algorithm>

namespace banger::io {

void line_feed::append(std::string line) {
  loop_.post([self = shared_from_this(), line = std::move(line)]() mutable {
    self->ring_.push(std::move(line));
    const auto all = self->followers_; // one that is told may leave
    for (const auto& who : all)
      who->on_line();
  });
}

void line_feed::join(const std::shared_ptr<line_follower>& who) { followers_.push_back(who); }

void line_feed::leave(const line_follower* who) {
  std::erase_if(followers_, [&](const auto& f) { return f.get() == who; });
}

namespace {

class line_source final : public telling_stream,
                          public line_follower,
                          public std::enable_shared_from_this<line_source> {
public:
  line_source(std::shared_ptr<line_feed> feed, std::optional<std::size_t> follow_after)
      : feed_(std::move(feed)), follow_after_(follow_after) {}

  void begin(stream_client& client) override;
  void on_line() override { pump(); }
  void end() override {
    client_ = nullptr;
    feed_->leave(this);
  }
  std::size_t buffered_bytes() const override { return piece_.size() - piece_at_; }

private:
  bool next_piece();
  void pump() override;

  std::shared_ptr<line_feed> feed_;
  std::optional<std::size_t> follow_after_; ///< so many old lines; none: all, and no new ones
  std::uint64_t place_ = 0, until_ = 0;     ///< in the ring
  std::string piece_;                       ///< out of the ring, not sent whole yet
  std::size_t piece_at_ = 0;
};

void line_source::begin(stream_client& client) {
  client_ = &client;
  const auto& ring = feed_->ring();
  place_ = ring.begin();
  until_ = ring.end();
  if (follow_after_) {
    place_ += until_ - place_ - std::min<std::uint64_t>(*follow_after_, until_ - place_);
    until_ = UINT64_MAX;
    feed_->join(shared_from_this());
  }
  pump();
}

bool line_source::next_piece() {
  if (piece_at_ < piece_.size())
    return true;
  piece_.clear();
  piece_at_ = 0;
  auto read = feed_->ring().read(place_, until_, guest::max_payload / 2);
  if (read.lost > 0)
    piece_ = feed_->missed(read.lost);
  piece_ += read.text;
  return !piece_.empty();
}

// What is not acknowledged stays within the window, what waits here within one piece.
void line_source::pump() {
  while (has_room()) {
    if (!next_piece()) {
      if (follow_after_)
        break;
      send_eof();
      return client_->finish();
    }
    const auto part = std::string_view(piece_).substr(piece_at_, room());
    send(part);
    piece_at_ += part.size();
  }
  if (client_ != nullptr)
    client_->written();
}

} // namespace

std::shared_ptr<stream> line_stream(std::shared_ptr<line_feed> feed,
                                    std::optional<std::size_t> follow_after) {
  return std::make_shared<line_source>(std::move(feed), follow_after);
}

} // namespace banger::io
