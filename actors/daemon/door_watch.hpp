// A daemon whose sockets were removed can be reached by nobody, and keeps the next one from its
// VMs.
#pragma once

#include "actors/io/reactor.hpp"
#include "messages/base/unique_fd.hpp"

#include <filesystem>
#include <functional>
#include <vector>

namespace banger::daemon {

/// Calls `gone` in the reactor's thread, once, when one of these files of one folder is not there
/// any more, or is another one. Where the host does not tell, that is logged, and nothing is
/// called.
class door_watch {
public:
  door_watch(io::reactor& loop, const std::vector<std::filesystem::path>& files,
             std::function<void()> gone);
  /// Calls nothing from now on. Not from the reactor's thread.
  ~door_watch();
  door_watch(const door_watch&) = delete;
  door_watch& operator=(const door_watch&) = delete;

private:
  io::reactor& loop_;
  unique_fd news_;
};

} // namespace banger::daemon
