// All I/O of one running VM: pidfd, QMP, agent channel, console. It lives in the reactor's thread;
// its owner speaks to it from any thread and hears from it by `link_event`s. No CAF.
#pragma once

#include "actors/hypervisor/machine.hpp"
#include "actors/io/machine_status.hpp"
#include "messages/guest/protocol.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <variant>

namespace banger::io {

class reactor;

namespace event {
struct hello {
  guest::hello_body body;
}; ///< the agent speaks; sent once per connection, and by each agent that takes its place
struct configured {
  guest::configured_body body;
};
struct grown {
  guest::grown_body body;
};
struct booted {
  guest::booted_body body;
}; ///< the answer to `await_boot`
struct ports {
  guest::ports_body body;
};
struct health {
  guest::health_body body;
};
struct refused {
  guest::failed_body body;
}; ///< the guest could not do what was asked (channel requests)
struct in_use {
  bool now = false;
};                    ///< clients have commands in the guest, from now on, or none any more
struct stopping {};   ///< the guest has synced and goes down
struct agent_left {}; ///< it ended; a `hello` follows if its guest starts it again
struct channel_lost {
  std::string why;
}; ///< agent socket closed, or garbage on it
struct console_grew {
  std::uint64_t total_bytes;
}; ///< progress of a boot; at most 10 a second
struct paused {
  pause why;
};                 ///< the hypervisor has halted the machine; also told of one found so
struct resumed {}; ///< it goes on
struct exited {
  std::string last_lines;
  ending how = ending::unsaid;
  std::string status; ///< "exit status 3", "signal 9 (Killed)"; empty: not known
};                    ///< the VMM process ended; tail of the console (≤ 60 lines)
} // namespace event

using link_event = std::variant<event::hello, event::configured, event::grown, event::booted,
                                event::refused, event::stopping, event::channel_lost,
                                event::console_grew, event::exited, event::ports, event::health,
                                event::in_use, event::paused, event::resumed, event::agent_left>;

/// Called in the reactor's thread: must not block. Never called after `machine_link::close` has
/// returned control to the reactor's thread.
using link_listener = std::function<void(link_event)>;

class machine_link : public std::enable_shared_from_this<machine_link> {
public:
  virtual ~machine_link() = default;
  virtual void configure(guest::configure_body body) = 0;
  virtual void grow(guest::disk_body disk) = 0;
  virtual void await_boot() = 0; ///< `booted` comes when the image's init is done
  /// `ask_ports` or `ask_health`: `ports` or `health` comes with this number.
  virtual void ask(guest::frame_type what, std::uint64_t number) = 0;
  virtual void poweroff() = 0;       ///< by the agent
  virtual void acpi_powerdown() = 0; ///< by QMP system_powerdown
  virtual void quit() = 0;           ///< by QMP quit
  virtual void resume() = 0;         ///< by QMP cont, after `paused`
  virtual void kill() = 0;           ///< SIGKILL by pidfd
  virtual void close() = 0;          ///< lets go of everything; the VM lives on
  virtual void cut() = 0;            ///< as `close`, but clients of commands may attach again
};

/// Takes the descriptors over. `console_log` is bounded: 1 MiB, then moved to `console_log`.1.
std::shared_ptr<machine_link> open_link(reactor& loop, hypervisor::running_machine machine,
                                        std::filesystem::path console_log, link_listener listener);

} // namespace banger::io
