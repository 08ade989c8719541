// Who is served, what raw bytes do, and what the processes may do at most.
#include "messages/base/landlock.hpp"
#include "privhelper/confinement.hpp"
#include "tests/hostile/scene.hpp"
#include "tests/support/procfs.hpp"

#include <filesystem>
#include <linux/capability.h>
#include <optional>
#include <sys/stat.h>

using namespace banger;
using namespace banger::hostile;

namespace fs = std::filesystem;

namespace {

const std::vector<std::string> roles{"network", "machine"};

bool closed_without_a_word(const json& seen) {
  return seen["connected"] == true && seen["closed"] == true && seen["bytes"] == 0;
}

} // namespace

TEST_CASE("root and the owner are served, and anybody else is closed before a byte is sent") {
  if (!test::may_make_namespaces())
    return;
  host h;
  helper_process helper(h);
  owner_process owner(h, helper), stranger(h, helper, stranger_uid), root(h, helper, 0);
  for (const auto& role : roles) {
    for (auto* friendly : {&owner, &root}) {
      const auto about = friendly->ask("hello " + role);
      CHECK(about["role"] == role);
      CHECK(about["owner"] == "uid " + std::to_string(owner_uid));
    }
    CHECK(stranger.ask("count " + role) == json({{"connected", false}})); // by the file's mode
    CHECK(stranger.ask("hello " + role)["code"] == "unauthorized");
  }
  CHECK(stranger.ask("count descriptors") == json({{"connected", false}}));
  // And if somebody changed that mode.
  for (const auto* name : {"network", "machine", "descriptors"}) {
    REQUIRE(::chmod((h.sockets() / (std::string(name) + ".sock")).c_str(), 0666) == 0);
    CHECK(closed_without_a_word(stranger.ask(std::string("count ") + name)));
  }
  const auto is_stranger = [](const json& line) { return line["uid"] == stranger_uid; };
  std::size_t refused = 0; // one for each role
  CHECK(helper.until([&] {
    for (const auto& line : helper.log("client_refused"))
      refused += is_stranger(line) && line["text"] == "another user" ? 1 : 0;
    return refused == 2;
  }));
  CHECK(helper.logs("descriptors_refused", is_stranger));
  CHECK(owner.ask("hello network")["code"] == "none");
}

TEST_CASE("every raw attack of the transport's table leaves both roles serving") {
  if (!test::may_make_namespaces())
    return;
  host h;
  helper_process helper(h);
  owner_process bystander(h, helper);
  for (const auto& role : roles) {
    owner_process attacker(h, helper);
    for (std::size_t i = 0;; ++i) {
      const auto seen = attacker.ask("raw " + role + " " + std::to_string(i));
      if (seen["over"] == true)
        break;
      INFO(role << ": " << seen.dump());
      CHECK(seen["welcomed"] == true);
      CHECK(seen["as_expected"] == true);
      CHECK(bystander.ask("hello " + role)["code"] == "none");
      CHECK(helper.running());
      if (const auto why = seen["why"].get<std::string>(); !why.empty())
        REQUIRE(helper.logs(seen["event"], [&](const json& l) { return l["text"] == why; }));
    }
    owner_process newcomer(h, helper);
    CHECK(newcomer.ask("hello " + role)["code"] == "none");
  }
  CHECK(bystander.ask("inventory")["code"] == "none");
  CHECK(h.our_links().empty());
}

namespace {

std::string hex(std::uint64_t mask) {
  std::ostringstream text;
  text << std::hex << std::setw(16) << std::setfill('0') << mask;
  return text.str();
}

void check_confined(pid_t pid, std::uint64_t mask) {
  int threads = 0;
  for (const auto& task : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    const auto thread = static_cast<pid_t>(std::stol(task.path().filename().native()));
    INFO("thread " << thread << " of " << pid);
    for (const auto* set : {"CapEff", "CapPrm", "CapBnd"})
      CHECK(test::status_line(thread, set) == hex(mask));
    for (const auto* set : {"CapInh", "CapAmb"})
      CHECK(test::status_line(thread, set) == hex(0));
    CHECK(test::status_line(thread, "NoNewPrivs") == "1");
    CHECK(test::status_line(thread, "Seccomp") == "2");
    ++threads;
  }
  CHECK(threads > 3);
}

std::uint64_t mask_of(std::initializer_list<int> capabilities) {
  std::uint64_t mask = 0;
  for (const int c : capabilities)
    mask |= std::uint64_t{1} << c;
  return mask;
}

} // namespace

TEST_CASE("every thread of the role network has CAP_NET_ADMIN only, no way to more, and a filter") {
  if (!test::may_make_namespaces())
    return;
  host h;
  helper_process helper(h);
  owner_process owner(h, helper);
  REQUIRE(owner.ask("bridge br-fc 10.88.0.0/24")["code"] == "none"); // now all threads are there
  const auto network = owner.ask("hello network")["pid"].get<pid_t>();
  const auto machine = owner.ask("hello machine")["pid"].get<pid_t>();
  CHECK(network != machine);
  CHECK(helper.log("files_not_limited").empty() == (landlock_abi() > 0));
  check_confined(network, mask_of({CAP_NET_ADMIN}));
  check_confined(machine, mask_of({CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_KILL, CAP_MKNOD,
                                   CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN, CAP_SYS_CHROOT}));
}
