#include "messages/base/failpoint.hpp"
#include "tests/support/catch.hpp"

using namespace banger;
using namespace banger::work;

TEST_CASE("a failpoint is a place, a moment and a mishap") {
  const auto all = parse_failpoints("create/launch/before:kill,store/*/after-undo#12:stop");
  REQUIRE(all);
  REQUIRE(all->size() == 2);
  CHECK(all->front().scope == "create");
  CHECK(all->front().name == "launch");
  CHECK(all->front().at == moment::before);
  CHECK(all->front().what == mishap::kill);
  CHECK(all->front().countdown == 1);
  CHECK(all->back().name == "*");
  CHECK(all->back().at == moment::after_undo);
  CHECK(all->back().what == mishap::stop);
  CHECK(all->back().countdown == 12);
  CHECK(parse_failpoints("start/hello/after:fail")->front().what == mishap::fail);
  CHECK(parse_failpoints("")->empty());
}

TEST_CASE("what is no failpoint is refused with the form that it should have") {
  for (const auto* text :
       {"create", "create/launch", "create/launch/before", "create/launch/sometimes:kill",
        "create/launch/before:explode", "/launch/before:kill", "create//before:kill",
        "create/launch/before#0:kill", "create/launch/before#:kill", "create/launch/before#2x:kill",
        "create/launch/before#99999999999:kill", "create/launch/before/:kill",
        "create/launch/before:kill:", ",", "a/b/before:kill,,"}) {
    INFO(text);
    const auto all = parse_failpoints(text);
    REQUIRE_FALSE(all);
    CHECK(all.error().code == errc::bad_request);
    CHECK_FALSE(all.error().why.empty());
    CHECK_FALSE(all.error().remedy.empty());
  }
}

TEST_CASE("a trap springs once, where and when it was said") {
  trap t(*parse_failpoints("store/*/before#3:fail,start/hello/after:kill"));
  CHECK(t.spring("store", "save", moment::before) == nullptr);
  CHECK(t.spring("store", "save", moment::after) == nullptr); // not this moment: not counted
  CHECK(t.spring("store", "intend", moment::before) == nullptr);
  CHECK(t.spring("start", "save", moment::before) == nullptr);
  REQUIRE(t.spring("store", "settle", moment::before) != nullptr);
  CHECK(t.spring("store", "settle", moment::before) == nullptr);
  CHECK(t.spring("start", "launch", moment::after) == nullptr);
  REQUIRE(t.spring("start", "hello", moment::after) != nullptr);
  CHECK(t.spring("start", "hello", moment::after) == nullptr);
}

TEST_CASE(
    "a failpoint that fails answers as a full disk does, and where none is armed nothing happens") {
  CHECK(pass("create", "folder", moment::before));
  REQUIRE(arm_failpoints("create/folder/before:fail"));
  const auto full = pass("create", "folder", moment::before);
  REQUIRE_FALSE(full);
  CHECK(full.error().what == "failpoint create/folder/before");
  CHECK_FALSE(full.error().remedy.empty());
  CHECK(pass("create", "folder", moment::before));
  REQUIRE(arm_failpoints(""));
  CHECK(detail::armed_trap == nullptr);
  CHECK(arm_failpoints(nullptr));
}
