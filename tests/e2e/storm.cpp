// Two hundred VMs and whatever anybody may say to them, in an order that a seed draws, over a few
// connections at once. Every answer is held against the rules; at the end nothing may be left.
// BANGER_TEST_SEED repeats one.
#include "cli/client.hpp"
#include "cli/exec_stream.hpp"
#include "messages/base/names.hpp"
#include "tests/e2e/crash_scene.hpp"
#include "tests/e2e/storm_model.hpp"
#include "tests/support/procfs.hpp"
#include "tests/vmm/script.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fcntl.h>
#include <iostream>
#include <poll.h>
#include <random>

using namespace banger;
using namespace banger::storm;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t vms = 200, connections = 4, most_outstanding = 12;
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

// Of one length: none is a prefix of another.
std::string name_of(std::size_t vm) { return "s" + std::to_string(1000 + vm); }

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

class weather {
public:
  weather(crash::scene& home, std::uint32_t seed) : home_(home), random_(seed) {
    for (auto& c : clients_) {
      c = std::make_unique<cli::client>();
      const auto ok = c->connect(home.runtime() / "bangerd.sock");
      REQUIRE(ok);
    }
    null_.reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
  }

  void blow(unsigned operations) {
    for (unsigned i = 0; i < operations; ++i) {
      do_something();
      hear();
      while (model_.outstanding() >= most_outstanding)
        wait();
    }
    calm();
    CHECK(agrees());
  }

  void delete_all() {
    for (std::size_t i = 0; i < vms; ++i)
      if (model_.at(i).exists) {
        begin(i, vm::verb::remove);
        while (model_.outstanding() >= most_outstanding)
          wait();
      }
    calm();
    const auto left = some_client().list();
    REQUIRE(left);
    CHECK(left->empty());
  }

  std::map<std::string, unsigned> said; ///< verbs
  std::vector<double> millis;           ///< of each request, to its answer

private:
  std::size_t draw(std::size_t below) { return random_() % below; }
  cli::client& some_client() { return *clients_[draw(connections)]; }

  void do_something() {
    const auto vm = draw(vms);
    const auto dice = draw(100);
    if (dice < 5)
      return cancel();
    if (dice < 10)
      return list();
    if (dice < 18)
      return show(vm);
    if (!model_.at(vm).exists || dice < 20) // a name that is taken, at times
      return create(vm);
    if (dice < 40)
      return begin(vm, vm::verb::start);
    if (dice < 55)
      return begin(vm, vm::verb::stop);
    if (dice < 65)
      return begin(vm, vm::verb::kill);
    if (dice < 80)
      return begin(vm, vm::verb::remove);
    exec(vm);
  }

  template <class Ask>
  auto timed(const std::string& word, Ask ask) {
    ++said[word];
    const auto begun = test::clock::now();
    auto answer = ask();
    millis.push_back(std::chrono::duration<double, std::milli>(test::clock::now() - begun).count());
    return answer;
  }

  void refused(std::size_t vm, vm::verb what, const failure& why) {
    INFO(to_string(what) << " of " << name_of(vm) << ": " << describe(why));
    CHECK(model_.may_refuse(vm, what, why.code));
  }

  void create(std::size_t vm) {
    using scripted::behaviour;
    const bool odd = draw(20) == 0;
    const auto memory = scripted::memory_for(odd ? behaviour::refuses_configure : behaviour::good);
    const auto got = timed("create", [&] {
      return some_client().begin(
          messages::create_request{name_of(vm), "tiny", 1, memory, 64 * MiB, false, false});
    });
    if (!got)
      return refused(vm, vm::verb::create, got.error());
    // Whoever had the name before has gone, though its end is still to be heard.
    while (!model_.at(vm).idle())
      wait();
    CHECK_FALSE(model_.at(vm).exists);
    model_.begun(vm, got->op, vm::verb::create, odd);
  }

  void begin(std::size_t vm, vm::verb what) {
    const auto got = timed(std::string(to_string(what)), [&] {
      return some_client().begin(messages::verb_request{std::string(to_string(what)), name_of(vm)});
    });
    if (!got)
      return refused(vm, what, got.error());
    model_.begun(vm, got->op, what);
  }

  void cancel() {
    const auto running = model_.operations();
    if (running.empty())
      return;
    const auto& op = running[draw(running.size())];
    model_.cancelled(op);
    const auto got = timed("cancel", [&] { return some_client().try_cancel(op); });
    CHECK((got || got.error().code == errc::not_found));
  }

  void list() {
    const auto all = timed("list", [&] { return some_client().list(); });
    CHECK(all);
  }

  void show(std::size_t vm) {
    const auto& m = model_.at(vm);
    const auto got = timed("show", [&] { return some_client().show(name_of(vm)); });
    INFO("show " << name_of(vm) << (got ? ": " + got->view.state : ": " + describe(got.error())));
    if (!m.idle())
      CHECK((got || got.error().code == errc::not_found));
    else if (m.exists)
      CHECK((got && got->view.state == to_string(m.now)));
    else
      CHECK((!got && got.error().code == errc::not_found));
  }

  void exec(std::size_t vm) {
    const auto& m = model_.at(vm);
    const bool sure = m.idle();
    const auto got = timed("exec", [&]() -> expected<cli::outcome> {
      const auto ticket = some_client().exec({name_of(vm), {"true"}, {}, {}, false});
      if (!ticket)
        return tl::unexpected(ticket.error());
      auto connection = cli::open_stream(home_.runtime() / "streams.sock", ticket->token);
      if (!connection)
        return tl::unexpected(connection.error());
      return cli::run_exec_stream(std::move(*connection), {-1, null_.get(), null_.get()});
    });
    INFO("exec in " << name_of(vm) << (got ? "" : ": " + describe(got.error())));
    if (got)
      CHECK(((got->how == cli::ending::exited && got->value == 0) || !sure));
    else if (sure)
      CHECK((m.now != vm::state::running && got.error().code == errc::not_running));
    else // its VM may go at any moment of it
      CHECK((got.error().code == errc::not_running || got.error().code == errc::not_found ||
             got.error().code == errc::operation_failed || got.error().code == errc::disconnected));
  }

  void hear() {
    for (auto& c : clients_)
      while (auto news = c->next()) {
        REQUIRE_FALSE(std::holds_alternative<cli::lost>(*news));
        if (const auto* end = std::get_if<messages::finished>(&*news)) {
          const auto wrong = model_.ended(*end);
          if (!wrong.empty())
            FAIL_CHECK(wrong);
        }
      }
  }

  void wait() {
    std::array<pollfd, connections> ready{};
    for (std::size_t i = 0; i < connections; ++i)
      ready[i] = {clients_[i]->events(), POLLIN, 0};
    REQUIRE(::poll(ready.data(), ready.size(), 60'000) > 0); // else something hangs
    hear();
  }

  void calm() {
    while (model_.outstanding() > 0)
      wait();
  }

  bool agrees() {
    const auto all = some_client().list();
    REQUIRE(all);
    std::map<std::string, std::string> listed, known;
    for (const auto& v : *all)
      listed[v.name] = v.state;
    for (std::size_t i = 0; i < vms; ++i)
      if (model_.at(i).exists)
        known[name_of(i)] = to_string(model_.at(i).now);
    return listed == known;
  }

  crash::scene& home_;
  std::mt19937 random_;
  model model_{vms};
  std::array<std::unique_ptr<cli::client>, connections> clients_;
  unique_fd null_;
};

void tell(weather& w, const holdings& before, const holdings& after, double seconds) {
  std::sort(w.millis.begin(), w.millis.end());
  const auto at = [&](double part) {
    return w.millis[static_cast<std::size_t>(part * static_cast<double>(w.millis.size() - 1))];
  };
  std::cout << w.millis.size() << " requests in " << seconds << " s:";
  for (const auto& [verb, n] : w.said)
    std::cout << ' ' << verb << ' ' << n;
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
  w.millis.clear();
  w.blow(long_run() ? 20'000 : 4'000);
  w.delete_all();
  const auto seconds = std::chrono::duration<double>(test::clock::now() - begun).count();
  CHECK(home.eventually([&] { return holdings(daemon).descriptors <= before.descriptors; }));
  const holdings after(daemon);
  tell(w, before, after, seconds);
  CHECK(after.descriptors == before.descriptors);
  CHECK(after.threads == before.threads);
  CHECK(after.rss_kib <= before.rss_kib + rss_bound_kib);
  CHECK(home.hypervisors().empty());
  CHECK(home.daemon_pid() == daemon);
  home.reconcile({{crash::gone}});
  home.clear();
}
