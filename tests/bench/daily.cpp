#include "tests/bench/daily.hpp"

#include "tests/bench/bare.hpp"
#include "tests/bench/table.hpp"
#include "tests/bench/timing.hpp"

namespace banger::bench {

namespace {

constexpr int cold_rounds = 9, boot_rounds = 5, restarts = 15, many_vms = 20;

} // namespace

void bench_default_image(test::home& h) {
  pairs cold;
  const auto run = [&](const char* image) {
    return h.command({"vm", "run", "--rm", "--image", image, "--memory", "1G", "--", "true"});
  };
  for (int i = 0; i < cold_rounds; ++i) {
    cold.floor.push_back(time_of(run("tiny")));
    cold.ours.push_back(time_of(run("debian-bookworm")));
  }
  print_row("cold run of the default image over tiny [ms]", spread(cold.floor), spread(cold.ours),
            text("%+.1f", cold.over()), "<= +500");
}

void bench_boot(test::home& h) {
  auto harness = bare::make(h.state(), h.cache(), test::bin("banger-init"), h.top() / "bare-debian",
                            "debian-bookworm", 1024);
  if (!harness)
    give_up(describe(harness.error()));
  pairs boot;
  const auto run =
      h.command({"vm", "run", "--rm", "--memory", "1G", "--wait", "boot", "--", "true"});
  for (int i = 0; i < boot_rounds; ++i) {
    const auto least = harness->run(true);
    if (!least)
      give_up("bare harness: " + describe(least.error()));
    boot.floor.push_back(least->off_ms);
    boot.ours.push_back(time_of(run));
  }
  print_row("cold run --wait boot over QEMU and systemd [ms]", spread(boot.floor),
            spread(boot.ours), text("%+.1f", boot.over()), "<= +300");
}

// A `vm list` that starts the daemon, beside one that finds it.
void bench_daemon_start() {
  test::home h(test::home::images::none);
  must(h, {"vm", "run", "--rm", "--image", "tiny", "--", "true"});
  must(h, {"daemon", "stop"});
  h.env["BANGER_QEMU"] = test::bin("scripted-vmm");
  for (int i = 0; i < many_vms; ++i)
    must(h, {"vm", "create", "--image", "tiny", "--name", "v" + std::to_string(i)});
  pairs start;
  const auto list = h.command({"vm", "list"});
  for (int i = 0; i < restarts; ++i) {
    start.floor.push_back(time_of(list));
    must(h, {"daemon", "stop"});
    start.ours.push_back(time_of(list));
  }
  print_row("daemon start to an answer, 20 VMs running [ms]", spread(start.floor),
            spread(start.ours), text("%+.1f", start.over()), "<= +100");
}

} // namespace banger::bench
