// Two requests of two clients to a whole house (directory, operations, VM, machine, store), in
// orders that a seed draws: who goes next at each message, when the second one comes, what breaks.
// BANGER_TEST_SEED repeats one seed.
#include "actors/vms/vms.hpp"
#include "tests/interleave/world.hpp"

#include <cstdlib>
#include <iostream>
#include <random>

using namespace banger;
using namespace banger::interleave;
using namespace banger::messages;

namespace {

constexpr unsigned seeds_per_pair = 500;
const std::vector<std::string> words = {"create", "start",        "stop", "restart",
                                        "kill",   "kill --force", "set",  "delete"};

/// What became of one request.
struct request_seen {
  int answers = 0, ends = 0;
  bool begun = false;
  std::string op;
};

struct asker_state : actor::state_base {
  static inline const char* name = "asker";
};

client_actor::behavior_type asker(client_actor::stateful_pointer<asker_state> self,
                                  const vms::vms_actor& vms, const std::string& word,
                                  request_seen* seen) {
  actor::make_sturdy(self);
  const auto begun = [seen](const op_ticket& t) {
    ++seen->answers;
    seen->begun = true;
    seen->op = t.op;
  };
  const auto refused = [seen](caf::error&) { ++seen->answers; };
  if (word == "create")
    actor::ask(self, vms, 1h, begin_atom::value,
               create_request{"otter", "tiny", 1, 256, 64 * MiB, false, false, true})
        .then(begun, refused);
  else if (word == "set")
    actor::ask(self, vms, 1h, begin_atom::value, set_request{"otter", "", 0, 0, GiB})
        .then(begun, refused);
  else
    actor::ask(
        self, vms, 1h, begin_atom::value,
        verb_request{word.substr(0, word.find(' ')), "otter", true, "", word.ends_with("--force")})
        .then(begun, refused);
  return {[](const progress&) {}, [seen](const finished&) { ++seen->ends; }};
}

class house {
public:
  house(std::string first, std::string second, std::uint32_t seed)
      : first_(std::move(first)), second_(std::move(second)), random_(seed) {
    w_.pace = static_cast<unsigned>(1 + draw(3));
    if (draw(3) == 0)
      w_.breaks_at = w_.steps.start[draw(w_.steps.start.size())].name;
  }

  unsigned messages = 0;

  std::vector<std::string> live() {
    auto& jobs = stage_.scheduler.jobs;
    open();
    const auto second_at = draw(120), end_at = draw(500);
    say(first_, &seen_[0]);
    bool said = false;
    for (unsigned at = 0; w_.wrong.empty(); ++at) {
      if (!said && (at >= second_at || jobs.empty()))
        said = say(second_, &seen_[1]);
      if (at == end_at && machine_) // the hypervisor ends by itself
        caf::anon_send(machine_, work::thunk{[this] { w_.machine->end(); }});
      if (jobs.empty())
        break;
      const auto who = static_cast<std::ptrdiff_t>(draw(jobs.size()));
      std::rotate(jobs.begin(), jobs.begin() + who, jobs.begin() + who + 1);
      stage_.scheduler.run_once();
      ++messages;
      w_.never(at > 5000, "does not come to rest");
    }
    if (w_.wrong.empty())
      look_at_end();
    close();
    return w_.wrong;
  }

private:
  std::size_t draw(std::size_t below) { return random_() % below; }

  template <class Handle>
  Handle keep(Handle actor) {
    cast_.push_back(caf::actor_cast<caf::strong_actor_ptr>(actor));
    return actor;
  }

  void open() {
    auto& s = stage_.system;
    operations_ = keep(operations::spawn_operations(s));
    const auto images = keep(
        image::spawn_images(s, {std::make_shared<instant_workshop>(), [](auto task) { task(); },
                                [](auto task) { task(); }, operations_}));
    vms::surroundings around;
    around.make_vm = [this](vm::record r, vm::vm_listener directory, vm::recovery then) {
      const auto store = keep(stage_.system.spawn(ledger_behavior, &w_));
      machine_ = keep(stage_.system.spawn(host_behavior, &w_));
      auto actor = keep(vm::spawn_vm(stage_.system, std::move(r), store, machine_, w_.steps, "/vms",
                                     std::move(directory), then));
      w_.owner = caf::actor_cast<vm::machine_listener>(actor);
      return actor;
    };
    around.offer_log = [](const std::string& id, bool) { return id; };
    around.limits = {4, 8 * GiB};
    around.operations = operations_;
    around.images = caf::actor_cast<image::catalogue_actor>(images);
    std::vector<vms::found_vm> found;
    if (first_ != "create")
      found.push_back({prepared(w_, first_ == "start" || first_ == "set" ? vm::state::stopped
                                                                         : vm::state::running)});
    vms_ = keep(vms::spawn_vms(s, std::move(found), std::move(around)));
    stage_.scheduler.run();
  }

  void close() {
    for (const auto& a : cast_)
      caf::anon_send_exit(a, caf::exit_reason::kill);
    stage_.scheduler.run();
  }

  bool say(const std::string& word, request_seen* seen) {
    keep(stage_.system.spawn(asker, vms_, word, seen));
    return true;
  }

  void look_at_end() {
    for (const auto& s : seen_) {
      w_.never(s.answers != 1, "a request got ", s.answers, " answers");
      w_.never(s.ends != (s.begun ? 1 : 0), s.op, " ended ", s.ends, " times");
    }
    caf::scoped_actor client{stage_.system};
    client->send(vms_, list_atom::value);
    client->send(operations_, list_atom::value);
    stage_.scheduler.run();
    std::string state = "deleted";
    client->receive(
        [&](const std::vector<vm_view>& all) {
          for (const auto& v : all)
            state = v.operation.empty() && v.queued == 0 ? v.state : "busy with " + v.operation;
        },
        caf::after(0s) >> [&] { w_.wrong.emplace_back("no list"); });
    client->receive(
        [&](const std::vector<operation_view>& all) {
          for (const auto& o : all)
            w_.never(o.state == "running", o.op, " still runs");
        },
        caf::after(0s) >> [&] { w_.wrong.emplace_back("no operations"); });
    look_at_rest(w_, state);
  }

  theatre stage_;
  std::string first_, second_;
  std::mt19937 random_;
  world w_;
  std::vector<caf::strong_actor_ptr> cast_;
  operations::operations_actor operations_;
  vms::vms_actor vms_;
  vm::machine_actor machine_;
  request_seen seen_[2];
};

unsigned live(const std::string& first, const std::string& second, std::uint32_t seed) {
  house h(first, second, seed);
  const auto wrong = h.live();
  if (!wrong.empty())
    FAIL(first << " and " << second << ", BANGER_TEST_SEED=" << seed << ": " << wrong.front());
  return h.messages;
}

} // namespace

TEST_CASE("two requests to one VM of a whole house: 500 random orders of messages for each pair "
          "end well") {
  const auto* given = std::getenv("BANGER_TEST_SEED");
  unsigned runs = 0, messages = 0;
  for (const auto& first : words)
    for (const auto& second : words) {
      if (given != nullptr) {
        live(first, second, static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10)));
        continue;
      }
      for (std::uint32_t seed = 0; seed < seeds_per_pair; ++seed, ++runs)
        messages += live(first, second, seed);
    }
  std::cout << runs << " runs, " << messages << " messages" << std::endl;
}
