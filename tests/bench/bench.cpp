// Measures and prints; judges nothing. Floors and figures come from the same run, in turn, so that
// a busy machine is busy for both.
#include "tests/bench/bare.hpp"
#include "tests/bench/daily.hpp"
#include "tests/bench/images.hpp"
#include "tests/bench/scale.hpp"
#include "tests/bench/table.hpp"
#include "tests/bench/timing.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/home.hpp"
#include "tests/support/procfs.hpp"
#include "tests/support/pty.hpp"

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <unistd.h>

namespace {

using namespace banger;
using namespace banger::bench;
using test::json;
using test::words;

constexpr int rounds = 15;
constexpr std::uint64_t MB = 1'000'000;

double sum_of_our_stages(const json& shown) {
  double sum = 0;
  for (const auto& stage : shown.at("last_start"))
    if (stage.at("ours").get<bool>())
      sum += stage.at("micros").get<double>() / 1000;
  return sum;
}

void bench_cold_run(test::home& h) {
  auto harness = bare::make(h.state(), h.cache(), test::bin("banger-init"), h.top() / "bare");
  if (!harness)
    give_up(describe(harness.error()));
  pairs cold;
  const auto run = h.command({"vm", "run", "--rm", "--image", "tiny", "--", "true"});
  for (int i = 0; i < rounds; ++i) {
    const auto least = harness->run();
    if (!least)
      give_up("bare harness: " + describe(least.error()));
    cold.floor.push_back(least->off_ms);
    cold.ours.push_back(time_of(run));
  }
  print_row("cold vm run --rm --image tiny -- true [ms]", spread(cold.floor), spread(cold.ours),
            text("%+.1f", cold.over()), "<= +80");
}

void bench_our_steps(test::home& h) {
  figures steps;
  for (int i = 0; i < 3; ++i) {
    must(h, {"vm", "create", "--image", "tiny", "--name", "steps"});
    steps.push_back(sum_of_our_stages(h.show("steps")));
    must(h, {"vm", "delete", "steps"});
  }
  print_row("our own steps of a start, as --timing [ms]", "-", spread(steps), "", "<= 40");
}

void bench_commands(test::home& h) {
  pairs list, exec;
  const test::program floor{{test::bin("banger_floor")}, h.env};
  const auto vm_list = h.command({"vm", "list"});
  const auto vm_exec = h.command({"vm", "exec", "warm", "--", "true"});
  for (int i = 0; i < 2 * rounds; ++i) {
    list.floor.push_back(time_of(floor));
    list.ours.push_back(time_of(vm_list));
    exec.ours.push_back(time_of(vm_exec));
  }
  exec.floor = list.ours;
  print_row("vm list over loading the libraries [ms]", spread(list.floor), spread(list.ours),
            text("%+.1f", list.over()), "<= +3");
  print_row("warm vm exec -- true over vm list [ms]", spread(exec.floor), spread(exec.ours),
            text("%+.1f", exec.over()), "<= +15");
}

// MB/s of 100 MB through a stream of `vm exec`, and through a pipe between two processes of the
// host.
double rate(const test::program& p, bool into) {
  auto with_pipe = p;
  with_pipe.in = into ? test::input::pipe : test::input::empty;
  const std::string block(256 * 1024, 'x');
  std::uint64_t left = 100 * MB, got = 0;
  const auto begun = test::clock::now();
  test::child c(with_pipe);
  if (into)
    c.feed([&] {
      const auto size = std::min<std::uint64_t>(left, block.size());
      left -= size;
      return block.substr(0, size);
    });
  c.drain([&](std::string_view bytes) { got += bytes.size(); });
  if (const int status = c.wait(test::boot_time); status != 0)
    give_up("a stream ended with " + std::to_string(status) + ": " + c.err());
  const auto seconds = std::chrono::duration<double>(test::clock::now() - begun).count();
  if (!into && got != 100 * MB)
    give_up("a stream gave " + std::to_string(got) + " bytes");
  return 100 / seconds;
}

void bench_streams(test::home& h) {
  const words swallow{"sh", "-c", "cat > /dev/null"};
  const words give{"dd", "if=/dev/zero", "bs=1000000", "count=100", "status=none"};
  const words guest_give{"sh", "-c", "dd if=/dev/zero bs=1000000 count=100 2>/dev/null"};
  const auto in_guest = [&](const words& command) {
    words all{"vm", "exec", "warm", "--"};
    all.insert(all.end(), command.begin(), command.end());
    return h.command(all);
  };
  pairs in, out;
  for (int i = 0; i < rounds; ++i) {
    in.floor.push_back(rate({swallow, h.env}, true));
    in.ours.push_back(rate(in_guest(swallow), true));
    out.floor.push_back(rate({give, h.env}, false));
    out.ours.push_back(rate(in_guest(guest_give), false));
  }
  print_row("exec stdin (floor: a pipe on the host) [MB/s]", spread(in.floor), spread(in.ours), "",
            ">= 100");
  print_row("exec stdout (floor: a pipe on the host) [MB/s]", spread(out.floor), spread(out.ours),
            "", ">= 100");
}

// Milliseconds from a key to its echo.
void add_echo(test::at_terminal& t, figures& to, std::size_t nth) {
  // `cat` gives every line back; what is still to come of it is not the next key's echo.
  const bool newline = nth % 60 == 59;
  const auto begun = test::clock::now();
  t.type(newline ? "\r" : "k");
  if (!t.sees(newline ? "\n" : "k"))
    give_up("a key has no echo");
  to.push_back(std::chrono::duration<double, std::milli>(test::clock::now() - begun).count());
  if (newline && !t.sees("\n"))
    give_up("a line does not come back");
  t.look_for(test::milliseconds(10));
}

// Here the terminal's driver echoes, there the guest's.
void bench_keys(test::home& h) {
  constexpr std::size_t keys = 600;
  auto exec = h.command({"vm", "exec", "-t", "warm", "--", "cat"});
  exec.env["TERM"] = "xterm";
  test::at_terminal here({{"cat"}, h.env}), there(exec);
  if (!there.eventually_cooked(false, test::boot_time))
    give_up("no terminal session: " + there.shown());
  pairs echo;
  for (std::size_t i = 0; i < keys; ++i) {
    add_echo(here, echo.floor, i);
    add_echo(there, echo.ours, i);
  }
  print_row("keystroke echo (floor: a terminal here) [ms]", tail(echo.floor), tail(echo.ours),
            text("%+.2f", echo.over()), "p99 <= 10");
}

void bench_memory(test::home& h) {
  const auto vmm = h.show("warm").at("pid").get<pid_t>();
  const double guest_mib = static_cast<double>(test::status_number(vmm, "VmRSS")) / 1024;
  must(h, {"vm", "delete", "warm"});
  must(h, {"daemon", "stop"});
  must(h, {"vm", "list"});
  const auto daemon = h.daemon_pid();
  // The deadlines of what the last client asked for have passed by then.
  ::sleep(12);
  const auto before = test::wake_ups(daemon);
  ::sleep(5);
  const auto woken = test::wake_ups(daemon) - before;
  print_row("QEMU RSS, 256 MiB tiny guest [MiB]", "256.0 + its own", text("%.1f", guest_mib), "",
            "<= 260");
  print_row("idle daemon RSS [MiB]", "-",
            text("%.1f", static_cast<double>(test::status_number(daemon, "VmRSS")) / 1024), "",
            "<= 16");
  print_row("idle daemon wake-ups in 5 s", "0", std::to_string(woken), "", "0");
}

// Nothing, "only" or anything else.
std::string_view images_wanted() {
  const char* told = std::getenv("BANGER_BENCH_IMAGES");
  return told == nullptr ? "" : told;
}

void bench_all() {
  test::home h(test::home::images::none);
  if (images_wanted() == "only") {
    print_head();
    bench_images(h);
    return h.close();
  }
  must(h, {"vm", "run", "--rm", "--image", "tiny", "--", "true"});
  std::printf("medians of %d pairs, first to ninth decile in parentheses\n\n", rounds);
  print_head();
  bench_cold_run(h);
  bench_our_steps(h);
  must(h, {"image", "build"});
  bench_default_image(h);
  bench_boot(h);
  bench_daemon_start();
  must(h, {"vm", "create", "--image", "tiny", "--name", "warm", "--memory", "256"});
  must(h, {"vm", "exec", "warm", "--", "true"});
  bench_commands(h);
  bench_keys(h);
  bench_streams(h);
  bench_memory(h);
  if (!images_wanted().empty())
    bench_images(h);
  h.close();
}

} // namespace

// Test cases by their form only: they fail when something could not be measured.
TEST_CASE("bench") { bench_all(); }

TEST_CASE("bench of what is durable") {
  print_head();
  bench_durability();
}

TEST_CASE("bench of many VMs") {
  print_head();
  bench_scale();
}
