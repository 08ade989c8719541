// banger-privhelper. Reads as a table of contents: who is served, what is given up, who lives, how
// it ends.
#include "messages/base/landlock.hpp"
#include "messages/base/version.hpp"
#include "messages/handover/handover.hpp"
#include "messages/transport/transport.hpp"
#include "privhelper/program/doors.hpp"
#include "privhelper/program/options.hpp"
#include "privhelper/roles/machine_role.hpp"
#include "privhelper/roles/network_role.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <optional>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

namespace {

using namespace banger;
using namespace banger::helper;

int print_version() {
  const auto& build = this_build();
  std::printf("banger-privhelper v%s (commit %s)\n", build.version.c_str(), build.commit.c_str());
  return 0;
}

int give_up(const failure& why) {
  log::failed({}, "start_failed", why);
  std::fprintf(stderr, "banger-privhelper: %s\n", describe(why).c_str());
  std::fflush(nullptr);
  ::_exit(1); // actors are not taken apart
}

sigset_t what_ends_us() {
  sigset_t ends;
  ::sigemptyset(&ends);
  for (const int s : {SIGTERM, SIGINT, SIGHUP, SIGCHLD})
    ::sigaddset(&ends, s);
  return ends;
}

/// What a role's actor needs beside it. Lives as long as the process.
struct house {
  work::pool effects{1};
  work::pool reading{1};
  std::optional<handover::server> descriptors;

  threads both() {
    return {[this](work::pool::task t) { effects.submit(std::move(t)); },
            [this](work::pool::task t) { reading.submit(std::move(t)); }};
  }
};

/// A line for a stranger, as long as he has not had too many.
class stranger_log {
public:
  template <class Who>
  void operator()(std::string_view event, const Who& who, const std::string& why) {
    if (may_write(budget_, event))
      log::error({}, event, {{"pid", who.pid}, {"uid", who.uid}, {"text", why}});
  }

private:
  log_budget budget_;
};

transport::options door_of(doors& d, std::uint32_t owner) {
  transport::options o;
  o.inherited = d.orders.release_socket();
  o.allowed_uids = {0, owner};
  o.kept_for_root = 8;
  const auto told = std::make_shared<stranger_log>(); // both are called in one thread
  // Without a reason it left by itself: a daemon looks whether it is served here.
  o.refused = [told](const auto& who, const auto& why) {
    if (!why.empty())
      (*told)("client_refused", who, why);
  };
  o.closed = [told](const auto& who, const auto& why) {
    if (!why.empty())
      (*told)("client_cut", who, why);
  };
  return o;
}

expected<transport::server> serve_network(caf::actor_system& system, house& h, doors& d,
                                          const options& o) {
  auto descriptors = handover::server::start(
      std::move(*d.descriptors), {.refused = [told = std::make_shared<stranger_log>()](
                                                 local::peer who, const std::string& why) {
        (*told)("descriptors_refused", who, why);
      }});
  if (!descriptors)
    return tl::unexpected(descriptors.error());
  h.descriptors.emplace(std::move(*descriptors));
  const auto role = spawn_network_role(
      system, {o.limits.owner, h.both(), [&h](std::vector<unique_fd> fds, local::peer to) {
                 return h.descriptors->offer(std::move(fds), to);
               }});
  auto door = door_of(d, o.limits.owner);
  const auto visit = [role](const transport::client_info& who, bool comes) {
    actor::tell_from_outside(role, visitor_atom::value, who.pid, who.uid, comes);
  };
  door.opened = [visit](const auto& who) { visit(who, true); };
  door.closed = [visit, told = door.closed](const auto& who, const auto& why) {
    visit(who, false);
    told(who, why);
  };
  return transport::publish(system, std::move(door),
                            caf::actor_cast<messages::network_helper>(role));
}

expected<transport::server> serve_machine(caf::actor_system& system, house& h, doors& d,
                                          const options& o) {
  const auto role =
      spawn_machine_role(system, std::make_shared<machine_effects>(o.limits), h.both());
  return transport::publish(system, door_of(d, o.limits.owner),
                            caf::actor_cast<messages::machine_helper>(role));
}

/// CAF looks for the addresses of network cards, to name its node by; the filter does not let it,
/// and then it complains on stderr. The node has its pid, which is enough.
class silence {
public:
  silence() : before_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) {
    const unique_fd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    ::dup2(null.get(), STDERR_FILENO);
  }
  ~silence() { ::dup2(before_.get(), STDERR_FILENO); }
  silence(const silence&) = delete;
  silence& operator=(const silence&) = delete;

private:
  unique_fd before_;
};

// Threads begin after `confine`: those that were there before would keep their rights.
int serve(role r, const options& o) {
  if (auto ok = work::arm_failpoints(std::getenv("BANGER_FAILPOINT")); !ok)
    return give_up(ok.error());
  auto d = open_doors(r, o.socket_dir, o.limits.owner);
  if (!d)
    return give_up(d.error());
  const bool has_landlock = landlock_abi() > 0; // afterwards the filter does not let us ask
  if (auto ok = confine(r, o.socket_dir); !ok)
    return give_up(ok.error());
  if (!has_landlock)
    log::warn({}, "files_not_limited",
              {{"text", "this kernel offers no Landlock: what root's "
                        "process may write is for its unit to say"}});
  house h;
  caf::actor_system_config config;
  transport::configure(config, transport::role::helper);
  std::optional<silence> hush{std::in_place};
  caf::actor_system system{config};
  hush.reset();
  transport::prepare(system);
  auto server =
      r == role::network ? serve_network(system, h, *d, o) : serve_machine(system, h, *d, o);
  if (!server)
    return give_up(server.error());
  log::info({}, "serving",
            {{"role", to_string(r)}, {"owner", o.limits.owner}, {"version", this_build().version}});
  ::sd_notify(0, "READY=1");
  const auto ends = what_ends_us();
  int signal = 0;
  do
    ::sigwait(&ends, &signal);
  while (signal == SIGCHLD);
  ::sd_notify(0, "STOPPING=1");
  log::info({}, "left", {{"role", to_string(r)}});
  d->orders.unlink();
  if (h.descriptors)
    h.descriptors->close();
  ::_exit(0);
}

/// The child's part of a fork for one role; it ends with its parent.
[[noreturn]] void serve_as_child(role r, pid_t parent, const options& o) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  inherit_passed(parent);
  ::_exit(::getppid() == parent ? serve(r, o) : 1);
}

void end_all(const std::vector<pid_t>& children) {
  for (const pid_t child : children)
    ::kill(child, SIGTERM);
  while (::wait(nullptr) > 0) {
  }
}

// A process for each: none of them has the other's rights. They end together.
int serve_both(const options& o) {
  const pid_t parent = ::getpid();
  std::vector<pid_t> children;
  for (const auto r : o.roles) {
    const pid_t child = ::fork();
    if (child == 0)
      serve_as_child(r, parent, o);
    if (child < 0) {
      const auto why =
          fail_errno("cannot make a process for the role " + std::string(to_string(r)), errno);
      end_all(children);
      return give_up(why.value());
    }
    children.push_back(child);
  }
  const auto ends = what_ends_us();
  int signal = 0;
  ::sigwait(&ends, &signal);
  end_all(children);
  return signal == SIGCHLD ? 1 : 0;
}

} // namespace

int main(int argc, char** argv) {
  const auto o = parse_options(argc, argv);
  if (o.exit_code >= 0)
    return o.exit_code;
  if (o.version)
    return print_version();
  ::umask(077);
  ::signal(SIGPIPE, SIG_IGN);
  const auto ends = what_ends_us();
  ::sigprocmask(SIG_BLOCK, &ends, nullptr);
  if (auto ok = log::open({.file = {}, .descriptor = STDERR_FILENO}); !ok)
    return give_up(ok.error());
  return o.roles.size() == 1 ? serve(o.roles.front(), o) : serve_both(o);
}
