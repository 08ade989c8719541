#include "messages/transport/frames.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace banger::frames {

namespace {

constexpr std::uint32_t max_down_payload = 4096;
constexpr std::uint32_t max_server_handshake = 64u << 10;
constexpr std::uint32_t max_server_payload = 64u << 20;

constexpr ruling pass{action::pass};
constexpr ruling await{action::await};
constexpr ruling swallow(const char* why) { return {action::swallow, why}; }
constexpr ruling close(const char* why) { return {action::close, why}; }

// What CAF's atom("default") is on the wire: six bits a character behind a leading 1111.
constexpr std::uint64_t atom(std::string_view text) {
  constexpr std::string_view alphabet =
      " 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
  std::uint64_t value = 0xf;
  for (const char c : text)
    value = value << 6 | alphabet.find(c);
  return value;
}

// A message id: bit 63 response, 62 answered, 61 and 60 category, of which 1 is "normal".
// Everything but plain requests and one-way messages would reach into the handlers of pending
// requests or streams.
bool plain_message(std::uint64_t id) { return id >> 60 == 1; }

// An error as its code, category and a context of at most four texts. Anything more complicated
// could nest.
bool read_error(reader& from) {
  if (!from.number(1) || !from.number(8) || from.number(2) != 0)
    return false;
  const auto types = from.text();
  if (!types || types->substr(0, 3) != "@<>")
    return false;
  constexpr std::string_view element = "+@str";
  auto rest = types->substr(3);
  for (int count = 0; !rest.empty(); ++count, rest.remove_prefix(element.size()))
    if (count == 4 || rest.substr(0, element.size()) != element || !from.text())
      return false;
  return from.at_end();
}

} // namespace

frame_header decode(std::span<const char> bytes) {
  reader from(bytes);
  const auto next = [&from](std::size_t size) { return from.number(size).value_or(0); };
  frame_header head;
  head.what = static_cast<operation>(next(1));
  head.padding = static_cast<std::uint16_t>(next(2));
  head.flags = static_cast<std::uint8_t>(next(1));
  head.payload = static_cast<std::uint32_t>(next(4));
  head.data = next(8);
  head.source = next(8);
  head.dest = next(8);
  return head;
}

std::uint32_t process_of(const node& id) {
  reader from(id);
  from.skip(8);
  return static_cast<std::uint32_t>(from.number(4).value_or(0));
}

bool is_default_node(const node& id) {
  reader from(id);
  const bool host_known = std::any_of(id.begin() + 12, id.end(), [](char c) { return c != 0; });
  return from.number(8) == atom("default") && process_of(id) != 0 && host_known;
}

guard::guard(setup s, time_point now)
    : setup_(std::move(s)), refilled_(now), frames_left_(setup_.bounds.frames_per_second),
      bytes_left_(static_cast<double>(setup_.bounds.bytes_per_second)) {}

guard::~guard() { leave(); }

void guard::leave() {
  if (std::exchange(claimed_, false))
    setup_.nodes->drop(peer_);
}

bool guard::within_rate(std::size_t bytes, time_point now) {
  const auto passed = std::chrono::duration<double>(now - refilled_).count();
  refilled_ = now;
  const auto frames = static_cast<double>(setup_.bounds.frames_per_second);
  const auto volume = static_cast<double>(setup_.bounds.bytes_per_second);
  frames_left_ = std::min(frames, frames_left_ + passed * frames) - 1;
  bytes_left_ = std::min(volume, bytes_left_ + passed * volume) - static_cast<double>(bytes);
  return frames_left_ >= 0 && bytes_left_ >= 0;
}

ruling guard::on_header(std::span<const char> bytes, time_point now) {
  if (bytes.size() != header_size || awaiting_)
    return close("frame out of step");
  head_ = decode(bytes);
  if (head_.what > operation::heartbeat || head_.padding != 0)
    return close("not a frame");
  if (head_.payload > setup_.bounds.max_payload)
    return close("frame too large");
  if (!within_rate(header_size + head_.payload, now))
    return close("too many frames");
  if (!greeted() && head_.what != operation::client_handshake)
    return close("no handshake");
  const auto ruling = on_message_header();
  awaiting_ = ruling.what == action::await;
  return ruling;
}

ruling guard::on_message_header() const {
  const auto& h = head_;
  const bool admitted = setup_.admitted->count(h.dest) != 0;
  switch (h.what) {
  case operation::client_handshake:
    if (h.payload != node_size || h.data != 0 || h.source != 0 || h.dest != 0 ||
        (h.flags & ~select_connection) != 0)
      return close("malformed handshake");
    return greetings_ < 2 ? await : close("too many handshakes");
  case operation::direct_message:
    if (h.payload == 0 || (h.flags & ~named_receiver) != 0)
      return close("malformed message");
    // CAF itself asks every new peer for its SpawnServ, so this cannot be a reason to close.
    if (h.flags == named_receiver)
      return swallow("actor by name");
    if (!admitted)
      return swallow("actor not admitted");
    return plain_message(h.data) ? await : close("not a request");
  case operation::monitor_message:
    if (h.payload != 2 * node_size || h.data != 0 || h.flags != 0 || h.source != 0)
      return close("malformed monitor");
    return admitted ? await : swallow("actor not admitted");
  case operation::down_message:
    if (h.payload < 2 * node_size || h.payload > max_down_payload || h.data != 0 || h.flags != 0 ||
        h.source == 0 || h.dest != 0)
      return close("malformed down");
    return await;
  case operation::heartbeat:
    if (h.payload != 0 || h.data != 0 || h.flags != 0 || h.source != 0 || h.dest != 0)
      return close("malformed heartbeat");
    return pass;
  case operation::server_handshake:
  case operation::routed_message: break;
  }
  return close("not for a client to say");
}

ruling guard::on_payload(std::span<const char> bytes) {
  if (!awaiting_ || bytes.size() != head_.payload)
    return close("frame out of step");
  awaiting_ = false;
  switch (head_.what) {
  case operation::client_handshake: return on_handshake(bytes);
  case operation::direct_message: return on_message(bytes);
  case operation::monitor_message:
    return between_us(bytes) ? pass : close("monitor for another node");
  case operation::down_message: return on_down(bytes);
  default: return close("frame out of step");
  }
}

ruling guard::on_handshake(std::span<const char> bytes) {
  node id;
  std::copy(bytes.begin(), bytes.end(), id.begin());
  if (greeted()) {
    if (id != peer_)
      return close("changed its node");
    ++greetings_;
    return pass;
  }
  if (!is_default_node(id) || id == setup_.self)
    return close("impossible node");
  if (setup_.pid != 0 && process_of(id) != setup_.pid)
    return close("node of another process");
  // The same process, so no thief: its CAF keeps to the older connection and closes this one
  // itself.
  if (!setup_.nodes->take(id))
    return setup_.pid != 0 ? swallow("node already connected") : close("node already connected");
  claimed_ = true;
  peer_ = id;
  greetings_ = 1;
  return pass;
}

bool guard::between_us(std::span<const char> bytes) const {
  return bytes.size() >= 2 * node_size && std::equal(peer_.begin(), peer_.end(), bytes.begin()) &&
         std::equal(setup_.self.begin(), setup_.self.end(), bytes.begin() + node_size);
}

ruling guard::on_message(std::span<const char> bytes) {
  reader from(bytes);
  const bool no_stages = from.number(1) == 0, named_types = from.number(2) == 0;
  const auto types = no_stages && named_types ? from.text() : std::nullopt;
  if (!types)
    return close("malformed message");
  const auto content = bytes.last(from.left());
  const auto& known = setup_.admitted->at(head_.dest);
  const bool fitting = std::any_of(known.begin(), known.end(), [&](const clause& c) {
    return c.types == *types && fits(c.content, content, setup_.bounds.max_items);
  });
  if (!fitting)
    return close("message outside the interface");
  if (head_.source != 0)
    actors_.insert(head_.source);
  return actors_.size() <= setup_.bounds.max_actors ? pass : close("too many actors");
}

ruling guard::on_down(std::span<const char> bytes) {
  if (!between_us(bytes))
    return close("down for another node");
  reader from(bytes.subspan(2 * node_size));
  if (!read_error(from))
    return close("malformed down");
  actors_.erase(head_.source);
  return pass;
}

ruling judge_server_frame(const frame_header& h, bool first) {
  if (h.what > operation::heartbeat || h.padding != 0 || h.payload > max_server_payload)
    return close("not a frame");
  if (first != (h.what == operation::server_handshake))
    return close("handshake out of step");
  switch (h.what) {
  case operation::server_handshake:
    return h.payload >= node_size && h.payload <= max_server_handshake
               ? await
               : close("malformed handshake");
  case operation::direct_message:
    if (h.payload == 0 || h.dest == 0)
      return close("malformed message");
    return h.flags == 0 ? await : swallow("actor by name");
  case operation::monitor_message:
  case operation::down_message:
    return h.payload >= 2 * node_size ? await : close("malformed frame");
  case operation::heartbeat: return h.payload == 0 ? pass : close("malformed heartbeat");
  default: return close("not for a server to say");
  }
}

} // namespace banger::frames
