// The helper is killed before and after each thing it does: the next one finds its way.
#include "privhelper/rules/describe.hpp"
#include "tests/hostile/scene.hpp"

#include <csignal>
#include <set>

using namespace banger;
using namespace banger::hostile;

namespace {

struct effect {
  std::string verb;
  std::vector<std::string> before; ///< orders that prepare it
  std::string order;
};

const std::string bridge = "bridge br-fc 10.88.0.0/24", taps = "taps br-fc tap-fc-2 tap-fc-3";

const std::vector<effect> effects{
    {"bridge", {}, bridge},
    {"taps", {bridge, "policy 3"}, taps},
    {"policy", {bridge}, "policy 3"},
    {"guest", {bridge, "policy 0", taps}, "guest 2"},
    {"resolver", {bridge}, "resolver"},
    {"sweep", {bridge, "policy 3", taps}, "sweep"},
};

// Of taps the descriptors, too: then they outlive the helper.
std::string give(owner_process& owner, const std::string& order) {
  const auto reply = owner.ask(order);
  if (reply.contains("token"))
    REQUIRE(owner.ask("fetch " + reply["token"].get<std::string>() + " 2")["code"] == "none");
  return reply["code"];
}

void kill_at(const effect& what, const std::string& moment) {
  INFO("killed " << moment << " " << what.verb);
  host h;
  h.make_foreign_links();
  const auto clean = h.network();
  helper_process first(h, {.role = "network",
                           .failpoint = "helper/" + what.verb + "/" + moment + ":kill",
                           .state = {}});
  owner_process owner(h, first);
  for (const auto& order : what.before)
    REQUIRE(give(owner, order) == "none");
  CHECK(give(owner, what.order) == "disconnected");
  CHECK(first.wait() == 128 + SIGKILL);

  helper_process second(h, {.role = "network", .failpoint = {}, .state = {}});
  owner_process next(h, second);
  const auto found = next.ask("inventory");
  CHECK(found["code"] == "none");
  CHECK(found["links"] == h.our_links().size());
  CHECK(next.ask("sweep")["code"] == "none");
  CHECK(h.our_links() == std::vector<std::string>{});
  CHECK(h.run({"/usr/sbin/nft", "list", "tables"}).find("banger") == std::string::npos);
  CHECK(next.ask("inventory")["links"] == 0);
  // IP forwarding stays on: others may rely on it by now.
  CHECK(h.network().substr(0, clean.size() - 1) == clean.substr(0, clean.size() - 1));
}

} // namespace

TEST_CASE("a helper killed before or after any effect leaves what the next one sweeps away") {
  if (!test::may_make_namespaces())
    return;
  for (const auto& what : effects)
    for (const auto* moment : {"before", "after"})
      kill_at(what, moment);
}

TEST_CASE("every network verb with an effect has a row in the table of kills") {
  std::set<std::string> verbs, rows;
  for (const auto& gates : helper::network_gates())
    if (gates.verb != "hello" && gates.verb != "inventory")
      verbs.insert(gates.verb);
  for (const auto& what : effects)
    rows.insert(what.verb);
  CHECK(rows == verbs);
}
