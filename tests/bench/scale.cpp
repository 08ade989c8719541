#include "tests/bench/scale.hpp"

#include "cli/client.hpp"
#include "messages/base/names.hpp"
#include "messages/base/unique_fd.hpp"
#include "tests/bench/table.hpp"
#include "tests/bench/timing.hpp"
#include "tests/support/procfs.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace banger::bench {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::size_t many = 200, most = 1000, at_once = 8, samples = 40, requests = 1000;
constexpr int rounds = 15;

double ms_since(clock::time_point then) {
  return std::chrono::duration<double, std::milli>(clock::now() - then).count();
}

/// A connection that says many things before it waits.
class talker {
public:
  explicit talker(const test::home& h) {
    if (auto ok = client_.connect(h.runtime() / "bangerd.sock"); !ok)
      give_up(describe(ok.error()));
  }

  cli::client& client() { return client_; }

  void create(std::size_t number) {
    messages::create_request request;
    request.name = name(number);
    request.image = "tiny";
    request.vcpu = 1;
    request.memory_mib = 256;
    request.disk_bytes = 64 * MiB;
    begun(client_.begin(request));
  }
  void verb(const std::string& what, std::size_t number) {
    begun(client_.begin(messages::verb_request{what, name(number)}));
  }
  /// Until at most so many are under way. What they took of ours is kept.
  void settle(std::size_t left) {
    while (outstanding_ > left) {
      if (const auto event = client_.next())
        hear(*event);
      else
        wait();
    }
  }
  void step() {
    while (const auto event = client_.next())
      hear(*event);
  }
  std::size_t outstanding() const { return outstanding_; }

  figures ours_ms; ///< of each operation that has ended

private:
  static std::string name(std::size_t number) { return "v" + std::to_string(10'000 + number); }

  void begun(const expected<messages::op_ticket>& ticket) {
    if (!ticket)
      give_up(describe(ticket.error()));
    ++outstanding_;
  }
  void wait() {
    pollfd ready{client_.events(), POLLIN, 0};
    ::poll(&ready, 1, 1000);
  }
  void hear(const cli::event& event) {
    const auto* end = std::get_if<messages::finished>(&event);
    if (const auto* lost = std::get_if<cli::lost>(&event))
      give_up(describe(lost->why));
    if (end == nullptr)
      return;
    if (end->error.code != 0)
      give_up(end->error.what + ": " + end->error.why);
    --outstanding_;
    double sum = 0;
    for (const auto& stage : end->stages)
      if (stage.ours)
        sum += static_cast<double>(stage.micros) / 1000;
    ours_ms.push_back(sum);
  }

  cli::client client_;
  std::size_t outstanding_ = 0;
};

struct scripted_home : test::home {
  scripted_home() : home(images::none) {
    must(*this, {"vm", "run", "--rm", "--image", "tiny", "--", "true"});
    must(*this, {"daemon", "stop"});
    env["BANGER_QEMU"] = test::bin("scripted-vmm");
    must(*this, {"vm", "list"});
  }
};

void bench_creates(talker& t) {
  const auto begun = clock::now();
  for (std::size_t i = 0; i < many; ++i) {
    t.create(i);
    t.settle(at_once - 1);
  }
  t.settle(0);
  const auto rate = static_cast<double>(many) / ms_since(begun) * 1000;
  print_row("creates, 8 at once [1/s]", "-", text("%.0f", rate), "", ">= 150");
}

/// One after the other, beside VMs that are there: a create and a delete each.
figures alone(talker& t, std::size_t first) {
  figures took;
  t.ours_ms.clear();
  for (std::size_t i = 0; i < samples; ++i) {
    const auto begun = clock::now();
    t.create(first + i);
    t.settle(0);
    t.verb("delete", first + i);
    t.settle(0);
    took.push_back(ms_since(begun));
  }
  return took;
}

/// What the file system of the VMs takes to bring a page to the disk, as the log of the database
/// does.
class page_to_disk {
public:
  explicit page_to_disk(const std::filesystem::path& folder)
      : file_(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) {
    if (!file_)
      give_up("no file can be made in " + folder.string());
  }
  double operator()() {
    const std::string page(4096, 'x');
    const auto begun = clock::now();
    if (::pwrite(file_.get(), page.data(), page.size(), at_) < 0 || ::fdatasync(file_.get()) != 0)
      give_up("a page does not come to the disk");
    at_ += static_cast<off_t>(page.size());
    return ms_since(begun);
  }

private:
  unique_fd file_;
  off_t at_ = 0;
};

void print_disk_row(const std::string& verb, const pairs& took) {
  print_row(verb + ", over an fdatasync of its file system [ms]", spread(took.floor),
            spread(took.ours), text("%+.1f", took.over()), "");
}

void bench_curve(talker& t) {
  std::size_t there = 0;
  for (const auto size : {std::size_t{10}, std::size_t{100}, most}) {
    for (; there < size; ++there) {
      t.create(20'000 + there);
      t.settle(at_once - 1);
    }
    t.settle(0);
    const auto took = alone(t, 40'000);
    print_row("create and delete one, " + std::to_string(size) + " VMs beside it [ms]", "-",
              spread(took), "", "flat");
  }
  for (std::size_t i = 0; i < most; ++i) {
    t.verb("kill", 20'000 + i);
    t.settle(at_once - 1);
  }
  t.settle(0);
  for (std::size_t i = 0; i < most; ++i) {
    t.verb("delete", 20'000 + i);
    t.settle(at_once - 1);
  }
  t.settle(0);
}

/// Makes and deletes VMs, so many at once, as fast as it can.
class storm {
public:
  explicit storm(talker& t) : talker_(t) {}

  void keep_up() {
    talker_.step();
    while (talker_.outstanding() < at_once) {
      if (next_ - end_ < at_once)
        talker_.create(next_++);
      else
        talker_.verb("delete", end_++);
    }
  }
  void calm() {
    talker_.settle(0);
    for (; end_ < next_; ++end_)
      talker_.verb("delete", end_);
    talker_.settle(0);
  }

private:
  talker& talker_;
  std::size_t next_ = 50'000, end_ = 50'000;
};

void bench_storm(test::home& h, talker& busy, talker& calm) {
  storm wind(busy);
  figures took;
  while (took.size() < requests) {
    wind.keep_up();
    const auto begun = clock::now();
    if (const auto shown = calm.client().show("v10000"); !shown)
      give_up(describe(shown.error()));
    took.push_back(ms_since(begun));
  }
  print_row("a request in a storm [ms]", "-", tail(took), "", "p99 <= 5");
  pairs whole;
  const auto list = h.command({"vm", "list"});
  const test::program floor{{test::bin("banger_floor")}, h.env};
  for (int i = 0; i < 3 * rounds; ++i) {
    wind.keep_up();
    whole.floor.push_back(time_of(floor));
    wind.keep_up();
    whole.ours.push_back(time_of(list));
  }
  wind.calm();
  print_row("vm list in a storm, over a program of its libraries [ms]", spread(whole.floor),
            spread(whole.ours), text("x %.1f", median(whole.ours) / median(whole.floor)), "<= x 2");
}

void bench_lists(test::home& none, test::home& full) {
  pairs list;
  const auto floor = none.command({"vm", "list"}), ours = full.command({"vm", "list"});
  for (int i = 0; i < 2 * rounds; ++i) {
    list.floor.push_back(time_of(floor));
    list.ours.push_back(time_of(ours));
  }
  print_row("vm list, 200 VMs over none [ms]", spread(list.floor), spread(list.ours),
            text("%+.1f", list.over()), "<= +2");
}

void bench_starts(test::home& h) {
  pairs start;
  const auto list = h.command({"vm", "list"});
  for (int i = 0; i < rounds; ++i) {
    start.floor.push_back(time_of(list));
    must(h, {"daemon", "stop"});
    start.ours.push_back(time_of(list));
  }
  print_row("daemon start to an answer, 200 VMs [ms]", spread(start.floor), spread(start.ours),
            text("%+.1f", start.over()), "<= +150");
}

} // namespace

// What is acknowledged is on the disk: a create syncs a new VM's files and the database, a delete
// the database twice and the folder of VMs.
void bench_durability() {
  scripted_home h;
  {
    talker t(h);
    page_to_disk sync(h.state());
    pairs create, remove;
    for (std::size_t i = 0; i < samples; ++i) {
      for (auto* verb : {&create, &remove}) {
        verb->floor.push_back(sync());
        const auto begun = clock::now();
        if (verb == &create)
          t.create(i);
        else
          t.verb("delete", i);
        t.settle(0);
        verb->ours.push_back(ms_since(begun));
      }
    }
    print_disk_row("create", create);
    print_disk_row("delete", remove);
    bench_creates(t);
  }
  h.close();
}

void bench_scale() {
  scripted_home none, h;
  const auto rss = [&] {
    return static_cast<double>(test::status_number(h.daemon_pid(), "VmRSS"));
  };
  {
    talker t(h);
    figures took = alone(t, 0);
    print_row("our own share of a create and of a delete [ms]", "-", spread(t.ours_ms), "", "<= 6");
    const auto before = rss();
    bench_creates(t);
    print_row("RSS for each of 200 VMs [KiB]", "-",
              text("%.1f", (rss() - before) / static_cast<double>(many)), "", "<= 64");
    talker calm(h);
    bench_storm(h, t, calm);
  }
  bench_lists(none, h);
  bench_starts(h);
  {
    talker t(none);
    bench_curve(t);
  }
  none.close();
  h.close();
}

} // namespace banger::bench
