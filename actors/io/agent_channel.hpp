// The connection to the guest's agent: handshake, frames apart, sessions. In the reactor's thread.
#pragma once

#include "actors/io/frames.hpp"
#include "actors/io/machine_link.hpp"
#include "actors/io/session.hpp"
#include "actors/io/start_queue.hpp"
#include "messages/base/unique_fd.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace banger::io {

class reactor;

class agent_channel : public std::enable_shared_from_this<agent_channel> {
public:
  struct callbacks {
    std::function<void(link_event)> on_event;
    std::function<void(std::string_view)> on_log; ///< a line of the agent
    std::function<void(const guest::clock_body&)> on_clock;
    /// Closed or nonsense. Sessions are still there: `end` tells them.
    std::function<void(bool garbage, const std::string& why)> on_lost;
  };

  /// `orphan_life`: how long the sessions of an earlier connection wait for their clients.
  agent_channel(reactor& loop, unique_fd socket, callbacks on,
                std::chrono::milliseconds orphan_life = std::chrono::seconds(20))
      : loop_(loop), socket_(std::move(socket)), on_(std::move(on)), orphan_life_(orphan_life) {}

  /// Listens, and sends `sync` with a new epoch once the guest has noticed us: what it hears before
  /// it has noticed that our predecessor left it may forget with that one. After a moment the sync
  /// goes out all the same, for a guest that has not booted yet.
  void start();
  /// Reads what is there already: before the end of the machine is told.
  void drain();
  /// The guest's side of the port is closed: its agent has ended, and another one may open it.
  void guest_left();
  /// Tells the commands that were lost with it, once it is clear what has ended.
  void tell_left(const std::string& why);
  void guest_came();
  /// Lets go of the socket; every session is lost for this reason, or only cut.
  void end(const std::string& why, bool cut = false);

  /// For session 0. False: not sent, too large or no agent.
  bool request(guest::frame_type type, std::string_view payload);
  expected<void> open_session(std::uint32_t session, const guest::open_body& command,
                              std::shared_ptr<session_sink> sink);
  expected<void> attach_session(std::uint32_t session, const guest::attach_body& from,
                                std::shared_ptr<session_sink> sink);
  void send(const guest::header& h, std::string_view payload);
  void close_session(std::uint32_t session);
  std::uint32_t protocol() const { return protocol_; }
  bool congested() const { return unsent_.size() > congestion; }
  std::size_t queued_bytes() const { return unsent_.size(); }

private:
  // Above the first the clients' bulk waits at their sockets, below the second it flows again.
  static constexpr std::size_t congestion = std::size_t{256} * 1024;
  static constexpr std::size_t relief = std::size_t{64} * 1024;

  void on_ready(std::uint32_t events);
  void lose(bool garbage, const std::string& why);
  void unwatch();
  got read();
  got search();
  void say_sync();
  void search_anew();
  void start_over(const guest::hello_body& hello);
  void keep_orphans(const std::vector<std::uint32_t>& sessions);
  void close_orphans();
  void tell_use();
  void request_session(guest::frame_type type, std::uint32_t session, std::string_view payload);
  bool take(const guest::header& h, std::string_view payload);
  bool take_control(const guest::header& h, std::string_view payload);
  void take_session(const guest::header& h, std::string_view payload);
  template <class Event, class Body>
  bool tell(std::string_view payload);
  bool take_clock(std::string_view payload);
  void flush();
  void tell_drained();
  void send_starts();

  reactor& loop_;
  unique_fd socket_;
  callbacks on_;
  std::chrono::milliseconds orphan_life_;
  bool watched_ = false;
  bool port_open_ = true; ///< on the guest's side: its agent's last words come after it closed
  bool was_congested_ = false;
  bool write_armed_ = false;
  std::uint64_t epoch_ = 0;
  bool synced_ = false;
  std::uint64_t sync_timer_ = 0;
  std::unique_ptr<hello_search> search_; ///< until our hello came
  frame_reader reader_;
  frame_reader::on_frame on_frame_;
  std::string garbage_; ///< why a frame was refused
  byte_queue unsent_;
  std::uint32_t protocol_ = 0; ///< of the guest, once it has said hello
  start_queue starts_;
  std::unordered_map<std::uint32_t, std::shared_ptr<session_sink>> sessions_;
  bool in_use_ = false;                             ///< as it was told
  std::vector<std::shared_ptr<session_sink>> left_; ///< lost, and not told yet
  std::set<std::uint32_t> orphans_; ///< of an earlier connection, until somebody attaches
  std::uint64_t orphans_timer_ = 0;
  std::vector<std::shared_ptr<session_sink>> touched_; ///< in the read that is going on
};

} // namespace banger::io
