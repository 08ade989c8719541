#include "messages/base/late_library.hpp"
#include "tests/support/catch.hpp"

#include <zlib.h>

extern "C" unsigned long crc64(unsigned long, const unsigned char*, unsigned); // in no libz

namespace {

using namespace banger;

struct libz : late_library {
  libz() : late_library("libz.so.1") {}
  BANGER_LATE(, crc32)
};

struct another_libz : late_library {
  another_libz() : late_library("libz.so.1") {}
  BANGER_LATE(, crc32)
  BANGER_LATE(, crc64)
};

struct missing : late_library {
  missing() : late_library("libz.so.999") {}
  BANGER_LATE(, crc32)
};

} // namespace

TEST_CASE("a library is there when it is first needed") {
  const libz z;
  REQUIRE(z.usable());
  CHECK(z.crc32(0, reinterpret_cast<const Bytef*>("123456789"), 9) == 0xcbf43926);
}

TEST_CASE("a library that is not here is named in the error") {
  const missing z;
  REQUIRE_FALSE(z.usable());
  CHECK(z.usable().error().code == errc::unavailable);
  CHECK_THAT(z.usable().error().what, Catch::Contains("libz.so.999"));
  CHECK_FALSE(z.usable().error().why.empty());
  CHECK(z.crc32 == nullptr);
}

TEST_CASE("a library that lacks a function cannot be used, and the error names the function") {
  const another_libz z;
  REQUIRE_FALSE(z.usable());
  CHECK_THAT(z.usable().error().why, Catch::Contains("crc64"));
  CHECK(z.crc32 != nullptr);
}
