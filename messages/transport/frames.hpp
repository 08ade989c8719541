// Which frames of a peer may reach CAF's BASP broker. Pure rules over bytes: no CAF, no sockets, no
// clock. A frame is a header of 32 bytes and, unless it says 0, a payload. Both are judged before
// BASP sees either, so what passes is whole, small, in order, addressed to an admitted actor, and
// of the exact shape of one of its clauses.
#pragma once

#include "messages/transport/shape.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace banger::frames {

inline constexpr std::size_t header_size = 32;
inline constexpr std::size_t node_size = 32;

enum class operation : std::uint8_t {
  server_handshake,
  client_handshake,
  direct_message,
  routed_message,
  monitor_message,
  down_message,
  heartbeat,
};

inline constexpr std::uint8_t named_receiver = 0x01;
inline constexpr std::uint8_t select_connection = 0x02;

struct frame_header {
  operation what{};
  std::uint16_t padding = 0; ///< always 0
  std::uint8_t flags = 0;
  std::uint32_t payload = 0; ///< bytes that follow
  std::uint64_t data = 0;    ///< message id of a direct message, version of a server handshake
  std::uint64_t source = 0, dest = 0;
};

/// `bytes` holds exactly header_size. Big endian.
frame_header decode(std::span<const char> bytes);

/// A CAF node id as it is on the wire: "default" as an atom, process id, host hash.
using node = std::array<char, node_size>;

std::uint32_t process_of(const node& id);
bool is_default_node(const node& id);

/// What may be said to one actor.
struct clause {
  std::string types; ///< as CAF writes it: "@<>+@atom+@str"
  shape content;     ///< of the elements, one after the other
};

using targets = std::map<std::uint64_t, std::vector<clause>>; ///< by actor id

struct limits {
  std::uint32_t max_payload = 3u << 20;     ///< the longest command's argv is 2 MiB
  std::uint32_t max_actors = 1024;          ///< living senders behind one connection
  std::uint32_t max_items = 1u << 18;       ///< list elements in one message
  std::uint32_t frames_per_second = 20'000; ///< the burst is one second's worth
  std::uint64_t bytes_per_second = 32u << 20;
};

/// The nodes with a living connection. One node has one.
class claims {
public:
  bool take(const node& id) { return taken_.insert(id).second; }
  void drop(const node& id) { taken_.erase(id); }
  std::size_t size() const { return taken_.size(); }

private:
  std::set<node> taken_;
};

enum class action {
  pass,    ///< the frame, header and payload, goes to BASP
  await,   ///< keep the header, read the payload, ask again
  swallow, ///< the frame (and the payload that follows this header) is dropped, the connection
           ///< lives
  close,   ///< the peer broke a rule
};

struct ruling {
  action what;
  const char* why = ""; ///< of swallow and close
};

/// The rules for one connection, on the side that accepted it.
class guard {
public:
  using time_point = std::chrono::steady_clock::time_point;

  struct setup {
    std::shared_ptr<const targets> admitted;
    limits bounds;
    node self{};           ///< our own node
    std::uint32_t pid = 0; ///< of the peer as the kernel says; 0: its node may name any process
    std::shared_ptr<claims> nodes;
  };

  guard(setup s, time_point now);
  ~guard();
  guard(const guard&) = delete;
  guard& operator=(const guard&) = delete;

  /// A header has arrived. `pass` only if no payload follows.
  ruling on_header(std::span<const char> bytes, time_point now);

  /// The payload of the header that was answered with `await`.
  ruling on_payload(std::span<const char> bytes);

  /// The connection has ended, though this object lives on: its node may connect again.
  void leave();

  bool greeted() const { return greetings_ > 0; }
  const node& peer() const { return peer_; }
  std::size_t actors() const { return actors_.size(); }

private:
  bool within_rate(std::size_t bytes, time_point now);
  ruling on_message_header() const;
  ruling on_handshake(std::span<const char> bytes);
  ruling on_message(std::span<const char> bytes);
  ruling on_down(std::span<const char> bytes);
  bool between_us(std::span<const char> bytes) const;

  setup setup_;
  frame_header head_;
  bool awaiting_ = false, claimed_ = false;
  int greetings_ = 0;
  node peer_{};
  std::set<std::uint64_t> actors_;
  time_point refilled_;
  double frames_left_, bytes_left_;
};

/// The lighter rules of the side that connected: the server is trusted, its frames must be well
/// formed. `first`: nothing has come before.
ruling judge_server_frame(const frame_header& head, bool first);

} // namespace banger::frames
