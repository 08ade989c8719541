#include "cli/config_view.hpp"
#include "cli/options.hpp"
#include "cli/print.hpp"
#include "cli/sizing.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <cstring>

using namespace banger;
using namespace banger::cli;

namespace {

struct host_case {
  std::uint32_t cpus;
  std::uint64_t memory;
  bool emulated;
  std::int64_t vcpu;
  const char* vcpu_why;
  std::int64_t memory_mib;
  const char* memory_why;
};

} // namespace

TEST_CASE("without a file, sizes come from the host, within a floor and a cap") {
  const std::vector<host_case> cases = {
      {1, GiB, false, 1, "builtin", 512, "builtin"},
      {2, 4 * GiB, false, 2, "builtin", 1024, "builtin"},
      {4, 8 * GiB, false, 2, "builtin", 1024, "host, 8 GiB / 8"},
      {8, 16 * GiB, false, 2, "host, 8 CPUs / 4", 2048, "host, 16 GiB / 8"},
      {16, 64 * GiB, false, 4, "host, 16 CPUs / 4", 8192, "host, 64 GiB / 8"},
      {64, 512 * GiB, false, 4, "host, 64 CPUs / 4, at most 4", 8192,
       "host, 512 GiB / 8, at most 8192"},
      {1, 128 * MiB, true, 1, "builtin", 128, "builtin"},
      {2, 4 * GiB, true, 1, "builtin", 1024, "builtin"},
      {4, 8 * GiB, true, 1, "host, 4 CPUs / 4", 1024, "host, 8 GiB / 8"},
      {12, 16 * GiB, true, 3, "host, 12 CPUs / 4", 2048, "host, 16 GiB / 8"},
  };
  for (const auto& c : cases) {
    INFO(c.cpus << " CPUs, " << format_size(c.memory) << (c.emulated ? ", emulated" : ""));
    const auto s = choose_sizes({}, {c.cpus, c.memory}, c.emulated, "debian-bookworm");
    CHECK(s.vcpu.value == c.vcpu);
    CHECK(s.vcpu.why == c.vcpu_why);
    CHECK(s.memory_mib.value == c.memory_mib);
    CHECK(s.memory_mib.why == c.memory_why);
    CHECK(s.disk_bytes.value == static_cast<std::int64_t>(8 * GiB));
    CHECK(s.disk_bytes.from == layer::builtin);
  }
}

TEST_CASE("tiny keeps its little memory on any host") {
  const auto s = choose_sizes({}, {64, 512 * GiB}, false, "tiny");
  CHECK(s.memory_mib.value == 256);
  CHECK(s.memory_mib.from == layer::image);
}

TEST_CASE("what the file says wins over image, host and constant, key by key") {
  config::vm_defaults file;
  file.memory_mib = 3000;
  auto s = choose_sizes(file, {8, 16 * GiB}, false, "tiny");
  CHECK(s.memory_mib.value == 3000);
  CHECK(s.memory_mib.from == layer::config);
  CHECK(s.vcpu.from == layer::host);
  file.vcpu = 7;
  file.disk_bytes = 20 * GiB;
  s = choose_sizes(file, {8, 16 * GiB}, false, "tiny");
  CHECK(s.vcpu.value == 7);
  CHECK(s.disk_bytes.value == static_cast<std::int64_t>(20 * GiB));
  CHECK(s.disk_bytes.why == "config.toml");
}

TEST_CASE("short sizes can be typed after a flag") {
  CHECK(short_size(8 * GiB) == "8G");
  CHECK(short_size(1536 * MiB) == "1536M");
  for (const auto bytes : {16 * MiB, 8 * GiB, 1536 * MiB, 4096 * GiB})
    CHECK(parse_size(short_size(bytes)) == bytes);
}

TEST_CASE("the spec line is ASCII and says what will be made") {
  messages::create_request vm;
  vm.vcpu = 2;
  vm.memory_mib = 1024;
  vm.disk_bytes = 8 * GiB;
  vm.image = "debian-bookworm";
  CHECK(spec_line(vm) == "spec: 2 vcpu | 1024 MiB | 8G disk | debian-bookworm\n");
}

TEST_CASE("config show tells each value with where it comes from") {
  surroundings around{{8, 16 * GiB},
                      [](const char* name) -> const char* {
                        return std::strcmp(name, "BANGER_ROOT_DISK") == 0 ? "qcow2" : nullptr;
                      },
                      {},
                      false};
  around.config.file = "/c.toml";
  around.config.log_level = "warn";
  around.config.root_disk = "reflink";
  around.config.vm_defaults.disk_bytes = 20 * GiB;
  const auto all = effective_config(around);
  CHECK(all.size() == config::keys().size());
  const auto of = [&](std::string_view key) {
    const auto at =
        std::find_if(all.begin(), all.end(), [&](const auto& e) { return e.key == key; });
    REQUIRE(at != all.end());
    return at->value + " from " + at->from;
  };
  CHECK(of("log_level") == "warn from config.toml");
  CHECK(of("root_disk") == "qcow2 from BANGER_ROOT_DISK");
  CHECK(of("vm_defaults.vcpu") == "2 from host, 8 CPUs / 4");
  CHECK(of("vm_defaults.disk_size") == "20G from config.toml");
  CHECK(of("idle_exit") == "15m from builtin");
  CHECK_THAT(config_page(around), Catch::StartsWith("file: /c.toml\n"));
  CHECK_THAT(config_json(around), Catch::Contains("\"value\": \"qcow2\""));
}
