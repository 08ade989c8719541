// The guest's wall clock against the host's. Each bound is one that is promised; what a round trip
// leaves unknown is taken off before it is compared.
#include "tests/support/catch.hpp"
#include "tests/support/home.hpp"
#include "tests/support/procfs.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <thread>

using namespace banger::test;
using std::chrono::microseconds;

namespace {

constexpr microseconds promised{50'000};

/// Microseconds of the Unix epoch for each line that comes. A tiny guest's `date` has no fractions.
constexpr auto tell_time =
    "echo ready; while read line; do case $(date +%6N) in [0-9]*) date +%s%6N ;; "
    "*) adjtimex | awk '/tv_sec/ {s = $2} /tv_usec/ {printf \"%d%06d\\n\", s, $2}' ;; esac; done";

struct offset {
  microseconds off{}, uncertain{microseconds::max()};
  /// What it is wrong by, at least.
  microseconds surely() const {
    return std::max(microseconds(0), microseconds(std::abs(off.count())) - uncertain);
  }
};

/// A command of the guest that tells the time when it is asked.
class guest_time {
public:
  guest_time(home& h, const std::string& vm)
      : command_(h.start({"vm", "exec", vm, "--", "sh", "-c", tell_time}, input::pipe)) {
    REQUIRE(command_.until([this] { return command_.out() == "ready\n"; }, boot_time));
    seen_ = command_.out().size();
  }

  /// Against a host's clock that is `shift` ahead of this machine's; the best of a few.
  offset measure(std::chrono::seconds shift = {}) {
    offset best;
    for (int i = 0; i < 7; ++i)
      if (const auto one = ask(shift); one.uncertain < best.uncertain)
        best = one;
    UNSCOPED_INFO("off by " << best.off.count() << " us, +- " << best.uncertain.count() << " us");
    return best;
  }

private:
  offset ask(std::chrono::seconds shift) {
    const auto now = [] {
      return std::chrono::duration_cast<microseconds>(
          std::chrono::system_clock::now().time_since_epoch());
    };
    const auto before = now();
    command_.write("?\n");
    REQUIRE(command_.until([this] { return command_.out().find('\n', seen_) != std::string::npos; },
                           short_time));
    const auto half = (now() - before) / 2;
    const microseconds there(std::stoll(command_.out().substr(seen_)));
    seen_ = command_.out().size();
    return {there - (before + shift + half), half};
  }

  child command_;
  std::size_t seen_ = 0;
};

pid_t hypervisor_of(home& h, const std::string& vm) { return h.show(vm).at("pid").get<pid_t>(); }

} // namespace

TEST_CASE("a clock is right at the first command and after a SIGSTOP of its hypervisor",
          "[vm][faults]") {
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  const auto future = [&] {
    const auto file = h.top() / "f";
    std::ofstream(file) << "f";
    const auto packed = run({{"tar", "-C", h.top(), "-c", "f"}, h.env}, {}, short_time);
    REQUIRE(packed.status == 0);
    return h.good({"vm", "exec", "a", "--", "sh", "-c",
                   "cd /root && tar x && touch now && [ f -nt now ] && echo future; true"},
                  packed.out);
  };
  guest_time guest(h, "a");
  CHECK(guest.measure().surely() < promised);
  CHECK(future().empty());
  const auto hypervisor = hypervisor_of(h, "a");
  ::kill(hypervisor, SIGSTOP);
  std::this_thread::sleep_for(std::chrono::seconds(10));
  ::kill(hypervisor, SIGCONT);
  std::this_thread::sleep_for(std::chrono::seconds(1));
  CHECK(guest.measure().surely() < promised);
  CHECK(future().empty());
}

TEST_CASE("a clock is right at the first command of a guest with an init", "[vm][debian][faults]") {
  home h(home::images::debian);
  h.good({"vm", "create", "--name", "a"});
  CHECK(guest_time(h, "a").measure().surely() < promised);
}

TEST_CASE("a clock follows the host's, and one that the guest sets is its own",
          "[vm][user][faults]") {
  home h;
  const auto file = h.top() / "shift";
  const auto set = [&](int seconds) { std::ofstream(file) << seconds; };
  set(0);
  h.env["LD_PRELOAD"] = bin("clock_shift.so");
  h.env["CLOCK_SHIFT_FILE"] = file;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  guest_time guest(h, "a");
  const auto follows = [&](int seconds) {
    return h.eventually(
        [&] { return guest.measure(std::chrono::seconds(seconds)).surely() < promised; });
  };
  CHECK(follows(0));
  set(60);
  CHECK(follows(60));
  set(-60);
  CHECK(follows(-60));
  // A daemon that was not there when it was set.
  h.kill_daemon();
  set(0);
  h.good({"vm", "list"});
  CHECK(follows(0));
  h.good({"vm", "exec", "a", "--", "date", "-s", "2001-01-01 00:00:00"});
  set(60);
  std::this_thread::sleep_for(std::chrono::seconds(2));
  CHECK(h.good({"vm", "exec", "a", "--", "date", "+%Y"}) == "2001\n");
  set(0);
}

// BANGER_TEST_MINUTES: as many instead of 60.
TEST_CASE("a guest's clock is right after an hour of load", "[vm][user][long][faults]") {
  const auto* wanted = std::getenv("BANGER_TEST_LONG");
  if (wanted == nullptr || std::string_view(wanted) != "1")
    return skip("only with scripts/test --long");
  const auto* given = std::getenv("BANGER_TEST_MINUTES");
  const int minutes = given != nullptr ? std::atoi(given) : 60;
  home h;
  h.good({"vm", "create", "--image", "tiny", "--name", "a"});
  guest_time guest(h, "a");
  auto load = h.start({"vm", "exec", "a", "--", "sh", "-c",
                       "for i in 1 2 3; do (while :; do :; done) & done; "
                       "while :; do dd if=/dev/zero of=/root/f bs=64k count=64 2>/dev/null; done"});
  microseconds worst{};
  for (int minute = 0; minute <= minutes; ++minute) {
    const auto now = guest.measure();
    std::cout << "minute " << minute << ": off by " << now.off.count() << " us, +- "
              << now.uncertain.count() << " us" << std::endl;
    worst = std::max(worst, now.surely());
    if (minute < minutes)
      std::this_thread::sleep_for(std::chrono::minutes(1));
  }
  CHECK(worst < microseconds(100'000));
}
