#include "actors/hypervisor/launcher.hpp"
#include "actors/hypervisor/child.hpp"
#include "actors/hypervisor/confinement.hpp"
#include "actors/hypervisor/process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace banger::hypervisor {

namespace {

// A fixed environment: nothing of the user's reaches the hypervisor.
constexpr std::array<const char*, 3> environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                                                    "LC_ALL=C", nullptr};

std::string_view name_of(stage at) {
  switch (at) {
  case stage::fork: return "making a process";
  case stage::descriptors: return "handing over descriptors (needs Linux 5.11)";
  case stage::session: return "making a session";
  case stage::limits: return "setting limits";
  case stage::user: return "becoming an unprivileged user";
  case stage::privileges: return "giving up privileges";
  case stage::landlock: return "putting on Landlock";
  case stage::ready: return "waiting";
  case stage::exec: return "executing it";
  }
  return "starting";
}

struct conversation {
  unique_fd ours, childs;
};

expected<conversation> open_conversation() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return fail_errno("cannot make a socket pair", errno);
  return conversation{unique_fd(ends[0]), unique_fd(ends[1])};
}

expected<unique_fd> open_log(const std::filesystem::path& log) {
  constexpr int flags = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_CLOEXEC;
  unique_fd fd(::open(log.c_str(), flags, 0600));
  if (!fd)
    return fail_errno("cannot write " + log.string(), errno);
  return fd;
}

/// Everything that the child needs, owned here until it runs.
struct preparation {
  std::vector<const char*> argv;
  std::vector<child_descriptor> descriptors;
  unique_fd null, log, ruleset;
  conversation talk, ending;
  run_as user;
  child_plan child;
};

expected<void> prepare(preparation& p, const launch_plan& plan, int abi) {
  for (const auto& argument : plan.argv)
    p.argv.push_back(argument.c_str());
  p.argv.push_back(nullptr);
  for (const auto& [number, fd] : plan.inherited)
    p.descriptors.push_back({number, fd->get()});
  p.null.reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!p.null)
    return fail_errno("cannot open /dev/null", errno);
  const auto take = [](auto& place, auto result) -> expected<void> {
    if (!result)
      return tl::unexpected(result.error());
    place = std::move(*result);
    return {};
  };
  auto ok = take(p.log, open_log(plan.log));
  if (ok)
    ok = take(p.talk, open_conversation());
  if (ok)
    ok = take(p.ending, open_conversation());
  if (ok && abi > 0)
    ok = take(p.ruleset, make_ruleset(abi, file_rules(plan)));
  p.user = choose_user(plan);
  return ok;
}

void fill_child(preparation& p, const launch_plan& plan) {
  auto& c = p.child;
  c.argv = p.argv.data();
  c.environment = environment.data();
  c.descriptors = p.descriptors.data();
  c.descriptor_count = p.descriptors.size();
  c.null = p.null.get();
  c.log = p.log.get();
  c.talk = p.talk.childs.get();
  c.ending = p.ending.childs.get();
  c.ruleset = p.ruleset.get();
  c.own_network = !plan.connects;
  c.change_user = p.user.change;
  c.uid = p.user.uid;
  c.gid = p.user.gid;
  c.groups = p.user.groups.data();
  c.group_count = p.user.groups.size();
}

// No signal may reach a handler of the daemon in the child, so all are blocked over the fork.
expected<void> fork_child(preparation& p) {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t between = ::fork();
  if (between == 0)
    run_child(p.child);
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (between < 0)
    return fail_errno("cannot start the hypervisor", error);
  p.talk.childs.reset();
  p.ending.childs.reset();
  while (::waitpid(between, nullptr, 0) < 0 && errno == EINTR) {
  }
  return {};
}

/// False at the end of the conversation.
bool read_report(int fd, child_report& report) {
  ssize_t got = 0;
  do
    got = ::recv(fd, &report, sizeof(report), 0);
  while (got < 0 && errno == EINTR);
  return got == static_cast<ssize_t>(sizeof(report));
}

tl::unexpected<failure> start_failed(const launch_plan& plan, const child_report& report) {
  return fail_errno("cannot start " + plan.argv.front() + ", " + std::string(name_of(report.at)),
                    report.error);
}

class direct_launcher : public launcher {
public:
  explicit direct_launcher(int abi) : abi_(abi) {}

  expected<running_machine> launch(driver::planned planned) const override {
    const auto& plan = planned.plan;
    if (plan.argv.empty())
      return fail(errc::bad_request, "cannot start a hypervisor", "its command line is empty");
    preparation p;
    if (auto ok = prepare(p, plan, abi_); !ok)
      return tl::unexpected(ok.error());
    fill_child(p, plan);
    if (auto ok = fork_child(p); !ok)
      return tl::unexpected(ok.error());
    child_report report;
    if (!read_report(p.talk.ours.get(), report))
      return fail(errc::operation_failed, "cannot start " + plan.argv.front(),
                  "it was killed before it ran");
    if (report.at != stage::ready)
      return start_failed(plan, report);
    return release(p, std::move(planned), report);
  }

private:
  // The child waits: its identity is taken and written down while it surely lives.
  expected<running_machine> release(preparation& p, driver::planned planned,
                                    const child_report& report) const {
    const auto& plan = planned.plan;
    auto process = identify(static_cast<std::uint32_t>(report.pid));
    if (!process)
      return tl::unexpected(process.error());
    auto pidfd = open_process(*process);
    if (!pidfd)
      return tl::unexpected(pidfd.error());
    running_machine machine;
    machine.process = std::move(*process);
    machine.pidfd = std::move(*pidfd);
    const bool filtered =
        std::find(plan.argv.begin(), plan.argv.end(), "-sandbox") != plan.argv.end();
    machine.confinement =
        describe_confinement(report.bars | (filtered ? bar_seccomp : 0U), abi_, p.user);
    if (!plan.identity.empty())
      if (auto ok = write_record(plan.identity, {machine.process, machine.confinement}); !ok)
        return tl::unexpected(ok.error());
    const char word = 'g';
    if (::send(p.talk.ours.get(), &word, 1, MSG_NOSIGNAL) != 1)
      return fail(errc::operation_failed, "cannot start " + plan.argv.front(), "it was killed");
    child_report refused;
    if (read_report(p.talk.ours.get(), refused))
      return start_failed(plan, refused);
    machine.ending = std::move(p.ending.ours);
    machine.qmp = std::move(planned.qmp);
    machine.agent = std::move(planned.agent);
    machine.console = std::move(planned.console);
    return machine;
  }

  int abi_;
};

} // namespace

std::unique_ptr<launcher> make_direct_launcher(const host_facts& facts) {
  return std::make_unique<direct_launcher>(facts.landlock_abi);
}

} // namespace banger::hypervisor
