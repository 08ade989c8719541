// The images actor: one build, however many want it; none when nobody does.
#include "tests/actor/images_scene.hpp"

using namespace banger;
using namespace banger::test;

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
