// How a stream reaches a session in the guest. Inside this folder only; all of it in the reactor's
// thread.
#pragma once

#include "actors/io/machine_link.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace banger::io {

/// The near end of a session.
class session_sink {
public:
  virtual ~session_sink() = default;
  /// A frame of this session from the guest, of a type that a guest may send. It may close the
  /// session.
  virtual void from_guest(const guest::header& h, std::string_view payload) = 0;
  /// All frames that were there are told: a good moment to write.
  virtual void on_batch_end() = 0;
  /// The way to the guest is gone, and with it the session. The last call.
  virtual void on_lost(const std::string& why) = 0;
  /// The way to the guest was cut and is made anew. The command may still be there: its client can
  /// attach again. The last call.
  virtual void on_cut() = 0;
  /// The way to the guest is no longer congested.
  virtual void on_drained() = 0;
};

class session_link : public machine_link {
public:
  /// Sends `open` for a session that nobody has used. `disconnected`: no agent; `bad_request`:
  /// more arguments and environment than can be executed; `bad_version`: more than an older agent
  /// takes; `busy`: too many of such length at once.
  virtual expected<void> open_session(std::uint32_t session, const guest::open_body& command,
                                      std::shared_ptr<session_sink> sink) = 0;
  /// Sends `attach` for a session that an earlier daemon left. `not_found`: the guest has none of
  /// this number, or it is taken; `disconnected`.
  virtual expected<void> attach_session(std::uint32_t session, const guest::attach_body& from,
                                        std::shared_ptr<session_sink> sink) = 0;
  /// `h.session` must be open. Never refused: who sends bulk asks `congested` first.
  virtual void send(const guest::header& h, std::string_view payload) = 0;
  virtual bool congested() const = 0;
  /// Of the guest's agent; 0: it has not said hello yet.
  virtual std::uint32_t protocol() const = 0;
  /// Sends `close` and forgets the sink.
  virtual void close_session(std::uint32_t session) = 0;
  virtual std::size_t queued_bytes() const = 0;
};

} // namespace banger::io
