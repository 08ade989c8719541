#include "actors/boot/modules.hpp"

#include "tests/support/catch.hpp"
#include "tests/unit/boot_samples.hpp"
#include "tests/unit/storage_scratch.hpp"

#include <algorithm>

using namespace banger;
using namespace banger::boot;
using banger::test::code;
using banger::test::put;
namespace samples = banger::test::samples;

namespace {

struct tree : test::scratch {
  tree() {
    put(*this / "modules.builtin", "kernel/fs/ext4/ext4.ko\nkernel/lib/crc-x.ko\n");
    add("drivers/virtio/virtio.ko", "virtio", "");
    add("drivers/virtio/virtio_ring.ko", "virtio_ring", "virtio");
    add("drivers/net/failover.ko", "failover", "");
    add("drivers/net/virtio_net.ko", "virtio_net", "failover,virtio_ring,crc-x");
    add("drivers/char/virtio-rng.ko", "virtio_rng", "virtio");
  }
  void add(const std::string& file, const std::string& name, const std::string& depends) {
    put(*this / ("kernel/" + file), samples::module(name, depends));
  }
};

} // namespace

TEST_CASE("modules are loaded after what they depend on, each once, built-in ones never") {
  const tree t;
  const auto plan =
      plan_modules(t.top(), {{"virtio_ring"}, {"ext4", "virtio_net", "virtio_rng", "virtio"}});
  REQUIRE(plan);
  CHECK(order_text(*plan) ==
        "virtio.ko\nvirtio_ring.ko\n--\nfailover.ko\nvirtio_net.ko\nvirtio-rng.ko\n");
}

TEST_CASE("dash and underscore in a module's name are the same") {
  const tree t;
  for (const auto* name : {"virtio-rng", "virtio_rng"}) {
    const auto plan = plan_modules(t.top(), {{}, {name}});
    REQUIRE(plan);
    CHECK(order_text(*plan) == "--\nvirtio.ko\nvirtio-rng.ko\n");
  }
}

TEST_CASE("a module that is nowhere is an error that names it") {
  tree t;
  SECTION("wished for") {
    const auto plan = plan_modules(t.top(), {{"virtio_gone"}, {}});
    REQUIRE(code(plan) == errc::not_found);
    CHECK(plan.error().what.find("virtio_gone") != std::string::npos);
  }
  SECTION("needed by another") {
    t.add("a.ko", "a", "b_gone");
    const auto plan = plan_modules(t.top(), {{}, {"a"}});
    REQUIRE(code(plan) == errc::not_found);
    CHECK(plan.error().what.find("b_gone") != std::string::npos);
  }
}

TEST_CASE("modules that depend on each other do not hang the plan") {
  tree t;
  t.add("a.ko", "a", "b");
  t.add("b.ko", "b", "a");
  CHECK(plan_modules(t.top(), {{}, {"a"}}));
}

TEST_CASE("a packed module is read and ordered as a plain one") {
  tree t;
  const std::vector<std::pair<std::string, std::string>> endings{
      {"gzip", ".gz"}, {"xz", ".xz"}, {"zstd", ".zst"}};
  for (const auto& [name, filter] : samples::packings()) {
    const auto ending = std::find_if(endings.begin(), endings.end(),
                                     [&n = name](const auto& e) { return e.first == n; });
    const auto file = t / ("kernel/packed_" + name + ".ko" + ending->second);
    const auto plain = samples::module("packed_" + name, "virtio");
    put(file, samples::packed(plain, filter));
    CHECK(read_module(file) == plain);
    const auto plan = plan_modules(t.top(), {{}, {"packed-" + name}});
    INFO(test::why(plan));
    REQUIRE(plan);
    CHECK(order_text(*plan) == "--\nvirtio.ko\npacked_" + name + ".ko\n");
  }
}

TEST_CASE("a packed module that is damaged, or a bomb, is refused by its file") {
  tree t;
  const auto [name, filter] = samples::packings().at(1);
  const auto file = t / "kernel/a.ko.xz";
  SECTION("damaged") { put(file, samples::packed(samples::module("a", ""), filter).substr(0, 60)); }
  SECTION("65 MiB of zeros") {
    put(file, samples::packed(std::string(std::size_t{65} << 20, '\0'), filter));
  }
  const auto plan = plan_modules(t.top(), {{}, {"a"}});
  REQUIRE(code(plan) == errc::bad_request);
  CHECK_THAT(plan.error().what, Catch::Contains(file.string()));
}

TEST_CASE("a damaged module is an error, wherever it was cut") {
  tree t;
  const auto whole = samples::module("a", "virtio");
  for (std::size_t length = 0; length < whole.size(); length += 7)
    CHECK_FALSE(module_depends(whole.substr(0, length)));
  put(t / "kernel/a.ko", whole.substr(0, 100));
  CHECK(code(plan_modules(t.top(), {{}, {"a"}})) == errc::corrupted);
}

TEST_CASE("without the list of what is built in there is no plan") {
  const test::scratch empty;
  CHECK(code(plan_modules(empty.top(), {})) == errc::not_found);
}

TEST_CASE("the channel's modules come first in what every guest loads") {
  const auto wishes = default_modules();
  CHECK(wishes.console ==
        std::vector<std::string>{"virtio_ring", "virtio", "virtio_mmio", "virtio_console"});
}
