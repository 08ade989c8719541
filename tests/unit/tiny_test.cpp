#include "actors/image/tiny.hpp"

#include "actors/image/elf.hpp"
#include "actors/image/shelf.hpp"
#include "actors/image/tiny_tree.hpp"
#include "actors/storage/process.hpp"
#include "tests/unit/storage_scratch.hpp"

#include <iostream>
#include <thread>

using namespace banger;
using namespace banger::image;
using banger::test::code;
using banger::test::slurp;
using banger::test::why;
using storage::check_depth;
namespace fs = std::filesystem;

namespace {

const recipe tiny{"tiny", family::tiny, {}};

bool have_parts() {
  const auto parts = find_tiny_parts();
  if (!parts)
    std::cout << "SKIPPED: " << describe(parts.error()) << "\n";
  return parts.has_value();
}

std::string listing(const fs::path& image, const std::string& folder) {
  const auto end = storage::run({.argv = {"debugfs", "-R", "ls -p " + folder, image.string()}});
  REQUIRE(end);
  return end->out;
}

} // namespace

TEST_CASE("tiny holds a shell, tools and dropbear, and nothing that belongs to one machine") {
  if (!have_parts())
    return;
  const test::scratch s;
  const auto made = ensure_image(s / "tiny", tiny, {});
  INFO(why(made));
  REQUIRE(made);
  CHECK(made->name == "tiny");
  CHECK(made->bytes == tiny_bytes);
  CHECK(made->sha256 == storage::sha256_sparse(made->file).value_or(""));
  const auto bin = listing(made->file, "/bin"), sbin = listing(made->file, "/sbin"),
             usr_bin = listing(made->file, "/usr/bin"), etc = listing(made->file, "/etc");
  for (const auto* name : {"/busybox/", "/sh/", "/cat/", "/uname/"})
    CHECK(bin.find(name) != std::string::npos);
  for (const auto* name : {"/awk/", "/nc/", "/sha256sum/", "/nproc/", "/dbclient/", "/seq/"})
    CHECK(usr_bin.find(name) != std::string::npos);
  CHECK(listing(made->file, "/usr/sbin").find("/dropbear/") != std::string::npos);
  CHECK(sbin.find("/init/") == std::string::npos);
  CHECK(etc.find("machine-id") == std::string::npos);
  CHECK(listing(made->file, "/etc/dropbear").find("key") == std::string::npos);
}

TEST_CASE("every program of tiny starts inside its own tree") {
  if (!have_parts())
    return;
  const test::scratch s;
  fs::create_directory(s / "tree");
  const auto parts = find_tiny_parts();
  REQUIRE(parts);
  REQUIRE(fill_tiny_tree(s / "tree", *parts, {}));
  // The dynamic linker of the tree, told to look only there.
  for (const auto* program : {"usr/sbin/dropbear", "usr/bin/dropbearkey", "usr/bin/dbclient"}) {
    const auto dynamic = read_dynamic(slurp(s / "tree" / program));
    REQUIRE(dynamic);
    CHECK(fs::exists((s / "tree").string() + dynamic->interpreter));
    for (const auto& library : dynamic->needed) {
      bool found = false;
      for (const auto& entry : fs::recursive_directory_iterator(s / "tree"))
        found = found || entry.path().filename() == library;
      CHECK(found);
    }
  }
  const auto static_busybox = read_dynamic(slurp(s / "tree/bin/busybox"));
  REQUIRE(static_busybox);
}

TEST_CASE("tiny is made once, also when several want it at the same time") {
  if (!have_parts())
    return;
  const test::scratch s;
  std::atomic<int> builds = 0;
  std::vector<std::string> files(3);
  {
    std::vector<std::jthread> threads;
    for (auto& file : files)
      threads.emplace_back([&] {
        const auto made =
            ensure_image(s / "tiny", tiny, [&](auto stage, auto) { builds += stage == "image"; });
        file = made ? made->file.string() : describe(made.error());
      });
  }
  CHECK(builds == 1);
  CHECK(files[0] == files[1]);
  CHECK(files[1] == files[2]);
}

TEST_CASE("tiny has a journal, and one that was made without is made again") {
  if (!have_parts())
    return;
  const test::scratch s;
  const auto features = [](const fs::path& image) {
    const auto end = storage::run({.argv = {"debugfs", "-R", "stats", image.string()}});
    REQUIRE(end);
    return end->out;
  };
  const auto made = ensure_image(s / "tiny", tiny, {});
  REQUIRE(made);
  CHECK(features(made->file).find("has_journal") != std::string::npos);
  auto manifest = slurp(s / "tiny/manifest.json");
  const std::string mark = "\"journal\"";
  REQUIRE(manifest.find(mark) != std::string::npos);
  manifest.replace(manifest.find(mark), mark.size(), "\"nothing\"");
  std::ofstream(s / "tiny/manifest.json") << manifest;
  const auto found = find_image(s / "tiny");
  REQUIRE(found);
  CHECK_FALSE(found->has_value());
  int builds = 0;
  REQUIRE(ensure_image(s / "tiny", tiny, [&](auto stage, auto) { builds += stage == "image"; }));
  CHECK(builds == 1);
  REQUIRE(ensure_image(s / "tiny", tiny, [&](auto stage, auto) { builds += stage == "image"; }));
  CHECK(builds == 1);
}

TEST_CASE("a damaged tiny is told with what to delete, and deleting it heals") {
  if (!have_parts())
    return;
  const test::scratch s;
  const auto made = ensure_image(s / "tiny", tiny, {});
  REQUIRE(made);
  REQUIRE(check_image(s / "tiny", check_depth::digest));
  SECTION("cut short") { fs::resize_file(made->file, 1 << 20); }
  SECTION("gone") { fs::remove(made->file); }
  SECTION("written to") {
    std::fstream(made->file, std::ios::in | std::ios::out).seekp(5000).put('x');
  }
  SECTION("manifest cut") { fs::resize_file(s / "tiny/manifest.json", 20); }
  for (const auto& seen : {check_image(s / "tiny"), ensure_image(s / "tiny", tiny, {})}) {
    REQUIRE(code(seen) == errc::corrupted);
    CHECK(seen.error().remedy.find((s / "tiny").string()) != std::string::npos);
  }
  fs::remove_all(s / "tiny");
  CHECK(ensure_image(s / "tiny", tiny, {}));
}

TEST_CASE("an image that is made again leaves the older one to the VMs that stand on it") {
  if (!have_parts())
    return;
  const test::scratch s;
  const auto old = ensure_image(s / "tiny", tiny, {});
  REQUIRE(old);
  REQUIRE(build_image(s / "tiny", tiny, {}));
  const auto now = check_image(s / "tiny");
  REQUIRE(now);
  CHECK(fs::exists(old->file));
  CHECK(storage::sha256_sparse(old->file).value_or("") == old->sha256);
}

TEST_CASE("a build that is stopped leaves no image") {
  if (!have_parts())
    return;
  const test::scratch s;
  std::stop_source source;
  const auto made = ensure_image(
      s / "tiny", tiny, [&](auto, auto) { source.request_stop(); }, source.get_token());
  CHECK(code(made) == errc::cancelled);
  CHECK(test::names_in(s / "tiny") == std::vector<std::string>{"build.lock"});
}

TEST_CASE("what a program needs is read from its ELF headers") {
  const auto sh = slurp("/proc/self/exe");
  const auto dynamic = read_dynamic(sh);
  REQUIRE(dynamic);
  CHECK(dynamic->interpreter.find("ld-linux") != std::string::npos);
  CHECK(std::find(dynamic->needed.begin(), dynamic->needed.end(), "libc.so.6") !=
        dynamic->needed.end());
  CHECK(code(read_dynamic("#!/bin/sh\n")) == errc::bad_request);
  for (const std::size_t length : std::initializer_list<std::size_t>{0, 4, 63, 64, 100, 500})
    CHECK_FALSE(read_dynamic(sh.substr(0, length)));
}
