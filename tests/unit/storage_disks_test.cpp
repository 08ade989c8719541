#include "actors/storage/disks.hpp"

#include "actors/storage/process.hpp"
#include "messages/base/names.hpp"
#include "tests/unit/storage_scratch.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <sys/mount.h>
#include <thread>
#include <unistd.h>

using namespace banger;
using namespace banger::storage;
using banger::test::code;
using banger::test::names_in;
using banger::test::put;
using banger::test::slurp;
using banger::test::why;
namespace fs = std::filesystem;

namespace {

std::string output(std::vector<std::string> argv) {
  const auto end = run_any({.argv = std::move(argv)});
  REQUIRE(end);
  return end->out + end->err;
}

bool have(const char* program) {
  if (!find_program(program).empty())
    return true;
  std::cout << "SKIPPED: " << program << " is not installed\n";
  return false;
}

// A small file system that is soon full; only root can mount one.
struct small_disk : test::scratch {
  bool mounted =
      ::geteuid() == 0 && ::mount("banger-test", top().c_str(), "tmpfs", 0, "size=128k") == 0;
  small_disk() {
    if (!mounted)
      std::cout << "SKIPPED: cannot mount a small tmpfs\n";
  }
  ~small_disk() {
    if (mounted)
      ::umount2(top().c_str(), MNT_DETACH);
  }
};

/// Programs there are found before those of the host.
struct first_in_path {
  std::string before = std::getenv("PATH");
  explicit first_in_path(const fs::path& folder) {
    ::setenv("PATH", (folder.string() + ":" + before).c_str(), 1);
  }
  ~first_in_path() { ::setenv("PATH", before.c_str(), 1); }
};

} // namespace

TEST_CASE("names of root disks are read as they are written") {
  for (const auto kind : {root_disk_kind::reflink, root_disk_kind::qcow2, root_disk_kind::overlay})
    CHECK(parse_root_disk_kind(to_string(kind)).value_or(root_disk_kind::overlay) == kind);
  CHECK(code(parse_root_disk_kind("raid")) == errc::bad_request);
}

TEST_CASE("the choice of a root disk is one that works, and says what was passed over") {
  const test::scratch s;
  const auto best = choose_root_disk(s.top());
  REQUIRE(best);
  CHECK((best->kind == root_disk_kind::reflink) == best->passed_over.empty());
  put(s / "image", std::string(1 << 20, 'i'));
  fs::create_directory(s / "vm");
  const auto disk = make_root_disk(best->kind, s / "image", s / "vm", 64 * MiB);
  INFO(why(disk));
  CHECK(disk);
  const auto without_qcow2 = choose_root_disk(s.top(), {}, false);
  REQUIRE(without_qcow2);
  CHECK(without_qcow2->kind != root_disk_kind::qcow2);
  CHECK(names_in(s.top()).size() == 2);
}

TEST_CASE("a wanted kind is what one gets, or an error that says why not") {
  const test::scratch s;
  const auto overlay = choose_root_disk(s.top(), root_disk_kind::overlay);
  REQUIRE(overlay);
  CHECK(overlay->kind == root_disk_kind::overlay);
  CHECK(code(choose_root_disk(s.top(), root_disk_kind::qcow2, false)) == errc::unavailable);
  const auto reflink = choose_root_disk("/dev/shm", root_disk_kind::reflink);
  REQUIRE(code(reflink) == errc::unavailable);
  CHECK_FALSE(reflink.error().why.empty());
  CHECK(code(choose_root_disk(s / "none")) == errc::operation_failed);
}

TEST_CASE("a qcow2 root is sound and stands on its image") {
  if (!have("qemu-img"))
    return;
  const test::scratch s;
  const auto bytes = GENERATE(std::uint64_t{1 << 20}, 3 * GiB + 512, 5000 * GiB);
  put(s / "image", "");
  fs::resize_file(s / "image", bytes);
  const auto disk = make_root_disk(root_disk_kind::qcow2, s / "image", s.top(), 0);
  INFO(why(disk));
  REQUIRE(disk);
  CHECK(disk->format == "qcow2");
  CHECK(output({"qemu-img", "check", disk->file}).find("No errors") != std::string::npos);
  const auto info = output({"qemu-img", "info", "--output=json", disk->file});
  CHECK(info.find("\"virtual-size\": " + std::to_string(bytes)) != std::string::npos);
  CHECK(info.find("\"backing-filename-format\": \"raw\"") != std::string::npos);
  CHECK(info.find((s / "image").string()) != std::string::npos);
}

TEST_CASE("a qcow2 root takes writes and leaves the image alone") {
  if (!have("qemu-io"))
    return;
  const test::scratch s;
  put(s / "image", std::string(1 << 20, 'i'));
  const auto disk = make_root_disk(root_disk_kind::qcow2, s / "image", s.top(), 0);
  REQUIRE(disk);
  const auto said =
      output({"qemu-io", "-c", "read -P 0x69 0 1M", "-c", "write -P 0x77 64k 64k", "-c",
              "read -P 0x77 64k 64k", "-c", "read -P 0x69 128k 64k", disk->file});
  CHECK(said.find("failed") == std::string::npos);
  CHECK(test::slurp(s / "image") == std::string(1 << 20, 'i'));
}

TEST_CASE("a work disk is a sound, sparse file system that only root may enter") {
  const test::scratch s;
  const auto bytes = GENERATE(16 * MiB, 100 * MiB, 8 * GiB);
  const auto made = make_work_disk(s / "work.img", bytes);
  INFO(why(made));
  REQUIRE(made);
  CHECK(fs::file_size(s / "work.img") == bytes);
  CHECK(allocated_bytes(s / "work.img").value_or(GiB) < 4 * MiB);
  const auto checked = run_any({.argv = {"e2fsck", "-fn", s / "work.img"}});
  REQUIRE(checked);
  INFO(checked->out);
  CHECK(checked->status == 0);
  const auto root = output({"debugfs", "-R", "stat /", s / "work.img"});
  CHECK(root.find("Mode:  0700") != std::string::npos);
  CHECK(root.find("User:     0   Group:     0") != std::string::npos);
  CHECK(names_in(s.top()) == std::vector<std::string>{"work.img"});
}

TEST_CASE("a work disk that is copied from a blank one is like one that was made") {
  const test::scratch s;
  const auto blanks = s / "blanks";
  for (const auto* name : {"a", "b"}) {
    REQUIRE(make_work_disk(s / name, 100 * MiB, blanks));
    CHECK(fs::file_size(s / name) == 100 * MiB);
    CHECK(allocated_bytes(s / name).value_or(GiB) < 1 * MiB);
    const auto checked = run_any({.argv = {"e2fsck", "-fn", s / name}});
    REQUIRE(checked);
    CHECK(checked->status == 0);
    CHECK(output({"debugfs", "-R", "stat /", s / name}).find("Mode:  0700") != std::string::npos);
  }
  auto kept = names_in(blanks);
  std::sort(kept.begin(), kept.end());
  CHECK(kept == std::vector<std::string>{"blanks.lock", "work-104857600.img"});
  CHECK(code(make_work_disk(s / "a", 100 * MiB, blanks)) == errc::already_exists);
  // Whatever is wrong with blank disks, there is a way without.
  put(s / "file", "");
  CHECK(make_work_disk(s / "c", 100 * MiB, s / "file"));
}

TEST_CASE(
    "lesson 21: of many who want a blank disk at once one makes it, and all copies are sound") {
  const test::scratch s;
  const auto real = find_program("mke2fs");
  put(s / "bin/mke2fs", "#!/bin/sh\necho once >> " + (s / "calls").string() + "\nsleep 0.3\nexec " +
                            real.string() + " \"$@\"\n");
  fs::permissions(s / "bin/mke2fs", fs::perms::owner_all);
  const first_in_path slow(s / "bin");
  std::array<expected<void>, 6> made;
  {
    std::vector<std::jthread> makers;
    for (std::size_t i = 0; i < made.size(); ++i)
      makers.emplace_back([&s, &made, i] {
        made.at(i) = make_work_disk(s / std::to_string(i), 100 * MiB, s / "blanks");
      });
  }
  CHECK(slurp(s / "calls") == "once\n");
  for (std::size_t i = 0; i < made.size(); ++i) {
    INFO("disk " << i << ": " << why(made.at(i)));
    REQUIRE(made.at(i));
    const auto checked = run_any({.argv = {"e2fsck", "-fn", s / std::to_string(i)}});
    REQUIRE(checked);
    CHECK(checked->status == 0);
  }
}

TEST_CASE("a disk that is there is not made again") {
  const test::scratch s;
  put(s / "image", std::string(1 << 20, 'i'));
  for (const auto* name : {"work.img", "root.img", "root.qcow2", "upper.img"})
    put(s / name, "mine");
  CHECK(code(make_work_disk(s / "work.img", 64 * MiB)) == errc::already_exists);
  for (const auto kind : {root_disk_kind::reflink, root_disk_kind::qcow2, root_disk_kind::overlay})
    CHECK(code(make_root_disk(kind, s / "image", s.top(), 64 * MiB)) == errc::already_exists);
  CHECK(test::slurp(s / "root.qcow2") == "mine");
}

TEST_CASE("bad input for a disk makes nothing") {
  const test::scratch s;
  CHECK(code(make_work_disk(s / "w", 0)) == errc::bad_request);
  CHECK(code(make_work_disk(s / "w", 15 * MiB)) == errc::bad_request);
  CHECK(code(make_work_disk(s / "w", max_disk_bytes + 1)) == errc::bad_request);
  CHECK(code(make_root_disk(root_disk_kind::qcow2, s / "none", s.top(), 0)) == errc::not_found);
  CHECK(code(make_root_disk(root_disk_kind::qcow2, s.top(), s.top(), 0)) == errc::bad_request);
  put(s / "odd", "123");
  CHECK(code(make_root_disk(root_disk_kind::qcow2, s / "odd", s.top(), 0)) == errc::bad_request);
  CHECK(names_in(s.top()) == std::vector<std::string>{"odd"});
}

TEST_CASE("a full disk is told with a remedy and leaves nothing") {
  const small_disk s;
  if (!s.mounted)
    return;
  const auto work = make_work_disk(s / "work.img", 8 * GiB);
  REQUIRE(code(work) == errc::operation_failed);
  CHECK(work.error().remedy.find("free some space") != std::string::npos);
  put(s / "image", "");
  fs::resize_file(s / "image", GiB);
  const auto root = make_root_disk(root_disk_kind::qcow2, s / "image", s.top(), 0);
  REQUIRE(code(root) == errc::operation_failed);
  CHECK(root.error().remedy.find("free some space") != std::string::npos);
  CHECK(names_in(s.top()) == std::vector<std::string>{"image"});
}

TEST_CASE("what was written behind an offset of a disk is seen, a hole is not", "[faults]") {
  const test::scratch s;
  test::put(s / "d", std::string(8192, 'x'));
  REQUIRE(grow_file(s / "d", GiB));
  CHECK(has_data(s / "d", 0));
  CHECK_FALSE(has_data(s / "d", MiB));
  std::fstream(s / "d", std::ios::binary | std::ios::in | std::ios::out).seekp(512 * MiB) << "y";
  CHECK(has_data(s / "d", MiB));
  CHECK_FALSE(has_data(s / "d", 513 * MiB));
  CHECK(has_data(s / "none", 0));
}

TEST_CASE("a disk grows and never shrinks") {
  const test::scratch s;
  put(s / "d", "content");
  REQUIRE(grow_file(s / "d", GiB));
  CHECK(fs::file_size(s / "d") == GiB);
  CHECK(allocated_bytes(s / "d").value_or(GiB) < MiB);
  CHECK(grow_file(s / "d", GiB));
  CHECK(code(grow_file(s / "d", GiB - 1)) == errc::bad_request);
  CHECK(code(grow_file(s / "d", max_disk_bytes + 1)) == errc::bad_request);
  CHECK(code(grow_file(s / "none", GiB)) == errc::not_found);
}

TEST_CASE("a stop while a disk is made leaves nothing") {
  const test::scratch s;
  std::stop_source source;
  source.request_stop();
  CHECK(code(make_work_disk(s / "w", GiB, source.get_token())) == errc::cancelled);
  CHECK(names_in(s.top()).empty());
}
