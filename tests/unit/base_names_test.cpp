#include "messages/base/names.hpp"
#include "tests/support/catch.hpp"

#include <csignal>

using namespace banger;

namespace {

template <class Name>
failure refused(std::string_view text) {
  auto name = Name::parse(text);
  REQUIRE_FALSE(name.has_value());
  CHECK(name.error().code == errc::bad_request);
  return name.error();
}

} // namespace

TEST_CASE("a VM name of 63 characters is a DNS label, one of 64 is not") {
  CHECK(vm_name::parse(std::string(63, 'a')).has_value());
  CHECK(refused<vm_name>(std::string(64, 'a')).why == "64 characters; max is 63 (DNS label limit)");
}

TEST_CASE("each rule for VM names has its own message") {
  CHECK(refused<vm_name>("").why == "a name is required");
  CHECK(refused<vm_name>("-a").why == "it cannot start or end with '-'");
  CHECK(refused<vm_name>("a-").why == "it cannot start or end with '-'");
  CHECK(refused<vm_name>("aB").why == "character 'B' at position 2");
  CHECK(refused<vm_name>("a.b").why == "character '.' at position 2");
  CHECK(refused<vm_name>("../x").why == "character '.' at position 1");
}

TEST_CASE("a VM name is neither folded nor trimmed") {
  CHECK_FALSE(vm_name::parse("Otter").has_value());
  CHECK_FALSE(vm_name::parse(" otter").has_value());
  CHECK(vm_name::parse("otter")->str() == "otter");
}

TEST_CASE("control characters and other bytes of a bad name do not reach the terminal") {
  CHECK(refused<vm_name>("a\x1b[2J").why == "character 0x1b at position 2");
  CHECK(refused<vm_name>("\xc3\xa9").why == "character 0xc3 at position 1");
  CHECK(refused<vm_name>(std::string_view("a\0b", 3)).why == "character 0x00 at position 2");
}

TEST_CASE("a VM id is twelve lower-case hexadecimal digits") {
  CHECK(vm_id::parse("0123456789ab").has_value());
  refused<vm_id>("0123456789aB");
  refused<vm_id>("0123456789a");
  refused<vm_id>("0123456789abc");
  refused<vm_id>("0123456789ag");
}

TEST_CASE("an image name may hold dots and underscores but stays one path component") {
  CHECK(image_name::parse("debian-12.5_x").has_value());
  refused<image_name>("");
  refused<image_name>(".");
  refused<image_name>("..");
  refused<image_name>("a/b");
  refused<image_name>("-a");
  refused<image_name>(std::string(65, 'a'));
}

TEST_CASE("sizes are whole numbers with a unit, and a bare number means MiB") {
  CHECK(parse_size("8G") == 8 * GiB);
  CHECK(parse_size("8GB") == 8 * GiB);
  CHECK(parse_size("8GiB") == 8 * GiB);
  CHECK(parse_size("512MiB") == 512 * MiB);
  CHECK(parse_size("4KiB") == 4096u);
  CHECK(parse_size("64") == 64 * MiB);
  CHECK(parse_size("1T") == 1024 * GiB);
}

TEST_CASE("sizes with signs, fractions, other units or none of value are refused") {
  for (const auto* text : {"", "G", "-1G", "+1G", "1.5G", "1 G", " 1G", "1g", "1GiBs", "1Gi", "1P",
                           "0", "0G", "0x10"}) {
    CAPTURE(text);
    auto size = parse_size(text);
    REQUIRE_FALSE(size.has_value());
    CHECK(size.error().code == errc::bad_request);
  }
}

TEST_CASE("sizes that do not fit 64 bits are too large, not wrapped") {
  CHECK(parse_size("18446744073709551616").error().why == "too large");
  CHECK(parse_size("18446744073709551615G").error().why == "too large");
  CHECK(parse_size("16777216T").error().why == "too large");
  CHECK(parse_size("16777215T") == 16777215ull << 40);
}

TEST_CASE("sizes are printed with a space and the largest unit below them") {
  CHECK(format_size(0) == "0 B");
  CHECK(format_size(1023) == "1023 B");
  CHECK(format_size(512 * MiB) == "512 MiB");
  CHECK(format_size(GiB + GiB / 4) == "1.2 GiB");
  CHECK(format_size(8 * GiB) == "8 GiB");
}

TEST_CASE("a VM gets at least one vCPU and at most those of the host") {
  const host_limits host{4, 8 * GiB};
  CHECK(check_vcpu(1, host).has_value());
  CHECK(check_vcpu(4, host).has_value());
  CHECK(check_vcpu(0, host).error().why == "it must be positive");
  CHECK(check_vcpu(-1, host).error().why == "it must be positive");
  CHECK(check_vcpu(5, host).error().why == "this host has 4 CPUs");
  CHECK_FALSE(check_vcpu(INT64_MAX, host).has_value());
  CHECK_FALSE(check_vcpu(INT64_MIN, host).has_value());
}

TEST_CASE("a VM gets the memory its kernel needs and at most that of the host") {
  const host_limits host{4, 8 * GiB};
  CHECK(check_memory_mib(128, host).has_value());
  CHECK(check_memory_mib(8192, host).has_value());
  CHECK(check_memory_mib(0, host).error().why == "it must be positive");
  CHECK(check_memory_mib(-256, host).error().why == "it must be positive");
  CHECK(check_memory_mib(127, host).error().why == "the guest kernel needs at least 128 MiB");
  CHECK(check_memory_mib(8193, host).error().why == "this host has 8 GiB");
}

TEST_CASE("a work disk has room for a file system and no more than the file system can hold") {
  CHECK(check_disk_bytes(min_disk_bytes).has_value());
  CHECK(check_disk_bytes(max_disk_bytes).has_value());
  CHECK(check_disk_bytes(min_disk_bytes - 1).error().why == "the smallest is 16 MiB");
  CHECK(check_disk_bytes(max_disk_bytes + 1).error().why == "the largest is 16 TiB");
}

TEST_CASE("a signal is one of eight words, in any case, with or without SIG") {
  CHECK(parse_signal("KILL") == SIGKILL);
  CHECK(parse_signal("sigterm") == SIGTERM);
  CHECK(parse_signal("Usr1") == SIGUSR1);
  for (const auto* bad : {"", "SIG", "9", "STOP", "CONT", "RTMIN", "SIGSIGTERM", "KILL ", "TERM\n"})
    CHECK(parse_signal(bad).error().code == errc::bad_request);
  CHECK_FALSE(parse_signal(std::string(1 << 20, 'K')));
}
