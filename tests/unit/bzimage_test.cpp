#include "actors/boot/bzimage.hpp"

#include "actors/boot/packing.hpp"
#include "tests/support/catch.hpp"
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

TEST_CASE("the kernel comes out of a bzImage as it went in, however it is packed") {
  auto payloads = std::vector{samples::lz4(big_kernel())};
  for (const auto& [name, filter] : samples::packings())
    payloads.push_back(samples::payload(big_kernel(), name, filter));
  for (const auto& payload : payloads) {
    INFO(packing_of(payload));
    const auto out = extract_vmlinux(samples::bzimage(payload));
    INFO(test::why(out));
    REQUIRE(out);
    CHECK(*out == big_kernel());
  }
}

TEST_CASE("the version stands in the header") {
  const auto image = samples::bzimage(samples::lz4(samples::kernel()));
  CHECK(kernel_version(image).value_or("") == samples::release);
  CHECK(code(kernel_version(image.substr(0, 600))) == errc::bad_request);
  CHECK(code(kernel_version("MZ")) == errc::bad_request);
}

TEST_CASE("a bzImage that is cut anywhere is refused") {
  auto payloads = std::vector{samples::lz4(samples::kernel())};
  for (const auto& [name, filter] : samples::packings())
    payloads.push_back(samples::payload(samples::kernel(), name, filter));
  for (const auto& payload : payloads) {
    const auto whole = samples::bzimage(payload);
    REQUIRE(extract_vmlinux(whole));
    for (std::size_t length = 0; length < whole.size(); ++length)
      REQUIRE(code(extract_vmlinux(whole.substr(0, length))) == errc::bad_request);
  }
}

TEST_CASE("a payload that is cut anywhere is refused, although the header agrees with it") {
  for (const auto& [name, filter] : samples::packings()) {
    const auto size = samples::number(static_cast<std::uint32_t>(samples::kernel().size()));
    const auto payload = samples::packed(samples::kernel(), filter);
    for (std::size_t length = 0; length + 8 < payload.size(); ++length) {
      INFO(name << " " << length);
      REQUIRE(code(extract_vmlinux(samples::bzimage(payload.substr(0, length) + size))) ==
              errc::bad_request);
    }
  }
}

TEST_CASE("a kernel that unpacks to more than the limit is refused before it is unpacked") {
  auto payloads = std::vector{samples::lz4(big_kernel())};
  for (const auto& [name, filter] : samples::packings())
    payloads.push_back(samples::payload(big_kernel(), name, filter));
  for (const auto& payload : payloads) {
    const auto out = extract_vmlinux(samples::bzimage(payload), 1 << 20);
    REQUIRE(code(out) == errc::bad_request);
    CHECK_THAT(out.error().why, Catch::Contains("limit"));
  }
}

TEST_CASE("a kernel that unpacks to more than it says is refused where it exceeds that") {
  for (const auto& [name, filter] : samples::packings()) {
    INFO(name);
    auto payload = samples::payload(big_kernel(), name, filter);
    payload.replace(payload.size() - 4, 4, samples::number(1 << 20));
    const auto out = extract_vmlinux(samples::bzimage(payload));
    REQUIRE(code(out) == errc::bad_request);
    CHECK_THAT(out.error().why, Catch::Contains("limit"));
  }
}

TEST_CASE("what is packed more than once is refused") {
  for (const auto& [name, filter] : samples::packings()) {
    const auto twice = samples::packed(samples::packed(samples::kernel(), filter), filter);
    const auto out = unpack("it", twice, 1 << 20);
    REQUIRE(code(out) == errc::bad_request);
    CHECK_THAT(out.error().why, Catch::Contains("more than once"));
  }
}

TEST_CASE("a kernel with a packing that is not understood is refused by its name") {
  const std::vector<std::pair<std::string, std::string>> others{
      {"bzip2", "BZh91AY......"},
      {"lzma", std::string("\x5d\0\0......", 9)},
      {"lzo", "\x89LZO........"}};
  for (const auto& [name, payload] : others) {
    const auto out = extract_vmlinux(samples::bzimage(payload + samples::number(100)));
    REQUIRE(code(out) == errc::unavailable);
    CHECK_THAT(out.error().why, Catch::Contains(name));
  }
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
