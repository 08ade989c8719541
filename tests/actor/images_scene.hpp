// A stage for the images actor: builds that wait for the test, clients and VMs that listen.
#pragma once

#include "actors/image/images.hpp"
#include "tests/actor/stage.hpp"

#include <deque>

namespace banger::test {

using namespace banger::messages;

struct double_state : actor::state_base {
  static inline const char* name = "double";
};

// Remembers what it was told to make; the test says when and how that ends.
class slow_workshop : public instant_workshop {
public:
  expected<boot::boot_set> kernel(const storage::progress_fn& tell,
                                  const std::stop_token& stop) override {
    done.emplace_back("kernel");
    return instant_workshop::kernel(tell, stop);
  }
  expected<image::image_info> ensure(const image_name& name, const storage::progress_fn& tell,
                                     const std::stop_token& stop) override {
    done.push_back("ensure " + name.str());
    tell("packages", "retrieving");
    if (stop.stop_requested())
      return fail(errc::cancelled, "stopped");
    if (broken)
      return fail(errc::unavailable, "no packages");
    return instant_workshop::ensure(name, tell, stop);
  }
  expected<image::image_info> build(const image::recipe& what, const storage::progress_fn& tell,
                                    const std::stop_token& stop) override {
    auto made = ensure(*image_name::parse(what.name), tell, stop);
    if (made)
      shelf[what.name] = what;
    return made;
  }
  expected<image::recipe> look(const image_name& name) override {
    if (const auto at = shelf.find(name.str()); at != shelf.end())
      return at->second;
    return fail(errc::not_found, "no such image");
  }
  expected<std::optional<image::image_info>> find(const image_name& name) override {
    if (shelf.count(name.str()) == 0)
      return std::optional<image::image_info>{};
    return instant_workshop::ensure(name, {}, {}).map([](image::image_info i) {
      return std::optional(std::move(i));
    });
  }
  expected<std::optional<boot::boot_set>> find_kernel() override {
    if (!kernel_at_hand)
      return std::optional<boot::boot_set>{};
    return instant_workshop::kernel({}, {}).map(
        [](boot::boot_set k) { return std::optional(std::move(k)); });
  }
  std::vector<image::shelved> list() override {
    std::vector<image::shelved> all;
    for (const auto& [name, what] : shelf)
      all.push_back({name, "2026-01-01T00:00:00Z", 1, 1, what.kind, what.include});
    return all;
  }
  void prune(const image_name& name) override { done.push_back("prune " + name.str()); }
  expected<void> remove(const image_name& name) override {
    done.push_back("remove " + name.str());
    if (shelf.erase(name.str()) == 0)
      return fail(errc::not_found, "no such image");
    return {};
  }

  std::vector<std::string> done;
  std::map<std::string, image::recipe> shelf;
  bool broken = false, kernel_at_hand = false;
};

struct ears {
  std::vector<progress> news;
  std::vector<finished> ends;
  std::vector<std::string> notes;
};

inline client_actor::behavior_type client_of(client_actor::stateful_pointer<double_state> self,
                                             ears* all) {
  actor::make_sturdy(self);
  return {[all](const progress& p) { all->news.push_back(p); },
          [all](const finished& f) { all->ends.push_back(f); }};
}

inline image::note_listener::behavior_type
listener_of(image::note_listener::stateful_pointer<double_state>, ears* all) {
  return {[all](const image::note& n) { all->notes.push_back(n.stage); }};
}

struct shelf_house : stage {
  std::shared_ptr<slow_workshop> shop = std::make_shared<slow_workshop>();
  std::deque<work::pool::task> builds; ///< that were begun, and wait for the test
  std::deque<work::pool::task> looks;  ///< the same, of quick work, while it is held
  bool held = false;
  ears anna, bert;
  image::images_actor images = keep(image::spawn_images(
      system, {shop,
               [this](auto task) {
                 if (!held)
                   return task();
                 looks.push_back(std::move(task));
               },
               [this](auto task) { builds.push_back(std::move(task)); }, operations}));
  client_actor client_a = keep(system.spawn(client_of, &anna));
  client_actor client_b = keep(system.spawn(client_of, &bert));
  image::note_listener vm_a = keep(system.spawn(listener_of, &anna));
  image::note_listener vm_b = keep(system.spawn(listener_of, &bert));
  std::vector<vm_view> vms;

  shelf_house() {
    scheduler.run();
    builds.clear(); // the tidying at the start
  }

  /// Carries out what waits, the oldest first.
  void work(std::size_t how_many = 100) {
    for (; how_many > 0 && !builds.empty(); --how_many) {
      auto task = std::move(builds.front());
      builds.pop_front();
      task();
      scheduler.run();
    }
  }
  void look() {
    held = false;
    for (; !looks.empty(); looks.pop_front())
      looks.front()();
    scheduler.run();
  }
  void begin(const client_actor& who, const image_request& what) {
    caf::send_as(caf::actor_cast<caf::actor>(who), images, begin_atom::value, what);
    scheduler.run();
  }
  void want(const image::note_listener& who, const std::string& name) {
    client->send(images, image::ensure_atom::value, name, who);
    scheduler.run();
  }
  errc answer() {
    auto code = errc::timed_out;
    client->receive([&](const image::image_set_ptr&) { code = errc::none; },
                    [&](const caf::error& e) { code = actor::from_error(e).code; },
                    caf::after(0s) >> [] {});
    return code;
  }
  failure refusal(const image_request& what) {
    failure why{errc::none, {}, {}, {}, {}};
    client->send(images, begin_atom::value, what);
    scheduler.run();
    client->receive([](const op_ticket&) {},
                    [&](const caf::error& e) { why = actor::from_error(e); },
                    caf::after(0s) >> [] { FAIL("no answer"); });
    return why;
  }
  template <class Word>
  failure outcome(Word word, const std::string& name) {
    failure why{errc::none, {}, {}, {}, {}};
    auto asked = client->request(images, 1s, word, name);
    scheduler.run();
    asked.receive([] {}, [&](const caf::error& e) { why = actor::from_error(e); });
    return why;
  }
  std::string running_op(std::size_t at = 0) {
    return ask<std::vector<operation_view>>(operations, list_atom::value).at(at).op;
  }
  bool cancel(const std::string& op) { return ask<bool>(operations, cancel_atom::value, op); }
  long made(const std::string& what) {
    return std::count(shop->done.begin(), shop->done.end(), what);
  }
  bool drained() {
    bool done = false;
    client->receive([&] { done = true; }, caf::after(0s) >> [] {});
    return done;
  }
  void let_vms_stand_on(std::vector<vm_view> views);
};

inline vms_facet::behavior_type vms_double(vms_facet::stateful_pointer<double_state>,
                                           std::vector<vm_view> views) {
  return {[](begin_atom, const create_request&) { return op_ticket{}; },
          [](begin_atom, const verb_request&) { return op_ticket{}; },
          [](begin_atom, const set_request&) { return op_ticket{}; },
          [](touch_atom, const std::string&) {},
          [views](list_atom) { return views; },
          [](show_atom, const std::string&) { return vm_detail{}; },
          [](exec_atom, const exec_request&) { return stream_ticket{}; },
          [](attach_atom, const attach_request&) { return stream_ticket{}; },
          [](logs_atom, const logs_request&) { return stream_ticket{}; },
          [](stats_atom, const std::string&) { return vm_stats{}; },
          [](ports_atom, const std::string&) { return vm_ports{}; },
          [](health_atom, const std::string&) { return vm_health{}; },
          [](console_atom, const std::string&) { return stream_ticket{}; },
          [](reclaim_atom, const reclaim_request&) { return vm_view{}; },
          [](discard_atom, const std::string&) {},
          [](crash_atom, const std::string&) {}};
}

inline void shelf_house::let_vms_stand_on(std::vector<vm_view> views) {
  client->send(images, image::meet_atom::value, keep(system.spawn(vms_double, std::move(views))));
  scheduler.run();
}

inline vm_view some_vm_on(const std::string& image) {
  vm_view v;
  v.name = "otter";
  v.image = image;
  return v;
}

inline const image_request work_image{"work", {"jq"}, false};

} // namespace banger::test
