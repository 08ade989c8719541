// Any bytes: no body and no frame may crash the decoder, and what decodes encodes to the same
// bytes.
#include "messages/guest/protocol.hpp"

#include <cstdlib>

using namespace banger::guest;

namespace {

void require(bool holds) {
  if (!holds)
    std::abort();
}

template <class... Bodies>
void try_bodies(std::string_view bytes) {
  const auto one = [&]<class Body>(std::optional<Body> body) {
    require(!body || encode(*body) == bytes);
  };
  (one(decode<Bodies>(bytes)), ...);
}

// The first byte of the input says how finely the rest is cut.
std::string parsed(std::string_view bytes, std::size_t step) {
  parser p(frame_type::sync);
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    p.feed(bytes.substr(at, step));
    while (auto f = p.next()) {
      require(f->payload.size() == f->head.length);
      encode(out, f->head, f->payload);
    }
  }
  return out;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0)
    return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  try_bodies<hello_body, sync_body, disk_body, configure_body, configured_body, grown_body,
             question_body, ports_body, health_body, clock_body, correction_body, failed_body,
             open_body, opened_body, signal_body, resize_body, exited_body, attach_body>(bytes);
  std::string stream;
  encode(stream, header{frame_type::sync, stream_id::in, 0, 0, 0}, encode(sync_body{1}));
  encode(stream, header{frame_type::data, stream_id::in, 1, 0, 0}, bytes.substr(0, max_payload));
  const auto good = stream.size();
  stream += bytes;
  const auto frames = parsed(stream, 1 + data[0]);
  require(frames == parsed(stream, stream.size()));
  require(stream.compare(0, good, frames, 0, good) == 0);
  parsed(bytes, 1 + data[0]);
  return 0;
}
