#include "actors/storage/files.hpp"

#include "messages/base/names.hpp"
#include "tests/unit/storage_scratch.hpp"

#include <atomic>
#include <sys/stat.h>
#include <thread>

using namespace banger;
using namespace banger::storage;
using banger::test::code;
using banger::test::names_in;
using banger::test::put;
using banger::test::slurp;
using banger::test::why;
namespace fs = std::filesystem;

TEST_CASE("a file is written whole, with its mode, and replaces the old one") {
  const test::scratch s;
  REQUIRE(write_file(s / "f", "one", 0640));
  REQUIRE(write_file(s / "f", "two", 0640));
  CHECK(slurp(s / "f") == "two");
  CHECK(fs::status(s / "f").permissions() == static_cast<fs::perms>(0640));
  CHECK(names_in(s.top()) == std::vector<std::string>{"f"});
}

TEST_CASE(
    "lesson 19: whoever reads a file while it is replaced finds the old or the new one, whole") {
  const test::scratch s;
  const std::string one(100'000, '1'), two(150'000, '2');
  REQUIRE(write_file(s / "f", one));
  std::atomic<bool> done = false;
  std::jthread writer([&] {
    for (int i = 0; i < 300; ++i)
      if (!write_file(s / "f", i % 2 == 0 ? two : one))
        return;
    done = true;
  });
  unsigned seen = 0, torn = 0;
  do {
    const auto read = read_file(s / "f", GiB);
    ++seen;
    torn += read && (*read == one || *read == two) ? 0 : 1;
  } while (!done && torn == 0);
  writer.join();
  CHECK(done);
  CHECK(seen > 1);
  CHECK(torn == 0);
}

TEST_CASE("a file that cannot be written leaves nothing") {
  const test::scratch s;
  CHECK_FALSE(write_file(s / "no/such/folder", "x"));
  fs::create_directory(s / "d");
  put(s / "d/inside", "x");
  CHECK_FALSE(write_file(s / "d", "x"));
  CHECK(names_in(s.top()) == std::vector<std::string>{"d"});
}

TEST_CASE("reading is bounded and tells what is missing") {
  const test::scratch s;
  put(s / "f", "12345");
  CHECK(read_file(s / "f", 5).value_or("") == "12345");
  CHECK(code(read_file(s / "f", 4)) == errc::bad_request);
  CHECK(code(read_file(s / "none", 5)) == errc::not_found);
  CHECK(read_file("/proc/version", 4096)); // a file without a size
  CHECK_FALSE(read_file(s.top(), 100));
}

TEST_CASE("digests are those of SHA-256") {
  const test::scratch s;
  constexpr auto abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  put(s / "f", "abc");
  CHECK(sha256("abc") == abc);
  CHECK(sha256_file(s / "f").value_or("") == abc);
}

TEST_CASE("a manifest finds what was changed") {
  const test::scratch s;
  put(s / "a", "first");
  put(s / "b", "second");
  REQUIRE(write_manifest(s.top(), "m.json", 7, "things", {{"a"}, {"b"}}));
  const auto m = read_manifest(s.top(), "m.json");
  REQUIRE(m);
  CHECK(m->format == 7);
  CHECK(m->subject == "things");
  REQUIRE(check_files(s.top(), *m, check_depth::digest));
  SECTION("cut short") {
    fs::resize_file(s / "b", 3);
    const auto checked = check_files(s.top(), *m, check_depth::quick);
    REQUIRE(code(checked) == errc::corrupted);
    CHECK(checked.error().what.find((s / "b").string()) != std::string::npos);
    CHECK(checked.error().remedy.find(s.top().string()) != std::string::npos);
  }
  SECTION("gone") {
    fs::remove(s / "a");
    CHECK(code(check_files(s.top(), *m, check_depth::quick)) == errc::corrupted);
  }
  SECTION("other bytes of the same length") {
    put(s / "a", "fIrst");
    CHECK(code(check_files(s.top(), *m, check_depth::quick)) == errc::corrupted);
  }
  SECTION("other bytes under the old time are found by the digest") {
    const auto time = fs::last_write_time(s / "a");
    put(s / "a", "fIrst");
    fs::last_write_time(s / "a", time);
    CHECK(check_files(s.top(), *m, check_depth::quick));
    CHECK(code(check_files(s.top(), *m, check_depth::digest)) == errc::corrupted);
  }
  SECTION("the same bytes at another time are the same file, and get its time again") {
    const auto time = fs::last_write_time(s / "a");
    put(s / "a", "first");
    fs::last_write_time(s / "a", time - std::chrono::hours(1));
    CHECK(check_files(s.top(), *m, check_depth::quick));
    CHECK(fs::last_write_time(s / "a") == time);
  }
}

TEST_CASE("a manifest that cannot be read says what to delete") {
  const test::scratch s;
  CHECK(code(read_manifest(s.top(), "m.json")) == errc::not_found);
  for (const auto* text : {"", "{", "[]", R"({"format": "x"})", R"({"format": 1, "name": "n"})"}) {
    put(s / "m.json", text);
    const auto m = read_manifest(s.top(), "m.json");
    REQUIRE(code(m) == errc::corrupted);
    CHECK(m.error().remedy.find("delete") != std::string::npos);
  }
}

TEST_CASE("only one holds a lock, and a waiter can be stopped") {
  const test::scratch s;
  auto first = lock_file(s / "lock");
  REQUIRE(first);
  std::stop_source impatient;
  std::jthread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    impatient.request_stop();
  });
  CHECK(code(lock_file(s / "lock", impatient.get_token())) == errc::cancelled);
  CHECK(code(lock_file(s / "lock", {}, std::chrono::milliseconds(50))) == errc::timed_out);
  CHECK(code(lock_file(s / "lock", {}, std::chrono::milliseconds(0))) == errc::timed_out);

  std::atomic<bool> got = false;
  std::jthread waiter([&] {
    const auto second = lock_file(s / "lock");
    got = second.has_value();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK_FALSE(got);
  first->reset();
  waiter.join();
  CHECK(got);
}

TEST_CASE("scrap removes what was not published") {
  const test::scratch s;
  {
    const scrap lost(s / "lost.tmp");
    put(lost.path() / "inside", "x");
    scrap found(s / "found.tmp");
    put(found.path(), "y");
    REQUIRE(found.publish(s / "found"));
  }
  CHECK(names_in(s.top()) == std::vector<std::string>{"found"});
}
