// Many boots of a whole Debian on a busy host: how many answered, and after how long.
#include "tests/support/catch.hpp"
#include "tests/support/home.hpp"

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <list>
#include <memory>
#include <sstream>
#include <thread>

using namespace banger::test;

namespace {

constexpr milliseconds boot_bound{600'000};

std::size_t number(const char* variable, std::size_t usual) {
  const char* given = std::getenv(variable);
  return given == nullptr ? usual : static_cast<std::size_t>(std::max(0, std::atoi(given)));
}

std::string end_of(const std::string& text, std::size_t lines) {
  auto at = text.size();
  for (std::size_t n = 0; n <= lines && at != std::string::npos && at > 0; ++n)
    at = text.rfind('\n', at - 1);
  return at == std::string::npos ? text : text.substr(at);
}

// One program for each processor that uses all of it.
class burners {
public:
  explicit burners(home& h) {
    for (unsigned n = 0; n < std::max(1U, std::thread::hardware_concurrency()); ++n)
      all_.emplace_back(program{{"sha256sum", "/dev/zero"}, h.env});
  }

private:
  std::list<child> all_;
};

struct boot {
  std::string name;
  clock::time_point began;
  child create;

  boot(home& h, std::string n)
      : name(std::move(n)), began(clock::now()),
        create(h.command({"vm", "create", "--name", name, "--memory", "512", "--wait", "boot"})) {}
  milliseconds took() const {
    return std::chrono::duration_cast<milliseconds>(clock::now() - began);
  }
};

class count {
public:
  explicit count(home& h) : home_(h) {}

  /// True if it is over, one way or the other.
  bool look(boot& b) {
    if (b.create.running() && b.took() < scaled(boot_bound))
      return false;
    const bool in_time = !b.create.running();
    if (in_time && b.create.wait(short_time) == 0)
      times_.push_back(b.took());
    else
      keep(b, in_time);
    // Beside the others, whose time it would take.
    ends_.emplace_back(home_.command(in_time ? words{"vm", "delete", b.name}
                                             : words{"vm", "kill", b.name, "--force"}));
    ends_.remove_if([](child& c) { return !c.running(); });
    return true;
  }

  std::size_t silent() const { return silent_; }

  void print() {
    for (auto& end : ends_)
      end.wait(boot_time);
    std::sort(times_.begin(), times_.end());
    std::cout << times_.size() << " boots answered, " << silent_ << " did not";
    if (!times_.empty())
      std::cout << "; p50 " << at(50) << ", p90 " << at(90) << ", p99 " << at(99) << ", max "
                << at(100);
    std::cout << '\n' << std::flush;
  }

private:
  std::string at(std::size_t percent) const {
    const auto rank = (times_.size() * percent + 99) / 100;
    std::ostringstream text;
    text << static_cast<double>(times_[std::max<std::size_t>(rank, 1) - 1].count() / 100) / 10
         << " s";
    return text.str();
  }

  // The machine is as it was left, and the next such case is to be read here.
  void keep(boot& b, bool in_time) {
    ++silent_;
    std::cout << "-- " << b.name
              << " did not answer: " << (in_time ? "the create failed" : "still silent")
              << " after " << b.took().count() << " ms\n"
              << b.create.err() << "-- the end of its console\n"
              << end_of(home_.banger({"vm", "logs", b.name}).out, 60) << "-- the daemon's log\n";
    std::deque<std::string> last;
    for (const auto& line : home_.daemon_log()) {
      last.push_back(line.dump());
      if (last.size() > 200)
        last.pop_front();
    }
    for (const auto& line : last)
      std::cout << line << '\n';
    std::cout << std::flush;
  }

  home& home_;
  std::list<child> ends_;
  std::vector<milliseconds> times_;
  std::size_t silent_ = 0;
};

} // namespace

TEST_CASE("two hundred boots under load answer, every one of them",
          "[user][two-vms][debian][faults][long]") {
  if (number("BANGER_TEST_LONG", 0) != 1 && std::getenv("BANGER_TEST_BOOTS") == nullptr)
    return skip("only with scripts/test --long");
  home h(home::images::debian);
  const auto wanted = number("BANGER_TEST_BOOTS", 200);
  const auto at_once = number("BANGER_TEST_BOOTS_AT_ONCE", 4);
  h.good({"vm", "list"}); // the daemon is there
  const burners load(h);
  count c(h);
  std::list<boot> under_way;
  for (std::size_t begun = 0; begun < wanted || !under_way.empty();) {
    if (begun < wanted && under_way.size() < at_once) {
      under_way.emplace_back(h, "boot-" + std::to_string(++begun));
      continue;
    }
    under_way.front().create.run_for(milliseconds(50));
    under_way.remove_if([&](boot& b) { return c.look(b); });
  }
  c.print();
  CHECK(c.silent() == 0);
}
