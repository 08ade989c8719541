// The crash matrix: whatever dies at whichever step, the next daemon makes the world agree. The
// rows come from the step tables (crash_rows.hpp).
#include "tests/e2e/crash_scene.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <random>

using namespace banger::crash;
using banger::vm::verb;
using banger::work::moment;
namespace test = banger::test;

namespace {

bool is_undo(const row& r) { return r.at == moment::before_undo || r.at == moment::after_undo; }

/// A commit failed and the daemon said so; the next one ends what still runs of it. A create that
/// fails leaves nothing.
ends not_stored(verb v, const trial& t) {
  auto all = whole(t);
  if (v != verb::create)
    all.states.insert(all.states.end(), {"error", "stopped"});
  return all;
}

void kill_daemon_at(scene& s, const row& r) {
  const auto t = trial_of(r.what);
  const auto failpoint = failpoint_of(r, "kill");
  INFO(failpoint);
  s.count(failpoint);
  s.prepare(t, failpoint);
  s.perform(t);
  CHECK(s.daemon_died());
  s.reconcile(is_undo(r) ? undone(t) : whole(t));
  s.clear();
}

/// The daemon stands still at the row, `strike` says whether it strikes anything down (else it is
/// no row), the daemon goes on.
template <class Strike>
void strike_at(scene& s, const row& r, Strike strike, const ends& allowed) {
  const auto t = trial_of(r.what);
  const auto failpoint = failpoint_of(r, "stop");
  INFO(failpoint);
  s.prepare(t, failpoint);
  std::unique_ptr<test::child> client;
  if (!t.command.empty())
    client = std::make_unique<test::child>(s.command(t.command));
  const auto daemon = s.daemon_stopped(client.get());
  REQUIRE(daemon > 0);
  const bool struck = strike(client.get());
  if (struck)
    s.count(failpoint);
  ::kill(daemon, SIGCONT);
  if (client)
    client->wait(test::boot_time);
  REQUIRE(s.eventually([&] {
    const auto vms = s.list();
    return std::all_of(vms.begin(), vms.end(),
                       [](const auto& vm) { return vm.at("operation") == ""; });
  }));
  s.reconcile(struck ? allowed : done(t));
  s.clear();
}

/// As many commits as the verb has, from the `first` on: until one is not reached.
template <class Try>
void each_commit(scene& s, verb v, std::string_view mishap, unsigned first, Try try_it) {
  for (const auto at : {moment::before, moment::after})
    for (unsigned k = first; k < 50; ++k) {
      const auto t = trial_of(v);
      const auto failpoint = commit_failpoint(at, k, mishap);
      INFO(banger::vm::to_string(v) << ": " << failpoint);
      s.prepare(t, failpoint);
      const bool reached = try_it(t);
      if (mishap == "fail")
        s.compare_disks();
      s.reconcile(!reached ? done(t) : mishap == "kill" ? whole(t) : not_stored(v, t));
      s.clear();
      if (!reached) {
        CHECK(k > first);
        break;
      }
      s.count(failpoint);
    }
}

} // namespace

TEST_CASE("a daemon that is killed at any step leaves the VM in its old or new state",
          "[none][user][crash]") {
  scene s;
  for (const auto v : tried_verbs())
    for (const auto& r : rows_of(v))
      kill_daemon_at(s, r);
  s.tell("bangerd killed at each step");
}

TEST_CASE("a daemon that is killed at any undo leaves the VM in its old state",
          "[none][user][crash]") {
  scene s;
  for (const auto v : tried_verbs())
    for (const auto& r : undo_rows_of(v))
      kill_daemon_at(s, r);
  s.tell("bangerd killed at each undo");
}

TEST_CASE("a daemon that is killed at any commit leaves the VM in its old or new state",
          "[none][user][crash]") {
  scene s;
  for (const auto v : tried_verbs())
    each_commit(s, v, "kill", 1, [&](const trial& t) {
      s.perform(t);
      return s.daemon_died();
    });
  s.tell("bangerd killed at each commit");
}

TEST_CASE("a hypervisor that is killed at any step leaves an end or an error",
          "[none][user][crash]") {
  scene s;
  const auto strike = [&](test::child*) {
    const auto alive = s.hypervisors();
    for (const auto pid : alive)
      ::kill(pid, SIGKILL);
    return !alive.empty();
  };
  for (const auto v : tried_verbs())
    for (const auto& r : rows_of(v)) {
      auto allowed = whole(trial_of(v));
      allowed.states.emplace_back("error");
      strike_at(s, r, strike, allowed);
    }
  s.tell("a hypervisor killed at each step where one lives");
}

TEST_CASE("a client that is killed at any step changes nothing about its operation",
          "[none][user][crash]") {
  scene s;
  const auto strike = [](test::child* client) {
    if (client != nullptr)
      client->signal(SIGKILL);
    return client != nullptr;
  };
  for (const auto v : tried_verbs())
    for (const auto& r : rows_of(v))
      strike_at(s, r, strike, done(trial_of(v)));
  s.tell("banger killed at each step");
}

TEST_CASE("a disk that is full in any step fails the operation and leaves nothing",
          "[none][user][crash]") {
  scene s;
  for (const auto v : tried_verbs())
    for (const auto& r : rows_of(v)) {
      const auto t = trial_of(v);
      const auto failpoint = failpoint_of(r, "fail");
      INFO(failpoint);
      s.count(failpoint);
      s.prepare(t, failpoint);
      const auto done = s.perform(t);
      if (!t.command.empty()) {
        CHECK(done.status == 1);
        CHECK_THAT(done.err,
                   Catch::Contains("failpoint " + failpoint.substr(0, failpoint.find(':'))) &&
                       Catch::Contains("(op-"));
      }
      s.reconcile(failed(r));
      s.clear();
    }
  s.tell("a disk full at each step");
}

TEST_CASE("a disk that is full in any commit is put right by the next daemon",
          "[none][user][crash]") {
  scene s;
  for (const auto v : tried_verbs())
    // The first is the intent. A delete does without, since it makes room.
    each_commit(s, v, "fail", v == verb::remove ? 2 : 1, [&](const trial& t) {
      if (!t.command.empty())
        return s.perform(t).status != 0;
      const auto before = s.failures_logged();
      return s.eventually([&] { return s.failures_logged() > before; }, test::milliseconds(1500));
    });
  s.tell("a disk full at each commit");
}

TEST_CASE("a seeded tenth of the crash matrix holds with real guests", "[vm][user][crash]") {
  const auto* wanted = std::getenv("BANGER_TEST_LONG");
  if (wanted == nullptr || std::string_view(wanted) != "1")
    return test::skip("only with scripts/test --long");
  const auto* given = std::getenv("BANGER_TEST_SEED");
  const auto seed = given != nullptr ? std::strtoul(given, nullptr, 10) : std::random_device{}();
  INFO("BANGER_TEST_SEED=" << seed);
  std::vector<row> all;
  for (const auto v : tried_verbs())
    for (const auto& rows : {rows_of(v), undo_rows_of(v)})
      all.insert(all.end(), rows.begin(), rows.end());
  std::mt19937 random(static_cast<std::mt19937::result_type>(seed));
  std::shuffle(all.begin(), all.end(), random);
  all.resize(all.size() / 10 + 1);
  scene s(scene::guests::real);
  for (const auto& r : all)
    kill_daemon_at(s, r);
  s.tell("bangerd killed, real guests, seed " + std::to_string(seed));
}
