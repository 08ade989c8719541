// The launcher with harmless programs instead of a hypervisor.
#include "actors/hypervisor/confinement.hpp"
#include "actors/hypervisor/launcher.hpp"
#include "actors/hypervisor/process.hpp"
#include "actors/hypervisor/sockets.hpp"
#include "actors/storage/process.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/hypervisor_scratch.hpp"

#include <array>
#include <csignal>
#include <iterator>
#include <linux/capability.h>
#include <set>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <thread>

using namespace banger;
using namespace banger::hypervisor;
using banger::test::becomes_readable;
using banger::test::content;
using banger::test::scratch_folder;
using Catch::Contains;

namespace {

driver::planned program(const scratch_folder& folder, std::vector<std::string> argv) {
  argv.front() = storage::find_program(argv.front()).string();
  driver::planned planned;
  planned.plan.argv = std::move(argv);
  planned.plan.log = folder.path() / log_file;
  planned.plan.identity = folder.path() / identity_file;
  return planned;
}

/// Without Landlock, so that a program may look at itself in /proc.
std::unique_ptr<launcher> open_launcher() { return make_direct_launcher({}); }

std::unique_ptr<launcher> closed_launcher() {
  host_facts facts;
  facts.landlock_abi = landlock_abi();
  return make_direct_launcher(facts);
}

/// Runs it to its end; what it printed.
std::string output(const scratch_folder& folder, std::vector<std::string> argv) {
  auto machine = open_launcher()->launch(program(folder, std::move(argv)));
  REQUIRE(machine);
  REQUIRE(becomes_readable(machine->pidfd.get()));
  return content(folder.path() / log_file);
}

std::string line_of(const std::string& text, const std::string& name) {
  const auto begin = text.find(name + ":");
  if (begin == std::string::npos)
    return "(missing)";
  const auto value = text.find_first_not_of(" \t", begin + name.size() + 1);
  return text.substr(value, text.find('\n', value) - value);
}

/// Takes a capability from this thread's effective set for a while.
class without {
public:
  explicit without(int capability) : bit_(1U << capability) { change(true); }
  ~without() { change(false); }
  without(const without&) = delete;
  without& operator=(const without&) = delete;

private:
  void change(bool away) const {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct sets[2] = {};
    REQUIRE(::syscall(SYS_capget, &header, sets) == 0);
    sets[0].effective = away ? sets[0].effective & ~bit_ : sets[0].effective | bit_;
    REQUIRE(::syscall(SYS_capset, &header, sets) == 0);
  }
  std::uint32_t bit_;
};

bool landlock_missing() {
  if (landlock_abi() > 0)
    return false;
  WARN("skipped: this kernel does not offer Landlock");
  return true;
}

} // namespace

TEST_CASE("a launched process has a session of its own and is nobody's child here") {
  const scratch_folder folder;
  auto machine = open_launcher()->launch(program(folder, {"cat", "/proc/self/stat"}));
  REQUIRE(machine);
  REQUIRE(becomes_readable(machine->pidfd.get()));
  std::istringstream stat(content(folder.path() / log_file));
  std::string pid, name, state, parent, group, session;
  stat >> pid >> name >> state >> parent >> group >> session;
  CHECK(pid == std::to_string(machine->process.pid));
  CHECK(session == pid);
  CHECK(parent != std::to_string(::getpid()));
}

TEST_CASE("a launched process inherits the plan's descriptors and no others") {
  const scratch_folder folder;
  const unique_fd leaked(::open("/dev/null", O_RDONLY)); // on purpose without O_CLOEXEC
  auto planned = program(folder, {"ls", "/proc/self/fd"});
  for (const int number : {3, 4, 7})
    planned.plan.inherited.emplace_back(
        number, std::make_shared<unique_fd>(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
  auto machine = open_launcher()->launch(std::move(planned));
  REQUIRE(machine);
  REQUIRE(becomes_readable(machine->pidfd.get()));
  std::istringstream numbers(content(folder.path() / log_file));
  const std::set<int> seen{std::istream_iterator<int>(numbers), {}};
  CHECK(seen == std::set<int>{0, 1, 2, 3, 4, 5, 7}); // 5: the folder that ls reads
}

TEST_CASE("descriptors reach their numbers even when those are taken crosswise") {
  const scratch_folder folder;
  auto planned = program(folder, {"cat", "/proc/self/fd/3", "/proc/self/fd/4"});
  auto one = std::make_shared<unique_fd>(::open(folder.file("1", "one ").c_str(), O_RDONLY));
  auto two = std::make_shared<unique_fd>(::open(folder.file("2", "two ").c_str(), O_RDONLY));
  planned.plan.inherited = {{4, one}, {3, two}};
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  auto machine = open_launcher()->launch(std::move(planned));
  REQUIRE(machine);
  REQUIRE(becomes_readable(machine->pidfd.get()));
  CHECK(content(folder.path() / log_file) == "two one ");
}

TEST_CASE("a launched process can neither gain privileges nor leave a core") {
  const scratch_folder folder;
  const auto status = output(folder, {"cat", "/proc/self/status", "/proc/self/limits"});
  CHECK(line_of(status, "NoNewPrivs") == "1");
  for (const auto* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"})
    CHECK(line_of(status, set) == "0000000000000000");
  CHECK(line_of(status, "SigBlk") == "0000000000000000");
  CHECK(status.find("Max core file size        0                    0") != std::string::npos);
}

TEST_CASE("a launched process of root runs as an unprivileged user of its own") {
  if (::geteuid() != 0) {
    WARN("skipped: only root can become someone else");
    return;
  }
  const scratch_folder folder;
  const auto status = output(folder, {"cat", "/proc/self/status"});
  const auto uid = choose_user(program(folder, {"cat"}).plan).uid;
  CHECK(uid != 0);
  const auto id = std::to_string(uid);
  CHECK(line_of(status, "Uid") == id + "\t" + id + "\t" + id + "\t" + id);
  CHECK(line_of(status, "Gid") == id + "\t" + id + "\t" + id + "\t" + id);
  CHECK(line_of(status, "Groups").find_first_of("0123456789") == std::string::npos);
  CHECK(line_of(status, "CapBnd") == "0000000000000000");
}

TEST_CASE("root that may not become another user runs the process as itself, with nothing more") {
  if (::geteuid() != 0) {
    WARN("skipped: needs root");
    return;
  }
  const scratch_folder folder;
  for (const int capability : {CAP_SETUID, CAP_SETGID, CAP_KILL}) {
    const without missing(capability);
    auto planned = program(folder, {"cat", "/proc/self/status"});
    const auto user = choose_user(planned.plan);
    CHECK_FALSE(user.change);
    auto machine = closed_launcher()->launch(std::move(planned));
    REQUIRE(machine);
    REQUIRE(becomes_readable(machine->pidfd.get()));
    CHECK_THAT(machine->confinement, Contains("root without capabilities (no CAP_") &&
                                         Contains("to run it as another user"));
  }
  const without missing(CAP_SETUID);
  const auto status = output(folder, {"cat", "/proc/self/status"});
  CHECK(line_of(status, "Uid") == "0\t0\t0\t0");
  CHECK(line_of(status, "NoNewPrivs") == "1");
  for (const auto* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"})
    CHECK(line_of(status, set) == "0000000000000000");
}

TEST_CASE("ignored and blocked signals of the daemon are not inherited") {
  const scratch_folder folder;
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  const auto status = output(folder, {"cat", "/proc/self/status"});
  std::signal(SIGPIPE, before);
  CHECK(line_of(status, "SigIgn") == "0000000000000000");
}

TEST_CASE("nothing of the user's environment reaches a launched process") {
  const scratch_folder folder;
  ::setenv("BANGER_SECRET", "x", 1);
  const auto seen = output(folder, {"env"});
  ::unsetenv("BANGER_SECRET");
  CHECK(seen == "PATH=/usr/sbin:/usr/bin:/sbin:/bin\nLC_ALL=C\n");
}

TEST_CASE("a process without network connections has a network namespace, where one can be made") {
  const scratch_folder folder;
  auto planned = program(folder, {"readlink", "/proc/self/ns/net"});
  planned.plan.connects = false;
  auto machine = open_launcher()->launch(std::move(planned));
  REQUIRE(machine);
  REQUIRE(becomes_readable(machine->pidfd.get()));
  const auto ours = std::filesystem::read_symlink("/proc/self/ns/net").string() + "\n";
  const bool told = machine->confinement.find("own network namespace") != std::string::npos;
  CHECK((content(folder.path() / log_file) != ours) == told);
}

TEST_CASE("a program that cannot be executed is an error at once") {
  const scratch_folder folder;
  auto planned = program(folder, {"cat"});
  planned.plan.argv.front() = "/nonexistent/qemu";
  const auto machine = open_launcher()->launch(std::move(planned));
  REQUIRE_FALSE(machine);
  CHECK(machine.error().what == "cannot start /nonexistent/qemu, executing it");
  CHECK(machine.error().why == "No such file or directory");
}

TEST_CASE("the log begins anew and its last lines can be read") {
  const scratch_folder folder;
  folder.file(log_file, "of an earlier start\n");
  CHECK(output(folder, {"printf", "one\\ntwo\\nthree\\n"}) == "one\ntwo\nthree\n");
  CHECK(last_words(folder.path(), 2) == "two\nthree");
  CHECK(last_words(folder.path(), 9) == "one\ntwo\nthree");
  CHECK(last_words(folder.path() / "nowhere").empty());
}

TEST_CASE("a process is written down before it runs") {
  const scratch_folder folder;
  CHECK(recorded_process(folder.path()).error().code == errc::not_found);
  auto machine = open_launcher()->launch(program(folder, {"cat", "/proc/self/stat"}));
  REQUIRE(machine);
  const auto recorded = recorded_process(folder.path());
  REQUIRE(recorded);
  CHECK(recorded->pid == machine->process.pid);
  CHECK(recorded->start_time == machine->process.start_time);
  CHECK(recorded->boot_id == host_boot_id());
  folder.file(identity_file, "pid x\n");
  CHECK(recorded_process(folder.path()).error().code == errc::corrupted);
}

TEST_CASE(
    "lesson 27: what a process file says is believed only whole, and only of its own folder") {
  const scratch_folder folder, another;
  auto machine = open_launcher()->launch(program(folder, {"sleep", "60"}));
  REQUIRE(machine);
  const auto own = content(folder.path() / identity_file);
  for (std::size_t size = 0; size < own.size(); ++size) {
    folder.file(identity_file, own.substr(0, size));
    if (const auto read = recorded_process(folder.path())) {
      INFO(own.substr(0, size));
      CHECK(read->start_time == machine->process.start_time);
      CHECK(read->boot_id == machine->process.boot_id);
    }
  }
  another.file(identity_file, own);
  CHECK(recorded_process(another.path()).error().code == errc::corrupted);
  // As builds before 0.2 wrote it.
  folder.file(identity_file, own.substr(0, own.find("folder ")));
  CHECK(recorded_process(folder.path()));
  CHECK(kill_and_wait(machine->process, 10'000));
}

TEST_CASE("a process lives until it is killed, and is itself only with its start time") {
  const scratch_folder folder;
  auto machine = open_launcher()->launch(program(folder, {"sleep", "60"}));
  REQUIRE(machine);
  CHECK(alive(machine->process));
  auto other = machine->process;
  other.start_time += 1;
  CHECK_FALSE(alive(other));
  CHECK(kill_and_wait(other, 1000)); // another process: already gone
  other = machine->process;
  other.boot_id = "of another boot";
  CHECK_FALSE(alive(other));
  CHECK(alive(machine->process));
  CHECK_FALSE(becomes_readable(machine->pidfd.get(), 0));
  REQUIRE(kill_and_wait(machine->process, 10'000));
  CHECK(becomes_readable(machine->pidfd.get(), 0));
  CHECK_FALSE(alive(machine->process));
  CHECK(kill_and_wait(machine->process, 1000));
}

TEST_CASE("a signal ends a process that heeds it, and SIGKILL follows for one that does not") {
  const scratch_folder folder;
  auto heeds = open_launcher()->launch(program(folder, {"sleep", "60"}));
  REQUIRE(heeds);
  const auto begun = std::chrono::steady_clock::now();
  CHECK(signal_and_wait(heeds->process, SIGTERM, 60'000, 10'000));
  CHECK_FALSE(alive(heeds->process));
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(50)); // no patience spent
  const scratch_folder another;
  auto ignores = open_launcher()->launch(
      program(another, {"sh", "-c", "trap '' HUP; echo deaf; exec sleep 60"}));
  REQUIRE(ignores);
  for (int i = 0; i < 500 && content(another.path() / log_file).empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(signal_and_wait(ignores->process, SIGHUP, 100, 10'000));
  CHECK_FALSE(alive(ignores->process));
}

TEST_CASE("a later daemon finds the process and its sockets again") {
  const scratch_folder folder;
  auto planned = program(folder, {"sleep", "60"});
  for (auto which : {channel::qmp, channel::agent, channel::console}) {
    auto pair = make_channel(folder.path(), which);
    REQUIRE(pair);
    planned.plan.inherited.emplace_back(3 + static_cast<int>(which),
                                        std::make_shared<unique_fd>(std::move(pair->listening)));
  }
  process_id process;
  std::string confinement;
  {
    auto machine = open_launcher()->launch(std::move(planned));
    REQUIRE(machine);
    process = machine->process;
    confinement = machine->confinement;
  }
  auto adopted = adopt(folder.path(), process);
  REQUIRE(adopted);
  CHECK(adopted->confinement == confinement);
  for (const auto* fd : {&adopted->qmp, &adopted->agent, &adopted->console})
    CHECK((::fcntl(fd->get(), F_GETFL) & O_NONBLOCK) != 0);
  REQUIRE(kill_and_wait(process, 10'000));
  CHECK(becomes_readable(adopted->pidfd.get(), 0));
  CHECK(adopt(folder.path(), process).error().code == errc::not_found);
}

TEST_CASE("a process whose sockets are gone is not adopted") {
  const scratch_folder folder;
  auto machine = open_launcher()->launch(program(folder, {"sleep", "60"}));
  REQUIRE(machine);
  const auto adopted = adopt(folder.path(), machine->process);
  REQUIRE_FALSE(adopted);
  CHECK(adopted.error().code == errc::not_running);
  CHECK(kill_and_wait(machine->process, 10'000));
}

TEST_CASE("a confined process reads what the plan names and nothing else") {
  if (landlock_missing())
    return;
  const scratch_folder folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  const auto allowed = folder.file("allowed", "open\n");
  const auto denied = folder.file("denied", "closed\n");
  auto planned = program(folder, {"cat", allowed.string(), denied.string(), "/etc/passwd"});
  planned.plan.readable = {allowed};
  auto machine = closed_launcher()->launch(std::move(planned));
  REQUIRE(machine);
  REQUIRE(becomes_readable(machine->pidfd.get()));
  CHECK(machine->confinement.find("landlock ABI") == 0);
  const auto said = content(folder.path() / log_file);
  CHECK(said.find("open\n") == 0);
  CHECK(said.find("denied: Permission denied") != std::string::npos);
  CHECK(said.find("/etc/passwd: Permission denied") != std::string::npos);
}

TEST_CASE("a confinement without Landlock says so") {
  CHECK(describe_confinement(bar_seccomp, 0, {false, 1000, 1000, {}}) ==
        "no landlock (this kernel does not offer it), seccomp");
  CHECK(describe_confinement(bar_landlock | bar_network | bar_user | bar_seccomp, 7,
                             {true, 1879048192, 0, {}}) ==
        "landlock ABI 7, seccomp, own network namespace, uid 1879048192");
  CHECK(describe_confinement(bar_landlock, 7, {false, 0, 0, {}, "no CAP_SETUID here"}) ==
        "landlock ABI 7, root without capabilities (no CAP_SETUID here)");
}

TEST_CASE("a folder always gives the same user, out of the range that is ours") {
  CHECK(vm_uid("/a/b") == vm_uid("/a/./b"));
  CHECK(vm_uid("/a/b") != vm_uid("/a/c"));
  CHECK(vm_uid("/a/b") >= first_vm_uid);
  CHECK(vm_uid("/a/b") - first_vm_uid < vm_uid_count);
}

TEST_CASE("how a process ended is told, without being its parent") {
  const scratch_folder folder;
  const auto ending_of = [&](std::vector<std::string> argv) {
    auto machine = open_launcher()->launch(program(folder, std::move(argv)));
    REQUIRE(machine);
    REQUIRE(becomes_readable(machine->ending.get()));
    return read_ending(machine->ending.get());
  };
  CHECK(ending_of({"sh", "-c", "exit 3"}) == "exit status 3");
  CHECK(ending_of({"sh", "-c", "kill -SEGV $$"}) == "signal 11 (Segmentation fault)");
  auto machine = open_launcher()->launch(program(folder, {"sleep", "60"}));
  REQUIRE(machine);
  CHECK(read_ending(machine->ending.get()).empty());
  // Whoever does not want to hear it any more lets the process live.
  machine->ending.reset();
  CHECK(alive(machine->process));
  CHECK(kill_and_wait(machine->process, 5000));
}
