#include "actors/boot/bzimage.hpp"

#include "tests/unit/boot_samples.hpp"
#include "tests/unit/storage_scratch.hpp"

using namespace banger;
using namespace banger::boot;
using banger::test::code;
namespace samples = banger::test::samples;

namespace {

std::string big_kernel() {
  auto kernel = samples::kernel();
  kernel.resize(9 << 20, 'k'); // two blocks of the LZ4 format
  return kernel;
}

} // namespace

TEST_CASE("the kernel comes out of a bzImage as it went in") {
  const auto out = extract_vmlinux(samples::bzimage(samples::lz4(big_kernel())));
  REQUIRE(out);
  CHECK(*out == big_kernel());
}

TEST_CASE("the version stands in the header") {
  const auto image = samples::bzimage(samples::lz4(samples::kernel()));
  CHECK(kernel_version(image).value_or("") == samples::release);
  CHECK(code(kernel_version(image.substr(0, 600))) == errc::bad_request);
  CHECK(code(kernel_version("MZ")) == errc::bad_request);
}

TEST_CASE("a bzImage that is cut anywhere is refused") {
  const auto whole = samples::bzimage(samples::lz4(samples::kernel()));
  for (std::size_t length = 0; length < whole.size(); ++length)
    REQUIRE(code(extract_vmlinux(whole.substr(0, length))) == errc::bad_request);
}

TEST_CASE("a kernel that unpacks to more than the limit is refused before it is unpacked") {
  const auto out = extract_vmlinux(samples::bzimage(samples::lz4(big_kernel())), 1 << 20);
  REQUIRE(code(out) == errc::bad_request);
  CHECK(out.error().why.find("limit") != std::string::npos);
}

TEST_CASE("a kernel with another packing is refused by the packing's name") {
  const auto packed =
      GENERATE(std::pair<std::string, std::string>{"gzip", "\x1f\x8b........"},
               std::pair<std::string, std::string>{"xz", "\xfd"
                                                         "7zXZ......"},
               std::pair<std::string, std::string>{"zstd", "\x28\xb5\x2f\xfd......"});
  const auto out = extract_vmlinux(samples::bzimage(packed.second));
  REQUIRE(code(out) == errc::unavailable);
  CHECK(out.error().why.find(packed.first) != std::string::npos);
}

TEST_CASE("what is not a kernel is refused") {
  CHECK(code(extract_vmlinux("")) == errc::bad_request);
  CHECK(code(extract_vmlinux(std::string(5000, 'x'))) == errc::bad_request);
  CHECK(code(extract_vmlinux(samples::bzimage("no packing at all"))) == errc::bad_request);
  const auto text = extract_vmlinux(samples::bzimage(samples::lz4("not an ELF file")));
  REQUIRE(code(text) == errc::bad_request);
  CHECK(text.error().why.find("ELF") != std::string::npos);
}

TEST_CASE("a damaged block or a wrong size is refused") {
  auto payload = samples::lz4(samples::kernel());
  SECTION("a length beyond the end") { payload[7] = '\x7f'; }
  SECTION("a size that is not what comes out") { payload[payload.size() - 4] ^= 1; }
  CHECK(code(extract_vmlinux(samples::bzimage(payload))) == errc::bad_request);
}
