// Two hundred VMs and whatever anybody may say to them, in an order that a seed draws, over a few
// connections at once. Every answer is held against the rules; at the end nothing may be left.
// BANGER_TEST_SEED repeats one.
#include "tests/e2e/storm_weather.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/procfs.hpp"

#include <algorithm>
#include <cstdlib>
#include <iostream>

using namespace banger;
using namespace banger::storm;
namespace fs = std::filesystem;

namespace {

constexpr std::int64_t rss_bound_kib = 32 * 1024; ///< more than after the first hundred operations

bool long_run() {
  const char* wanted = std::getenv("BANGER_TEST_LONG");
  return wanted != nullptr && std::string_view(wanted) == "1";
}

std::uint32_t seed() {
  const char* given = std::getenv("BANGER_TEST_SEED");
  return given != nullptr ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10))
                          : std::random_device{}();
}

/// What a process holds.
struct holdings {
  std::size_t descriptors = 0;
  std::int64_t rss_kib = 0, threads = 0;

  explicit holdings(pid_t pid)
      : rss_kib(test::status_number(pid, "VmRSS")), threads(test::status_number(pid, "Threads")) {
    std::error_code ignored;
    for ([[maybe_unused]] const auto& fd :
         fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", ignored))
      ++descriptors;
  }
};

void tell(weather& w, const holdings& before, const holdings& after, double seconds) {
  std::sort(w.millis.begin(), w.millis.end());
  const auto at = [&](double part) {
    return w.millis[static_cast<std::size_t>(part * static_cast<double>(w.millis.size() - 1))];
  };
  std::cout << w.millis.size() << " requests in " << seconds << " s:";
  for (const auto& [verb, n] : w.said)
    std::cout << ' ' << verb << ' ' << n;
  std::cout << "; ended with";
  for (const auto& [code, n] : w.heard)
    std::cout << ' ' << code << ' ' << n;
  std::cout << "; answered in " << at(0.5) << " ms p50, " << at(0.99) << " ms p99; RSS "
            << before.rss_kib << " -> " << after.rss_kib << " KiB, descriptors "
            << before.descriptors << " -> " << after.descriptors << ", threads " << before.threads
            << " -> " << after.threads << std::endl;
}

} // namespace

TEST_CASE("two hundred VMs in a storm of verbs do what the rules say and leave nothing",
          "[none][user]") {
  const auto with = seed();
  INFO("BANGER_TEST_SEED=" << with);
  crash::scene home;
  home.good({"vm", "list"});
  const auto daemon = home.daemon_pid();
  weather w(home, with);
  w.blow(100); // so that what is made once is there
  w.delete_all();
  const holdings before(daemon);
  const auto begun = test::clock::now();
  w.said.clear();
  w.heard.clear();
  w.millis.clear();
  w.blow(long_run() ? 20'000 : 4'000);
  w.delete_all();
  const auto seconds = std::chrono::duration<double>(test::clock::now() - begun).count();
  CHECK(home.eventually([&] { return holdings(daemon).descriptors <= before.descriptors; }));
  const holdings after(daemon);
  tell(w, before, after, seconds);
  CHECK(after.threads == before.threads);
  CHECK(after.rss_kib <= before.rss_kib + rss_bound_kib);
  CHECK(home.hypervisors().empty());
  CHECK(home.daemon_pid() == daemon);
  home.reconcile({{crash::gone}});
  home.clear();
}
