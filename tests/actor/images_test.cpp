// The images actor: one build, however many want it; none when nobody does.
#include "actors/image/images.hpp"
#include "tests/actor/stage.hpp"

#include <deque>

using namespace banger;
using namespace banger::test;
using namespace banger::messages;

namespace {

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

client_actor::behavior_type client_of(client_actor::stateful_pointer<double_state> self,
                                      ears* all) {
  actor::make_sturdy(self);
  return {[all](const progress& p) { all->news.push_back(p); },
          [all](const finished& f) { all->ends.push_back(f); }};
}

image::note_listener::behavior_type
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

vms_facet::behavior_type vms_double(vms_facet::stateful_pointer<double_state>,
                                    std::vector<vm_view> views) {
  return {[](begin_atom, const create_request&) { return op_ticket{}; },
          [](begin_atom, const verb_request&) { return op_ticket{}; },
          [views](list_atom) { return views; },
          [](show_atom, const std::string&) { return vm_detail{}; },
          [](exec_atom, const exec_request&) { return stream_ticket{}; },
          [](attach_atom, const attach_request&) { return stream_ticket{}; },
          [](logs_atom, const logs_request&) { return stream_ticket{}; }};
}

void shelf_house::let_vms_stand_on(std::vector<vm_view> views) {
  client->send(images, image::meet_atom::value, keep(system.spawn(vms_double, std::move(views))));
  scheduler.run();
}

vm_view some_vm_on(const std::string& image) {
  vm_view v;
  v.name = "otter";
  v.image = image;
  return v;
}

const image_request work_image{"work", {"jq"}, false};

} // namespace

TEST_CASE_METHOD(shelf_house, "two VMs that want an image at once get it from one build") {
  want(vm_a, "debian-bookworm");
  want(vm_b, "debian-bookworm");
  work();
  CHECK(made("kernel") == 1);
  CHECK(made("ensure debian-bookworm") == 1);
  CHECK(answer() == errc::none);
  CHECK(answer() == errc::none);
  CHECK(anna.notes == std::vector<std::string>{"packages"});
  CHECK(bert.notes == anna.notes);
}

TEST_CASE_METHOD(shelf_house,
                 "a build that a client orders is an operation with progress and end") {
  begin(client_a, work_image);
  CHECK(running_op().rfind("op-", 0) == 0);
  work();
  REQUIRE(anna.ends.size() == 1);
  CHECK(anna.ends.front().error.code == 0);
  REQUIRE_FALSE(anna.news.empty());
  CHECK(anna.news.front().stage == "packages");
  CHECK(ask<std::vector<operation_view>>(operations, list_atom::value).front().kind ==
        "image.build");
  CHECK(shop->shelf.at("work").include == std::vector<std::string>{"jq"});
}

TEST_CASE_METHOD(shelf_house,
                 "a second order for the same joins the first, another one is refused") {
  begin(client_a, work_image);
  begin(client_b, work_image);
  CHECK(refusal({"work", {"less"}, false}).code == errc::busy);
  work();
  CHECK(made("ensure work") == 1);
  CHECK(anna.ends.size() == 1);
  CHECK(bert.ends.size() == 1);
}

TEST_CASE_METHOD(shelf_house, "a cancelled build ends when all is undone") {
  begin(client_a, work_image);
  CHECK(cancel(running_op()));
  CHECK(anna.ends.empty());
  work();
  REQUIRE(anna.ends.size() == 1);
  CHECK(anna.ends.front().error.code == static_cast<std::uint8_t>(errc::cancelled));
  CHECK(shop->shelf.empty());
}

TEST_CASE_METHOD(shelf_house, "a cancelled order does not end the build that another waits for") {
  begin(client_a, work_image);
  begin(client_b, work_image);
  CHECK(cancel(running_op()));
  CHECK(anna.ends.size() + bert.ends.size() == 1);
  work();
  CHECK(anna.ends.size() == 1);
  CHECK(bert.ends.size() == 1);
  CHECK(shop->shelf.count("work") == 1);
}

TEST_CASE_METHOD(shelf_house, "a VM that waits no longer ends the build, unless another waits") {
  want(vm_a, "tiny");
  work(1); // the kernel
  SECTION("alone") {
    client->send(images, image::leave_atom::value, vm_a);
    scheduler.run();
    CHECK(answer() == errc::cancelled);
    work();
    CHECK(answer() == errc::timed_out); // it was told once
  }
  SECTION("with another") {
    want(vm_b, "tiny");
    work(0);
    client->send(images, image::leave_atom::value, vm_a);
    scheduler.run();
    CHECK(answer() == errc::cancelled);
    work();
    CHECK(answer() == errc::none);
  }
}

TEST_CASE_METHOD(shelf_house, "who comes while a build is being ended gets one of its own") {
  want(vm_a, "tiny");
  work(1);
  client->send(images, image::leave_atom::value, vm_a);
  scheduler.run();
  CHECK(answer() == errc::cancelled);
  want(vm_b, "tiny");
  work();
  CHECK(answer() == errc::none);
}

TEST_CASE_METHOD(shelf_house,
                 "a build that fails is told to all who wait, and may be tried again") {
  shop->broken = true;
  want(vm_a, "tiny");
  begin(client_b, work_image);
  work();
  CHECK(answer() == errc::unavailable);
  REQUIRE(bert.ends.size() == 1);
  CHECK(bert.ends.front().error.what == "no packages");
  shop->broken = false;
  want(vm_a, "tiny");
  work();
  CHECK(answer() == errc::none);
}

TEST_CASE_METHOD(shelf_house, "an image that is there is made again only when told so") {
  shop->shelf["work"] = {"work", image::family::debian, {"jq"}};
  CHECK(refusal(work_image).code == errc::already_exists);
  CHECK(refusal({"work", {"less"}, false}).code == errc::already_exists);
  begin(client_a, {"work", {}, true});
  work();
  CHECK(anna.ends.size() == 1);
  CHECK(shop->shelf["work"].include == std::vector<std::string>{"jq"}); // what it had
  CHECK(made("prune work") == 1);
  begin(client_a, {"work", {"less"}, true});
  work();
  CHECK(shop->shelf["work"].include == std::vector<std::string>{"less"});
}

TEST_CASE_METHOD(shelf_house, "older files stay while a VM may stand on them") {
  let_vms_stand_on({some_vm_on("work")});
  begin(client_a, work_image);
  work();
  CHECK(made("prune work") == 0);
}

TEST_CASE_METHOD(shelf_house, "bad orders are refused, and begin nothing") {
  CHECK(refusal({"../x", {}, false}).code == errc::bad_request);
  CHECK(refusal({"work", {"-o"}, false}).code == errc::bad_request);
  CHECK(refusal({"tiny", {"jq"}, false}).code == errc::bad_request);
  CHECK(refusal({"nothing", {}, false}).code == errc::not_found);
  CHECK(refusal({"nothing", {}, true}).code == errc::not_found);
  CHECK(builds.empty());
  CHECK(ask<std::vector<operation_view>>(operations, list_atom::value).empty());
}

TEST_CASE_METHOD(shelf_house, "an image is deleted, unless a VM stands on it or it is being made") {
  shop->shelf["work"] = {"work", image::family::debian, {"jq"}};
  SECTION("free") {
    CHECK(outcome(delete_atom::value, "work").code == errc::none);
    CHECK(shop->shelf.empty());
    CHECK(outcome(delete_atom::value, "work").code == errc::not_found);
    CHECK(outcome(delete_atom::value, "../x").code == errc::bad_request);
  }
  SECTION("in use") {
    let_vms_stand_on({some_vm_on("tiny"), some_vm_on("work")});
    const auto why = outcome(delete_atom::value, "work");
    CHECK(why.code == errc::busy);
    CHECK_THAT(why.why, Catch::Contains("otter"));
    CHECK(shop->shelf.count("work") == 1);
  }
  SECTION("being made") {
    begin(client_a, {"work", {}, true});
    CHECK(outcome(delete_atom::value, "work").code == errc::busy);
    work();
  }
}

TEST_CASE_METHOD(shelf_house, "the list is those that are there, then those that could be made") {
  shop->shelf["work"] = {"work", image::family::debian, {"jq"}};
  let_vms_stand_on({some_vm_on("work"), some_vm_on("work")});
  const auto all = ask<std::vector<image_view>>(images, list_atom::value);
  REQUIRE(all.size() == 3);
  CHECK(all[0].name == "work");
  CHECK(all[0].present);
  CHECK(all[0].vms == 2);
  CHECK(all[0].include == std::vector<std::string>{"jq"});
  CHECK(all[0].made_ms == 1767225600000);
  CHECK(all[1].name == "debian-bookworm");
  CHECK_FALSE(all[1].present);
  CHECK(all[2].name == "tiny");
}

TEST_CASE_METHOD(shelf_house, "whether an image is known is answered while others are being made") {
  shop->shelf["work"] = {"work", image::family::debian, {"jq"}};
  want(vm_a, "debian-bookworm");
  CHECK(outcome(image::known_atom::value, "tiny").code == errc::none);
  CHECK(outcome(image::known_atom::value, "work").code == errc::none);
  const auto why = outcome(image::known_atom::value, "gentoo");
  CHECK(why.code == errc::not_found);
  CHECK_THAT(why.remedy, Catch::Contains("work") && Catch::Contains("debian-bookworm"));
  CHECK(outcome(image::known_atom::value, "A").code == errc::bad_request);
  work();
}

TEST_CASE_METHOD(shelf_house, "an image that is being built is known, and a VM waits for it") {
  shop->kernel_at_hand = true;
  CHECK(outcome(image::known_atom::value, "work").code == errc::not_found);
  begin(client_a, work_image);
  CHECK(outcome(image::known_atom::value, "work").code == errc::none);
  want(vm_a, "work");
  work();
  CHECK(answer() == errc::none);
  CHECK(made("ensure work") == 1);
  begin(client_a, {"other", {"jq"}, false});
  CHECK(cancel(running_op()));
  CHECK(outcome(image::known_atom::value, "other").code == errc::not_found);
  work();
}

TEST_CASE_METHOD(shelf_house, "an order joins the first run of a VM that makes the same") {
  shop->kernel_at_hand = true;
  want(vm_a, "debian-bookworm");
  begin(client_b, {"debian-bookworm", {}, false});
  CHECK(refusal({"debian-bookworm", {"jq"}, false}).code == errc::busy);
  work();
  CHECK(made("ensure debian-bookworm") == 1);
  CHECK(answer() == errc::none);
  REQUIRE(bert.ends.size() == 1);
  CHECK(bert.ends.front().error.code == 0);
}

TEST_CASE_METHOD(shelf_house, "an order that comes while a VM only looks is carried out for both") {
  shop->kernel_at_hand = true;
  shop->shelf["work"] = {"work", image::family::debian, {"jq"}};
  held = true;
  want(vm_a, "work");
  looks.front()(); // the kernel
  looks.pop_front();
  scheduler.run();
  REQUIRE(looks.size() == 1);
  auto slow_look = std::move(looks.front());
  looks.pop_front();
  held = false;
  begin(client_b, {"work", {"less"}, true});
  slow_look();
  scheduler.run();
  CHECK(builds.size() == 1);
  work();
  CHECK(answer() == errc::none);
  CHECK(bert.ends.size() == 1);
  CHECK(shop->shelf["work"].include == std::vector<std::string>{"less"});
}

TEST_CASE_METHOD(shelf_house, "a VM whose image is there does not wait for the builds of others") {
  shop->kernel_at_hand = true;
  shop->shelf["tiny"] = {"tiny", image::family::tiny, {}};
  begin(client_a, work_image);
  want(vm_b, "tiny");
  CHECK(answer() == errc::none);
  CHECK(builds.size() == 1);
  work();
}

TEST_CASE_METHOD(shelf_house, "a daemon that is about to end cancels builds and begins none") {
  shop->kernel_at_hand = true;
  shop->shelf["tiny"] = {"tiny", image::family::tiny, {}};
  begin(client_a, work_image);
  want(vm_b, "debian-bookworm");
  client->send(images, image::drain_atom::value);
  scheduler.run();
  CHECK(answer() == errc::cancelled);
  CHECK(anna.ends.empty()); // not before it is undone
  CHECK(refusal({"other", {"jq"}, false}).code == errc::busy);
  CHECK(refusal({"work", {"jq"}, false}).code == errc::busy);
  want(vm_a, "debian-bookworm");
  CHECK_FALSE(drained());
  work();
  REQUIRE(anna.ends.size() == 1);
  CHECK(anna.ends.front().error.code == static_cast<std::uint8_t>(errc::cancelled));
  CHECK(builds.empty());
  CHECK(shop->shelf.size() == 1);
  CHECK(answer() == errc::cancelled); // who came while it was being ended
  CHECK(drained());
  want(vm_a, "tiny"); // needs no build
  CHECK(answer() == errc::none);
  want(vm_a, "debian-bookworm");
  CHECK(answer() == errc::busy);
}

TEST_CASE_METHOD(shelf_house, "an image that is being deleted is nobody's any more") {
  shop->kernel_at_hand = true;
  shop->shelf["work"] = {"work", image::family::debian, {"jq"}};
  held = true;
  client->send(images, delete_atom::value, "work");
  scheduler.run();
  CHECK(outcome(image::known_atom::value, "work").code == errc::busy);
  want(vm_a, "work");
  CHECK(answer() == errc::busy);
  auto second = client->request(images, 1s, delete_atom::value, "work");
  scheduler.run();
  second.receive([] { FAIL("deleted twice"); },
                 [](const caf::error& e) { CHECK(actor::from_error(e).code == errc::busy); });
  client->send(images, begin_atom::value, image_request{"work", {}, true});
  scheduler.run();
  looks.back()(); // what is there, for the order
  looks.pop_back();
  scheduler.run();
  CHECK(answer() == errc::busy);
  look();
  CHECK(drained()); // the first one's answer
  CHECK(shop->shelf.empty());
  CHECK(outcome(image::known_atom::value, "work").code == errc::not_found);
}

TEST_CASE_METHOD(shelf_house, "who asked whether an image is there hears of a deletion that came") {
  shop->shelf["work"] = {"work", image::family::debian, {"jq"}};
  held = true;
  auto asked = client->request(images, 1s, image::known_atom::value, std::string("work"));
  scheduler.run();
  client->send(images, delete_atom::value, "work");
  scheduler.run();
  REQUIRE(looks.size() == 2);
  looks.front()();
  looks.pop_front();
  scheduler.run();
  asked.receive([] { FAIL("it is said to be there"); },
                [](const caf::error& e) { CHECK(actor::from_error(e).code == errc::busy); });
  look();
}

TEST_CASE_METHOD(shelf_house, "an image that a VM is about to start from is not deleted") {
  shop->shelf["work"] = {"work", image::family::debian, {"jq"}};
  want(vm_a, "work"); // waits for the kernel
  CHECK(outcome(delete_atom::value, "work").code == errc::busy);
  work();
  CHECK(answer() == errc::none);
  CHECK(outcome(delete_atom::value, "work").code == errc::none);
}

TEST_CASE_METHOD(shelf_house, "a new daemon removes older files on which no VM stands") {
  shop->shelf["work"] = {"work", image::family::debian, {"jq"}};
  shop->shelf["other"] = {"other", image::family::debian, {"jq"}};
  let_vms_stand_on({some_vm_on("other")});
  CHECK(made("prune work") == 1);
  CHECK(made("prune other") == 0);
}
