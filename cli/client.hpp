// Our side of the conversation with the daemon. Inside it is an actor that sends the requests and
// hears progress and ends; to the main thread it looks like calls with a deadline, and a queue of
// events with a descriptor to poll. When the daemon goes away, everything that is under way fails
// at once; a signal ends every wait (`cancelled`, cli/waiting.hpp). CAF stays behind this header.
#pragma once

#include "messages/base/error.hpp"
#include "messages/events.hpp"
#include "messages/models.hpp"
#include "messages/reads.hpp"

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace banger::cli {

/// The daemon is gone; nothing comes after it.
struct lost {
  failure why;
};
using event = std::variant<messages::progress, messages::finished, lost>;

class client {
public:
  client();
  ~client();
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  /// Connects and says hello. May be called again after `gone`. `not_found`: no daemon there; else
  /// the errors of transport::connect.
  expected<void> connect(const std::filesystem::path& socket);
  const messages::hello_reply& daemon() const;

  /// Asks an older daemon to make room. `bad_version` if it is not older.
  expected<void> retire();
  expected<void> halt();
  /// Waits until the daemon's process has ended. `timed_out`.
  expected<void> wait_gone(std::chrono::milliseconds deadline);

  // The errors are those of messages/vms.hpp, images.hpp and system.hpp, besides `timed_out`,
  // `disconnected`.
  expected<messages::daemon_status> status();
  /// The hypervisor as it was found just now. Takes up to a minute.
  expected<std::string> reprobe();
  expected<std::vector<messages::vm_view>> list();
  expected<messages::vm_detail> show(const std::string& ref);
  expected<messages::op_ticket> begin(const messages::create_request& request);
  expected<messages::op_ticket> begin(const messages::verb_request& request);
  expected<messages::op_ticket> begin(const messages::set_request& request);
  expected<void> touch(const std::string& ref);
  expected<messages::vm_view> reclaim(const messages::reclaim_request& request);
  expected<void> discard(const std::string& orphan);
  expected<messages::stream_ticket> exec(const messages::exec_request& request);
  expected<messages::stream_ticket> attach(const messages::attach_request& request);
  expected<messages::stream_ticket> logs(const messages::logs_request& request);
  // Several VMs are asked at once; the answers are in their order.
  std::vector<expected<messages::vm_stats>> stats(const std::vector<std::string>& refs);
  std::vector<expected<messages::vm_ports>> ports(const std::vector<std::string>& refs);
  std::vector<expected<messages::vm_health>> health(const std::vector<std::string>& refs);
  expected<messages::stream_ticket> console(const std::string& ref);
  expected<messages::op_ticket> begin(const messages::image_request& request);
  expected<std::vector<messages::image_view>> images();
  expected<void> delete_image(const std::string& name);
  expected<messages::stream_ticket> open_events(bool follow);
  expected<std::vector<messages::actor_view>> actors();
  expected<void> crash(const std::string& vm);
  expected<std::vector<messages::operation_view>> operations();
  /// From now on its progress and its end are heard; what it is now.
  expected<messages::operation_view> watch(const std::string& op);
  /// True if it still ran and can be cancelled; its `finished` still comes.
  expected<bool> try_cancel(const std::string& op);
  /// The same for an operation of our own. False: the daemon does not answer, for five seconds or
  /// until another signal came.
  bool cancel(const std::string& op);

  /// Readable when `next` has something to give.
  int events() const;
  std::optional<event> next();

private:
  struct impl;
  std::shared_ptr<impl> impl_;
};

} // namespace banger::cli
