#include "actors/boot/newc.hpp"

#include "tests/unit/storage_scratch.hpp"

#include <sys/stat.h>

using namespace banger;
using namespace banger::boot;
using banger::test::code;

namespace {

std::string small_archive() {
  newc_writer w;
  w.directory("dev");
  w.char_device("dev/console", 0600, 5, 1);
  w.file("init", "#!/bin/sh\n", 0755);
  w.symlink("sh", "bin/busybox");
  return w.finish();
}

} // namespace

TEST_CASE("an archive that was written is read back the same") {
  const auto read = read_newc(small_archive());
  REQUIRE(read);
  REQUIRE(read->size() == 4);
  CHECK((*read)[0].name == "dev");
  CHECK((*read)[0].mode == (S_IFDIR | 0755U));
  CHECK((*read)[1].mode == (S_IFCHR | 0600U));
  CHECK((*read)[1].major == 5);
  CHECK((*read)[1].minor == 1);
  CHECK((*read)[2].mode == (S_IFREG | 0755U));
  CHECK((*read)[2].content == "#!/bin/sh\n");
  CHECK((*read)[3].mode == (S_IFLNK | 0777U));
  CHECK((*read)[3].content == "bin/busybox");
  for (const auto& entry : *read) {
    CHECK(entry.mtime == 0);
    CHECK(entry.uid == 0);
  }
}

TEST_CASE("the same calls make the same bytes, also by a writer that was used before") {
  newc_writer w;
  w.file("x", "1");
  const auto first = w.finish();
  w.file("x", "1");
  CHECK(w.finish() == first);
  CHECK(small_archive() == small_archive());
}

TEST_CASE("headers are 110 bytes of ASCII and everything is aligned to four") {
  newc_writer w;
  w.file("ab", "xyz", 0600);
  const auto archive = w.finish();
  CHECK(archive.substr(0, 6) == "070701");
  CHECK(archive.substr(14, 8) == "00008180");
  CHECK(archive.substr(54, 8) == "00000003");
  CHECK(archive.substr(110, 3) == std::string("ab\0", 3));
  CHECK(archive.substr(116, 3) == "xyz");
  CHECK(archive.size() % 4 == 0);
}

TEST_CASE("an archive that is cut anywhere is refused") {
  const auto whole = small_archive();
  for (std::size_t length = 0; length < whole.size(); ++length)
    CHECK(code(read_newc(whole.substr(0, length))) == errc::bad_request);
}

TEST_CASE("damaged archives are refused with the place of the damage") {
  auto archive = small_archive();
  SECTION("a number that is not hexadecimal") { archive[8] = 'g'; }
  SECTION("a wrong magic") { archive[0] = '1'; }
  SECTION("a name without its end") { archive[113] = 'x'; }
  SECTION("an absolute name") { archive[110] = '/'; }
  SECTION("a name that leaves the root") {
    newc_writer w;
    w.file("a/../../b", "x");
    archive = w.finish();
  }
  SECTION("a size beyond the end") { archive.replace(54, 8, "ffffffff"); }
  SECTION("bytes after the trailer") { archive += "x"; }
  const auto read = read_newc(archive);
  REQUIRE(code(read) == errc::bad_request);
  CHECK(read.error().what.find("byte") != std::string::npos);
}

TEST_CASE("zeros after the trailer are allowed, as the kernel allows them") {
  CHECK(read_newc(small_archive() + std::string(512, '\0')));
}
