#include "actors/io/stream_client.hpp"

#include <algorithm>

namespace banger::io {

using guest::frame_type;
using guest::header;
using guest::stream_id;

std::string telling_stream::from_client(const header& h, std::string_view /*payload*/) {
  switch (h.type) {
  case frame_type::ack: {
    if (h.stream == stream_id::err)
      return {};
    const auto delivered = sent_ - client_->out().queued(stream_id::out);
    if (h.stream != stream_id::out || h.offset < acked_ || h.offset > delivered)
      return "an ack for bytes that were not sent";
    acked_ = h.offset;
    pump();
    return {};
  }
  case frame_type::eof:
  case frame_type::resize: return {};
  case frame_type::signal: // there is nothing to signal: whoever sends one wants it to end
  case frame_type::close: client_->finish(); return {};
  default: return "a frame that has no meaning here";
  }
}

bool telling_stream::has_room() const {
  return client_ != nullptr && client_->out().empty() && !client_->out().gone() &&
         sent_ - acked_ < guest::window;
}

std::size_t telling_stream::room() const {
  return std::min<std::size_t>(guest::max_payload,
                               static_cast<std::size_t>(guest::window - (sent_ - acked_)));
}

void telling_stream::send(std::string_view bytes) {
  client_->out().data(stream_id::out, sent_, bytes);
  client_->out().flush();
  sent_ += bytes.size();
}

void telling_stream::send_eof() {
  header h;
  h.type = frame_type::eof;
  h.stream = stream_id::out;
  h.offset = sent_;
  client_->out().control(h, {});
}

} // namespace banger::io
