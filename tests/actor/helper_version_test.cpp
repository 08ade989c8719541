// A root helper of another version, in a process of its own.
#include "actors/privileged/privileged.hpp"
#include "messages/base/version.hpp"
#include "messages/transport/transport.hpp"
#include "tests/support/catch.hpp"

#include <csignal>
#include <sys/wait.h>

using namespace banger;
using namespace banger::messages;

namespace {

network_helper::behavior_type stranger() {
  return {
      [](hello_atom, const hello_request&) {
        return helper_about{protocol_version + 1, 1, "9.9.9", "0123abc", "network", "uid 0"};
      },
      [](bridge_atom, const bridge_order&) {},
      [](taps_atom, const taps_order&) { return taps_reply{}; },
      [](policy_atom, const policy_order&) { return policy_reply{}; },
      [](guest_atom, const guest_change&) { return policy_reply{}; },
      [](resolver_atom, const resolver_order&) {},
      [](inventory_atom) { return network_inventory{}; },
      [](sweep_atom, const network_sweep&) { return sweep_reply{}; },
  };
}

[[noreturn]] void serve(const std::filesystem::path& socket, int ready) {
  caf::actor_system_config config;
  transport::configure(config, transport::role::helper);
  caf::actor_system system{config};
  transport::prepare(system);
  transport::options door;
  door.socket = socket;
  const auto server = transport::publish(system, door, system.spawn(stranger));
  if (!server || ::write(ready, "+", 1) != 1)
    ::_exit(1);
  for (;;)
    ::pause();
}

} // namespace

TEST_CASE("a root helper of another version is refused, and both versions are named") {
  std::string folder = "/tmp/bgr-version-XXXXXX";
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t helper = ::fork();
  if (helper == 0)
    serve(std::filesystem::path(folder) / "network.sock", ready[1]);
  char byte = 0;
  ::close(ready[1]);
  CHECK(::read(ready[0], &byte, 1) == 1);
  ::close(ready[0]);
  {
    caf::actor_system_config config;
    transport::configure(config, transport::role::daemon);
    caf::actor_system system{config};
    transport::prepare(system);
    const auto reached = privileged::to_helper(system, folder).connect();
    REQUIRE_FALSE(reached);
    CHECK(reached.error().code == errc::bad_version);
    CHECK_THAT(describe(reached.error()),
               Catch::Contains("9.9.9") && Catch::Contains(this_build().version));
  }
  ::kill(helper, SIGKILL);
  ::waitpid(helper, nullptr, 0);
  std::filesystem::remove_all(folder);
}
