#include "actors/hypervisor/process.hpp"
#include "actors/vm/ports.hpp"
#include "actors/vm/stats.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/storage_scratch.hpp"

#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

using namespace banger;
using namespace banger::vm;

namespace {

const clock_facts host{100, 4096, 60'000'000};

// Fields 3 to 26, some of them telling.
std::string stat_line(const std::string& name, char state = 'S') {
  return "77 (" + name + ") " + state +
         " 1 77 77 0 -1 4194304 100 0 0 0 150 50 7 7 20 0 3 0 1000 104857600 2500 "
         "18446744073709551615 1";
}

usage a_look(std::uint64_t uptime_us, std::uint64_t cpu_us, std::uint64_t start_time = 1000) {
  usage now;
  now.process = {77, start_time, "boot"};
  now.of = {start_time, cpu_us, uptime_us, 0};
  return now;
}

} // namespace

TEST_CASE("a line of /proc/PID/stat tells CPU, age and memory, whatever the process is called") {
  for (const char* name : {"qemu-system-x86", "a) S 1 (b", ")", ""}) {
    const auto use = parse_process(stat_line(name), host);
    REQUIRE(use);
    CHECK(use->start_time == 1000);
    CHECK(use->cpu_us == 2'000'000); // 150 + 50 ticks, without those of its children
    CHECK(use->uptime_us == 50'000'000);
    CHECK(use->rss_bytes == 2500 * 4096);
  }
}

TEST_CASE("what is not the line of a living process tells nothing") {
  CHECK_FALSE(parse_process("", host));
  CHECK_FALSE(parse_process("77 (a", host));
  CHECK_FALSE(parse_process("77 (a) S 1 2 3", host));
  CHECK_FALSE(parse_process("77 (a) S 1 77 77 0 x", host));
  CHECK_FALSE(parse_process(stat_line("a", 'Z'), host));
}

TEST_CASE("the CPU rate is since the process began, then since the last look") {
  cpu_meter meter;
  const auto first = meter.look(a_look(10'000'000, 1'000'000));
  CHECK(first.tenths == 100);
  CHECK(first.over_us == 10'000'000);
  const auto next = meter.look(a_look(12'000'000, 4'000'000));
  CHECK(next.tenths == 1500); // a CPU and a half
  CHECK(next.over_us == 2'000'000);
  // Two looks within a few ticks of the clock would tell nonsense.
  const auto again = meter.look(a_look(12'100'000, 4'010'000));
  CHECK(again.tenths == 1500);
  CHECK(meter.look(a_look(13'000'000, 4'000'000)).tenths == 0);
}

TEST_CASE("the CPU rate begins anew with another process, and is nothing without one") {
  cpu_meter meter;
  meter.look(a_look(10'000'000, 1'000'000));
  CHECK(meter.look(a_look(1'000'000, 500'000, 2000)).tenths == 500);
  CHECK(meter.look(usage{}).tenths == 0);
  CHECK(meter.look(a_look(2'000'000, 500'000, 2000)).over_us == 2'000'000);
  CHECK(cpu_meter{}.look(a_look(0, 0)).tenths == 0);
}

TEST_CASE("a process is read only if it began when it should have") {
  const test::scratch folder;
  auto me = hypervisor::identify(static_cast<std::uint32_t>(::getpid()));
  REQUIRE(me);
  const auto now = read_usage(*me, folder.top());
  CHECK(now.process.pid == me->pid);
  CHECK(now.of.rss_bytes > 0);
  CHECK(now.disks.empty());
  ++me->start_time;
  CHECK(read_usage(*me, folder.top()).process.pid == 0);
  --me->start_time;
  me->boot_id = "another boot";
  CHECK(read_usage(*me, folder.top()).of.rss_bytes == 0);
  CHECK(read_usage({}, folder.top() / "none").disks.empty());
}

TEST_CASE("disks are told with what is allocated and what the guest sees") {
  const test::scratch folder;
  const auto file = [&](const char* name) { return folder.top() / name; };
  std::ofstream(file("work.img")) << std::string(8192, 'x');
  std::filesystem::resize_file(file("work.img"), 64ull << 20);
  std::ofstream(file("console.log")) << "no disk";
  std::filesystem::create_symlink("/etc/passwd", file("link.img"));
  std::string head("QFI\xfb\0\0\0\3", 8);
  head.resize(65536);
  head[28] = 0x40; // 1 GiB, big endian
  std::ofstream(file("root.qcow2")) << head;
  std::ofstream(file("torn.qcow2")) << "QF";
  const auto disks = read_usage({}, folder.top()).disks;
  REQUIRE(disks.size() == 3);
  CHECK(disks[0].name == "root.qcow2");
  CHECK(disks[0].bytes == 1ull << 30);
  CHECK(disks[0].used_bytes >= 65536);
  CHECK(disks[1].bytes == 2);
  CHECK(disks[2].name == "work.img");
  CHECK(disks[2].bytes == 64ull << 20);
  CHECK(disks[2].used_bytes >= 8192);
  CHECK(disks[2].used_bytes < 1 << 20);
}

TEST_CASE("an endpoint is the guest's own address, and nothing for what only the guest reaches") {
  const auto of = [](const char* address, const char* guest = "10.0.2.15/24") {
    return endpoint_of({guest::transport_protocol::tcp, address, 80, 0, ""}, guest);
  };
  CHECK(of("0.0.0.0") == "10.0.2.15:80");
  CHECK(of("::") == "10.0.2.15:80");
  CHECK(of("0.0.0.0", "").empty());
  CHECK(of("127.0.0.1").empty());
  CHECK(of("127.1.2.3").empty());
  CHECK(of("::1").empty());
  CHECK(of("::ffff:127.0.0.1").empty());
  CHECK(of("10.0.2.15") == "10.0.2.15:80");
  CHECK(of("fe80::1") == "[fe80::1]:80");
}
