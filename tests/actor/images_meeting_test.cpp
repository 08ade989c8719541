// The images actor where several meet: a build and a create, a deletion, the end of the daemon.
#include "tests/actor/images_scene.hpp"

using namespace banger;
using namespace banger::test;

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

TEST_CASE_METHOD(shelf_house, "where a VM may be in no list, older files stay") {
  shop->shelf["work"] = {"work", image::family::debian, {"jq"}};
  const auto at_once = [](auto task) { task(); };
  images = keep(image::spawn_images(system, {shop, at_once, at_once, operations, false}));
  let_vms_stand_on({});
  CHECK(made("prune work") == 0);
}
