// A database whose last bytes never reached the disk: what is read is what was committed by then.
#include "actors/store/database.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/storage_scratch.hpp"

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <random>
#include <set>

using namespace banger;
namespace fs = std::filesystem;

namespace {

constexpr std::uintmax_t wal_header = 32, frame = 24 + 4096;

struct place : test::scratch {
  fs::path file() const { return *this / "state.db"; }
  fs::path wal() const { return *this / "state.db-wal"; }
};

void spill(const fs::path& file, std::string_view bytes) {
  std::ofstream(file, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

vm::record some_vm(unsigned number) {
  auto digits = std::to_string(number);
  return {*vm_id::parse(std::string(12 - digits.size(), '0') + digits),
          *vm_name::parse("vm-" + digits),
          {*image_name::parse("tiny"), 1, 256, GiB, false, false},
          vm::state::created,
          {},
          {},
          number,
          std::string(32, 'a')};
}

std::string line(const vm::record& r) {
  return r.id.str() + " " + std::string(to_string(r.now)) + " " + vm::runtime_to_json(r);
}
std::string line(const store::intent& i) { return i.op + " " + i.vm + " " + i.verb + " " + i.step; }

/// What was committed, as text: a line for each row.
struct model {
  std::map<std::string, std::string> vms, journal;

  std::string text() const {
    std::string all;
    for (const auto* table : {&vms, &journal})
      for (const auto& [key, row] : *table)
        all += row + "\n";
    return all;
  }
};

std::string text_of(store::database& db) {
  const auto all = db.load();
  REQUIRE(all);
  CHECK(all->quarantined.empty());
  model m;
  for (const auto& r : all->vms)
    m.vms[r.id.str()] = line(r);
  for (const auto& i : all->unfinished)
    m.journal[i.op] = line(i);
  return m.text();
}

/// A day of a store: creates, steps, ends and deletions, drawn from a seed. After each commit the
/// size of the log and what is in the tables by then.
class day {
public:
  explicit day(std::uint32_t seed) : random_(seed) {
    auto opened = store::database::open(here_.file());
    REQUIRE(opened);
    commits_[0] = ""; // without a log there is nothing
    note();
    for (unsigned i = 0; i < 80; ++i) {
      one_commit(*opened, i);
      note();
    }
    // As a crash leaves them: nothing is written back.
    main_ = test::slurp(here_.file());
    wal_ = test::slurp(here_.wal());
    REQUIRE((wal_.size() - wal_header) % frame == 0);
    REQUIRE(commits_.rbegin()->first == wal_.size());
  }

  const std::string& wal() const { return wal_; }
  std::size_t commits() const { return commits_.size(); }
  const std::string& committed_by(std::uintmax_t size) const {
    return std::prev(commits_.upper_bound(size))->second;
  }
  std::set<std::string> all_states() const {
    std::set<std::string> texts;
    for (const auto& [size, text] : commits_)
      texts.insert(text);
    return texts;
  }

  /// What a daemon reads that finds this log.
  std::string read_with(std::string_view log) const {
    const place there;
    spill(there.file(), main_);
    spill(there.wal(), log);
    auto db = store::database::open(there.file());
    INFO((db ? "" : describe(db.error())));
    REQUIRE(db);
    return text_of(*db);
  }

private:
  void note() { commits_[fs::file_size(here_.wal())] = model_.text(); }

  void one_commit(store::database& db, unsigned i) {
    auto r = some_vm(static_cast<unsigned>(random_() % 12));
    const auto id = r.id.str();
    r.now = static_cast<vm::state>(random_() % 4);
    r.last_error = std::string(random_() % 9000, 'e'); // over several pages, at times
    const store::intent next{"op-" + std::to_string(i % 7), id, "start",
                             "step-" + std::to_string(i)};
    switch (random_() % 5) {
    case 0: REQUIRE(db.save(r)); break;
    case 1:
      if (const auto old = model_.journal.find(next.op); old == model_.journal.end()) {
        REQUIRE(db.intend(next));
        model_.journal[next.op] = line(next);
      } else {
        REQUIRE(db.intend(next)); // only the step of an operation changes
        old->second = old->second.substr(0, old->second.rfind(' ') + 1) + next.step;
      }
      return;
    case 2:
    case 3:
      REQUIRE(db.settle(r));
      forget_journal_of(id);
      break;
    default:
      REQUIRE(db.erase(id));
      forget_journal_of(id);
      model_.vms.erase(id);
      return;
    }
    model_.vms[id] = line(r);
  }

  void forget_journal_of(const std::string& id) {
    std::erase_if(model_.journal, [&](const auto& row) {
      return row.second.find(" " + id + " ") != std::string::npos;
    });
  }

  place here_;
  std::mt19937 random_;
  model model_;
  std::map<std::uintmax_t, std::string> commits_; ///< by the size of the log
  std::string main_, wal_;
};

std::uint32_t seed() {
  const char* given = std::getenv("BANGER_TEST_SEED");
  return given != nullptr ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10))
                          : std::random_device{}();
}

} // namespace

TEST_CASE("a log that is cut anywhere gives what was committed by there, and nothing of the rest") {
  const auto with = seed();
  INFO("BANGER_TEST_SEED=" << with);
  const day d(with);
  std::set<std::uintmax_t> cuts;
  for (std::uintmax_t end = wal_header; end <= d.wal().size(); end += frame)
    for (const auto cut : {end - 1, end, end + 1})
      cuts.insert(std::min<std::uintmax_t>(cut, d.wal().size()));
  const auto boundaries = cuts.size();
  std::mt19937 random(with);
  for (int i = 0; i < 500; ++i)
    cuts.insert(random() % (d.wal().size() + 1));
  for (const auto cut : cuts) {
    INFO("cut to " << cut << " of " << d.wal().size());
    REQUIRE(d.read_with(std::string_view(d.wal()).substr(0, cut)) == d.committed_by(cut));
  }
  std::cout << d.commits() << " commits, cut at " << cuts.size() << " places, " << boundaries
            << " of them around frames" << std::endl;
}

TEST_CASE("a log with a damaged byte gives some state that was committed, never a mixture") {
  const auto with = seed();
  INFO("BANGER_TEST_SEED=" << with);
  const day d(with);
  const auto known = d.all_states();
  std::mt19937 random(with);
  for (int i = 0; i < 200; ++i) {
    auto log = d.wal();
    const auto at = random() % log.size();
    log[at] = static_cast<char>(log[at] ^ (1 << (random() % 8)));
    INFO("byte " << at);
    REQUIRE(known.count(d.read_with(log)) == 1);
  }
}

TEST_CASE("rows keep their order and their content when the clock jumps by a day, either way") {
  const place p;
  auto db = store::database::open(p.file());
  REQUIRE(db);
  constexpr std::uint64_t now = 1'700'000'000'000, day_ms = 86'400'000;
  const std::vector<std::uint64_t> times = {now, now + day_ms, now - day_ms, 0, now};
  for (unsigned i = 0; i < times.size(); ++i) {
    auto r = some_vm(i);
    r.created_ms = times[i];
    REQUIRE(db->save(r));
  }
  const auto all = db->load();
  REQUIRE(all);
  REQUIRE(all->vms.size() == times.size());
  std::vector<std::string> order;
  for (const auto& r : all->vms)
    order.push_back(r.name.str());
  CHECK(order == std::vector<std::string>{"vm-3", "vm-2", "vm-0", "vm-4", "vm-1"});
}
