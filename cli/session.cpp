#include "cli/session.hpp"

#include "cli/daemon_start.hpp"
#include "cli/handover.hpp"

#include <utility>

namespace banger::cli {

namespace {

// An older daemon first ends what it is doing for others.
constexpr std::chrono::milliseconds retire_deadline{60000};

// A daemon may leave (idle, retired by somebody else) between our looking and our talking.
constexpr int attempts = 8;

// An older banger whose stream goes with the daemon would start its own again: the lock is ours
// until our daemon is there.
expected<void> take_over(const folders& where, client& daemon) {
  const auto lock = take_start_lock(where);
  if (!lock)
    return tl::unexpected(lock.error());
  if (auto ok = daemon.retire(); !ok && ok.error().code != errc::disconnected)
    return ok;
  if (auto ok = daemon.wait_gone(retire_deadline); !ok)
    return ok;
  return start_daemon(where, *lock);
}

// Ours was started in the place of an older one, and is as old: the two were not installed
// together.
tl::unexpected<failure> old_program(const messages::hello_reply& theirs) {
  const auto program = find_daemon_program();
  return fail(errc::bad_version, "the daemon is older than this banger, even when started anew",
              "version " + theirs.version + " (commit " + theirs.commit + ") against " +
                  this_build().version + " (commit " + this_build().commit + ")",
              "install both from one build" +
                  (program ? "; the daemon's program is " + program->string() : ""));
}

tl::unexpected<failure> too_old(const messages::hello_reply& theirs) {
  return fail(errc::bad_version, "this banger is older than the daemon that runs",
              "version " + this_build().version + " against " + theirs.version,
              "use the newer banger, or end the daemon with its `banger daemon stop`");
}

} // namespace

expected<void> reach_daemon(const folders& where, client& daemon) {
  failure last;
  bool retired = false;
  for (int i = 0; i < attempts; ++i) {
    if (auto ok = daemon.connect(daemon_socket(where)); !ok) {
      last = ok.error();
      if (last.code != errc::not_found && last.code != errc::disconnected)
        return tl::unexpected(last);
      if (auto started = start_daemon(where); !started)
        return tl::unexpected(started.error());
      continue;
    }
    switch (decide(this_build(), protocol_version, daemon.daemon())) {
    case handover::use: return {};
    case handover::refuse: return too_old(daemon.daemon());
    case handover::retire:
      if (std::exchange(retired, true))
        return old_program(daemon.daemon());
      if (auto ok = take_over(where, daemon); !ok) {
        // At work for others, and we understand each other: no reason to disturb it.
        if (ok.error().code == errc::busy && daemon.daemon().protocol == protocol_version)
          return {};
        return tl::unexpected(ok.error());
      }
    }
  }
  return tl::unexpected(last);
}

expected<std::unique_ptr<client>> find_daemon(const folders& where) {
  auto daemon = std::make_unique<client>();
  if (auto ok = daemon->connect(daemon_socket(where)); !ok)
    return tl::unexpected(ok.error());
  return daemon;
}

} // namespace banger::cli
