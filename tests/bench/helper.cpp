// The root helper as a process of its own: what a word to it costs, and what it costs while nobody
// speaks.
#include "messages/helper.hpp"
#include "messages/actor/remote.hpp"
#include "messages/base/version.hpp"
#include "messages/handover/handover.hpp"
#include "messages/transport/transport.hpp"
#include "tests/bench/table.hpp"
#include "tests/bench/timing.hpp"
#include "tests/network/space.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/procfs.hpp"

#include <csignal>
#include <thread>

namespace {

using namespace banger;
using namespace banger::bench;
using namespace std::chrono_literals;

constexpr int rounds = 2000, taps = 30;

double us(test::clock::time_point begun) {
  return std::chrono::duration<double, std::micro>(test::clock::now() - begun).count();
}

struct running_helper {
  std::filesystem::path folder = "/run/bgr-bench-" + std::to_string(::getpid());
  std::unique_ptr<test::child> process;

  explicit running_helper(const std::string& role) {
    process =
        std::make_unique<test::child>(test::program{{test::bin("banger-privhelper"), "--role", role,
                                                     "--owner-uid", "1000", "--socket-dir", folder},
                                                    {}});
    if (!process->until([&] { return process->err().find("serving") != std::string::npos; }, 5s))
      give_up("the helper does not start: " + process->err());
  }
  ~running_helper() {
    process->signal(SIGTERM);
    process->wait(5s);
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  }

  void bench_idle(const std::string& role) const {
    const auto before = test::wake_ups(process->pid());
    std::this_thread::sleep_for(3s);
    print_row(
        "helper, role " + role + ", idle: memory [MiB]", "-",
        text("%.1f", static_cast<double>(test::status_number(process->pid(), "VmRSS")) / 1024), "",
        "<= 12");
    print_row("helper, role " + role + ", idle: wake-ups in 3 s", "-",
              std::to_string(test::wake_ups(process->pid()) - before), "", "0");
  }
};

template <class F>
figures repeat(int times, F&& act) {
  figures all;
  for (int i = 0; i < times; ++i) {
    const auto begun = test::clock::now();
    act(i);
    all.push_back(us(begun) / 1000);
  }
  return all;
}

void bench_words(caf::actor_system& system, const messages::network_helper& helper,
                 const std::filesystem::path& folder) {
  caf::scoped_actor self{system};
  const messages::hello_request hello{protocol_version, "bench", "", 0};
  const auto words = repeat(rounds, [&](int) {
    self->request(helper, 5s, messages::hello_atom::value, hello)
        .receive([](const messages::helper_about&) {},
                 [](const caf::error&) { give_up("the helper does not answer"); });
  });
  print_row("a word to the helper and back [ms]", "-", tail(words), "", "p50 <= 0.4");
  test::need(actor::call<void>(system, helper, 5s, messages::bridge_atom::value,
                               messages::bridge_order{"", "br-fc", "10.88.0.0/24", true}));
  const messages::guest_order guest{"tap-fc-0", "52:54:0a:58:00:02", "10.88.0.2", false};
  test::need(actor::call<messages::policy_reply>(
      system, helper, 5s, messages::policy_atom::value,
      messages::policy_order{"", "br-fc", "10.88.0.0/24", {guest}}));
  std::vector<unique_fd> open;
  const auto made = repeat(taps, [&](int i) {
    const messages::taps_order order{"", "br-fc", {"tap-fc-" + std::to_string(i)}, true};
    const auto reply = test::need(
        actor::call<messages::taps_reply>(system, helper, 5s, messages::taps_atom::value, order));
    for (auto& fd : test::need(handover::fetch(folder / "descriptors.sock", reply.token, 1, 5s)))
      open.push_back(std::move(fd));
  });
  print_row("a tap by the helper, its descriptor in hand [ms]", "-", spread(made), "", "<= 2");
  const auto changed = repeat(taps, [&](int i) {
    messages::guest_change change{"", "br-fc", "10.88.0.0/24", guest, true};
    change.guest.nat = i % 2 == 0;
    test::need(actor::call<messages::policy_reply>(system, helper, 5s, messages::guest_atom::value,
                                                   change));
  });
  print_row("NAT on or off by the helper, others' rules looked at [ms]", "-", spread(changed), "",
            "-");
}

} // namespace

TEST_CASE("bench of the root helper") {
  if (!test::may_make_namespaces())
    return;
  const test::space own;
  const test::space::visit here(own);
  std::printf("\nthe root helper\n");
  print_head();
  running_helper("machine").bench_idle("machine");
  const running_helper network("network");
  caf::actor_system_config config;
  transport::configure(config, transport::role::daemon);
  caf::actor_system system{config};
  transport::prepare(system);
  {
    const auto helper = test::need(transport::connect_to<messages::network_helper>(
        system, network.folder / "network.sock", 5s));
    bench_words(system, helper, network.folder);
    network.bench_idle("network");
  }
}
