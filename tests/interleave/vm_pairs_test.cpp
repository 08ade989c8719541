// Two words to one VM, in every order of messages that up to two delays make of them. The schedule
// without delays is first come, first served; a delay lets the next one go first.
#include "tests/interleave/world.hpp"

#include <algorithm>
#include <iostream>

using namespace banger;
using namespace banger::interleave;

namespace {

/// Beside the verbs, what else may be said to a VM or happen to it.
enum class other { cancel, end, show, exec, force };

struct second_word {
  std::optional<vm::verb> verb;
  other what = other::cancel;

  std::string name() const {
    if (verb)
      return std::string(to_string(*verb));
    constexpr const char* names[] = {"cancel", "end", "show", "exec", "kill --force"};
    return names[static_cast<int>(what)];
  }
};

struct schedule {
  std::size_t second_at = 0; ///< messages after which the second word is said
  std::vector<std::pair<std::size_t, std::size_t>> delays; ///< at this message, by so many

  std::string text() const {
    auto line = "second word at " + std::to_string(second_at);
    for (const auto& [at, by] : delays)
      line += ", delay by " + std::to_string(by) + " at " + std::to_string(at);
    return line;
  }
};

struct seen {
  std::vector<std::size_t> ready; ///< how many could have gone, at each message
  std::vector<std::string> wrong;
};

class run {
public:
  run(theatre& t, vm::verb first, const second_word& second)
      : stage_(t), first_(first), second_(second) {
    auto& s = t.system;
    store_ = s.spawn(ledger_behavior, &w_);
    machine_ = s.spawn(host_behavior, &w_);
    directory_ = s.spawn([this]() -> vm::vm_listener::behavior_type {
      return {[this](const messages::vm_view& v) { hear(v); }, [](const vm::own_operation&) {},
              [](const messages::progress&) {},
              [this](const messages::finished& f) { ++ends_[f.op]; }};
    });
    vm_ = vm::spawn_vm(s, prepared(w_, fit_state(first)), store_, machine_, w_.steps, "/vms",
                       directory_);
    stage_.scheduler.run();
    w_.owner = caf::actor_cast<vm::machine_listener>(vm_);
  }

  ~run() {
    for (const auto& a :
         {caf::actor_cast<caf::actor>(vm_), caf::actor_cast<caf::actor>(machine_),
          caf::actor_cast<caf::actor>(store_), caf::actor_cast<caf::actor>(directory_)})
      caf::anon_send_exit(a, caf::exit_reason::kill);
    stage_.scheduler.run();
  }

  seen perform(const schedule& plan) {
    seen s;
    auto& jobs = stage_.scheduler.jobs;
    order("op-1", first_);
    bool said = false;
    for (std::size_t at = 0; w_.wrong.empty(); ++at) {
      while (stage_.scheduler.prioritize(directory_)) // only listens: its order matters to nobody
        stage_.scheduler.run_once();
      if (!said && (at >= plan.second_at || jobs.empty()))
        said = say_second();
      if (jobs.empty())
        break;
      s.ready.push_back(jobs.size());
      for (const auto& [when, by] : plan.delays)
        if (when == at)
          std::rotate(jobs.begin(), jobs.begin() + static_cast<std::ptrdiff_t>(by),
                      jobs.begin() + static_cast<std::ptrdiff_t>(by) + 1);
      stage_.scheduler.run_once();
      w_.never(at > 2000, "does not come to rest");
    }
    if (w_.wrong.empty())
      look_at_end();
    s.wrong = w_.wrong;
    return s;
  }

private:
  void hear(const messages::vm_view& v) {
    state_ = v.state;
    w_.never(v.state == "deleted" && (w_.process || !w_.runs.empty()),
             "deleted, but something runs");
  }

  void order(const std::string& op, vm::verb what, bool force = false) {
    ++orders_[op];
    vm::order said{op, what, true};
    said.force = force;
    if (what == vm::verb::set)
      said.to.disk_bytes = GiB; // it grows
    caf::anon_send(vm_, vm::order_atom::value, said);
  }

  template <class Answer, class... Words>
  void ask(Words... words) {
    ++asked_;
    stage_.system.spawn([this, words...](caf::event_based_actor* self) {
      const auto answered = [this] { ++answers_; };
      actor::ask(self, vm_, 10s, words...)
          .then([answered](const Answer&) { answered(); }, [answered](caf::error&) { answered(); });
    });
  }

  bool say_second() {
    if (second_.verb)
      order("op-2", *second_.verb);
    else if (second_.what == other::force)
      order("op-2", vm::verb::kill, true);
    else if (second_.what == other::cancel)
      ask<bool>(messages::cancel_atom::value, std::string("op-1"));
    else if (second_.what == other::show)
      ask<messages::vm_detail>(messages::show_atom::value);
    else if (second_.what == other::exec)
      ask<messages::stream_ticket>(messages::exec_atom::value,
                                   messages::exec_request{"otter", {"true"}, {}, {}, false});
    else
      caf::anon_send(machine_, work::thunk{[this] { w_.machine->end(); }});
    return true;
  }

  void look_at_end() {
    const bool gone = state_ == "deleted";
    for (const auto& [op, n] : orders_)
      w_.never(ends_[op] != 1 && !(gone && op == "op-2" && ends_[op] == 0), op, " ended ",
               ends_[op], " times");
    w_.never(asked_ != answers_, "a question was not answered");
    look_at_rest(w_, state_);
  }

  theatre& stage_;
  vm::verb first_;
  second_word second_;
  world w_;
  store::store_actor store_;
  vm::machine_actor machine_;
  vm::vm_listener directory_;
  vm::vm_actor vm_;
  std::map<std::string, int> ends_, orders_;
  int asked_ = 0, answers_ = 0;
  std::string state_;
};

/// All schedules of one pair, one after the other.
class exploration {
public:
  exploration(vm::verb first, second_word second) : first_(first), second_(std::move(second)) {}

  std::size_t messages() const { return messages_; }
  std::size_t all() {
    const auto whole = go(schedule{}, 2);
    for (std::size_t at = 1; at <= whole; ++at)
      go(schedule{at, {}}, 2);
    return runs_;
  }

private:
  /// With these delays and up to `budget` more behind them. The messages of the run without more.
  std::size_t go(const schedule& plan, std::size_t budget) {
    const auto now = perform(plan);
    const auto from = plan.delays.empty() ? 0 : plan.delays.back().first + 1;
    for (auto at = from; at < now.ready.size(); ++at)
      for (std::size_t by = 1; by <= budget && by < now.ready[at]; ++by) {
        auto more = plan;
        more.delays.emplace_back(at, by);
        go(more, budget - by);
      }
    return now.ready.size();
  }

  seen perform(const schedule& plan) {
    if (runs_++ % 500 == 0)
      stage_ = std::make_unique<theatre>();
    auto now = run(*stage_, first_, second_).perform(plan);
    messages_ += now.ready.size();
    if (!now.wrong.empty())
      FAIL(to_string(first_) << " and " << second_.name() << ", " << plan.text() << ": "
                             << now.wrong.front());
    return now;
  }

  vm::verb first_;
  second_word second_;
  std::unique_ptr<theatre> stage_;
  std::size_t runs_ = 0, messages_ = 0;
};

void explore(const std::vector<second_word>& seconds) {
  std::size_t schedules = 0, pairs = 0, messages = 0;
  for (const auto first : vm::all_verbs())
    for (const auto& second : seconds) {
      exploration pair(first, second);
      schedules += pair.all();
      messages += pair.messages();
      ++pairs;
    }
  std::cout << pairs << " pairs, " << schedules << " schedules, " << messages << " messages"
            << std::endl;
}

} // namespace

TEST_CASE("two verbs on one VM: every order of messages up to two delays ends well") {
  std::vector<second_word> seconds;
  for (const auto v : vm::all_verbs())
    if (v != vm::verb::create) // only ever the first word to a VM: the directory has just made it
      seconds.push_back({v});
  explore(seconds);
}

TEST_CASE("a verb and a cancel, an end of its hypervisor, a show, an exec or a forced kill: every "
          "order of messages "
          "up to two delays ends well") {
  std::vector<second_word> seconds;
  for (const auto what : {other::cancel, other::end, other::show, other::exec, other::force})
    seconds.push_back({{}, what});
  explore(seconds);
}
