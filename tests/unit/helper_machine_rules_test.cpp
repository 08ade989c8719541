// What the daemon may ask of the role `machine`, and what it may not.
#include "privhelper/rules/describe.hpp"
#include "privhelper/rules/machine.hpp"
#include "tests/unit/helper_attacks.hpp"

#include <csignal>
#include <fstream>
#include <iterator>

using namespace banger;
using namespace banger::messages;
using namespace std::string_literals;
using banger::test::refuses_poison;

namespace {

const helper::bounds site{{200'000, 1000}, 1000, "/home/alice/.local/state/banger", {8, 16 * GiB}};
constexpr const char* id = "0123456789ab";

launch_order some_launch() {
  launch_order order;
  order.vm = id;
  order.hypervisor = "firecracker";
  order.folder = "vms/0123456789ab";
  order.disks = {"vms/0123456789ab/root.img", "images/debian-bookworm/rootfs.ext4"};
  order.kernel = "kernels/6.1/vmlinuz";
  order.initramfs = "kernels/6.1/initramfs";
  order.vcpu = 2;
  order.uid = 200'007;
  order.memory_mib = 512;
  return order;
}
signal_order some_signal() { return {"", id, 4711, 123'456, "TERM"}; }
root_disk_order some_disk() {
  return {"", id, "images/tiny/rootfs.ext4", "vms/0123456789ab/root.cow", 64 * MiB, true};
}
socket_order some_socket() { return {"", id, "vms/0123456789ab/api.sock"}; }

const auto checked = [](const auto& order) { return helper::check(order, site); };

template <class Order>
std::string field_of(const Order& order) {
  const auto read = helper::check(order, site);
  return read ? "none" : read.error().what;
}

/// The field that is complained about when `member` is `value`.
template <class Order, class Member, class Value>
std::string with(Order order, Member member, Value value) {
  order.*member = value;
  return field_of(order);
}

} // namespace

TEST_CASE("orders of the role machine become values that are inside their rules") {
  const auto launch = helper::check(some_launch(), site);
  REQUIRE(launch);
  CHECK(launch->hypervisor == helper::hypervisor_kind::firecracker);
  CHECK(launch->folder.str() == "vms/0123456789ab");
  CHECK(launch->folder.what() == helper::thing::folder);
  CHECK(launch->disks.at(1).str() == "images/debian-bookworm/rootfs.ext4");
  CHECK(launch->kernel.what() == helper::thing::file);
  CHECK(launch->uid == 200'007);
  const auto signal = helper::check(some_signal(), site);
  REQUIRE(signal);
  CHECK(signal->signal == SIGTERM);
  CHECK(helper::check(cleanup_order{"op-abcdef0123", id}, site)->vm.str() == id);
  CHECK(helper::check(some_disk(), site)->bytes == 64 * MiB);
  CHECK(helper::check(some_socket(), site)->path.what() == helper::thing::socket);
  CHECK(helper::check(machine_sweep{"", {id}}, site)->vms.size() == 1);
}

TEST_CASE("a path may be said from the state folder or from the root") {
  auto order = some_launch();
  order.kernel = site.state + "/kernels/6.1/vmlinuz";
  CHECK(helper::check(order, site)->kernel.str() == "kernels/6.1/vmlinuz");
  order.kernel = "kernels/Größe/vmlinuz"; // what a file system takes, and a terminal
  CHECK(helper::check(order, site));
}

TEST_CASE("no path leaves the state folder") {
  const std::vector<std::string> bad = {"",
                                        "/",
                                        ".",
                                        "..",
                                        "../x",
                                        "x/..",
                                        "x/../y",
                                        "x/./y",
                                        "./x",
                                        "x//y",
                                        "x/",
                                        "//x",
                                        "/x",
                                        "/etc/shadow",
                                        site.state,
                                        site.state + "/",
                                        site.state + "x/y",
                                        site.state + "/../y",
                                        site.state + "//y",
                                        "/home/alice/.local/state",
                                        "x\0y"s,
                                        "x\ny",
                                        "x\x1by",
                                        "x\x7fy",
                                        std::string(256, 'a'),
                                        std::string(1025, 'a'),
                                        "/proc/self/root/etc/shadow"};
  for (const auto& path : bad) {
    INFO(helper::clean(path));
    CHECK(with(some_launch(), &launch_order::kernel, path) == "launch order: field kernel");
    CHECK(with(some_launch(), &launch_order::initramfs, path) == "launch order: field initramfs");
    CHECK(with(some_launch(), &launch_order::folder, path) == "launch order: field folder");
    CHECK(with(some_disk(), &root_disk_order::image, path) == "rootdisk order: field image");
    CHECK(with(some_socket(), &socket_order::path, path) == "socket order: field path");
    auto order = some_launch();
    order.disks[1] = path;
    CHECK(field_of(order) == "launch order: field disks[1]");
  }
  helper::bounds nowhere = site;
  nowhere.state.clear();
  auto order = some_launch();
  order.kernel = "/etc/shadow";
  CHECK_FALSE(helper::check(order, nowhere));
}

TEST_CASE("folder, overlay and socket are in the VM's own folder") {
  for (const auto* foreign : {"vms/ba9876543210", "vms", "vms/0123456789ab/x", "images/tiny"})
    CHECK(with(some_launch(), &launch_order::folder, foreign) == "launch order: field folder");
  for (const auto* foreign :
       {"vms/ba9876543210/root.cow", "vms/0123456789ab", "vms/0123456789abc/x", "root.cow"}) {
    CHECK(with(some_disk(), &root_disk_order::overlay, foreign) == "rootdisk order: field overlay");
    CHECK(with(some_socket(), &socket_order::path, foreign) == "socket order: field path");
  }
}

TEST_CASE("a VM is named by its id in every order") {
  const auto vm = [](auto& order) -> std::string& { return order.vm; };
  refuses_poison(some_launch(), vm, checked, "vm");
  refuses_poison(some_signal(), vm, checked, "vm");
  refuses_poison(cleanup_order{"", id}, vm, checked, "vm");
  refuses_poison(some_disk(), vm, checked, "vm");
  refuses_poison(some_socket(), vm, checked, "vm");
  refuses_poison(
      machine_sweep{"", {id}}, [](auto& o) -> std::string& { return o.vms[0]; }, checked, "vms[0]");
  for (const auto* bad : {"", "0123456789AB", "0123456789a", "0123456789abc", "0123456789a/"})
    CHECK(with(some_signal(), &signal_order::vm, bad) == "signal order: field vm");
}

TEST_CASE("a hypervisor is one of two") {
  refuses_poison(
      some_launch(), [](auto& o) -> std::string& { return o.hypervisor; }, checked, "hypervisor");
  for (const auto* bad : {"", "bash", "/bin/sh", "QEMU", "qemu ", "qemu-system-x86_64"})
    CHECK(with(some_launch(), &launch_order::hypervisor, bad) == "launch order: field hypervisor");
}

TEST_CASE("a hypervisor runs as one of its ids, never as root or the owner") {
  for (const auto uid : {0U, 1U, 1000U, 199'999U, 201'000U, 65534U, UINT32_MAX, UINT32_MAX - 1})
    CHECK(with(some_launch(), &launch_order::uid, uid) == "launch order: field uid");
  for (const auto uid : {200'000U, 200'999U})
    CHECK(with(some_launch(), &launch_order::uid, uid) == "none");
  // Also where the installation is wrong.
  const helper::bounds odd{{0, UINT32_MAX}, 1000, "/s", {8, 16 * GiB}};
  auto order = some_launch();
  for (const auto uid : {0U, 1000U}) {
    order.uid = uid;
    CHECK_FALSE(helper::check(order, odd));
  }
  const helper::bounds last{{UINT32_MAX - 9, 10}, 1000, "/s", {8, 16 * GiB}};
  order.uid = 5; // beyond the end of numbers
  CHECK_FALSE(helper::check(order, last));
}

TEST_CASE("sizes are bounded by the host, and not 0") {
  for (const auto n : {0U, 9U, 0x80000000U, UINT32_MAX})
    CHECK(with(some_launch(), &launch_order::vcpu, n) == "launch order: field vcpu");
  for (const auto n :
       {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{16385}, std::uint64_t{1} << 44,
        std::uint64_t{1} << 63, UINT64_MAX, (std::uint64_t{1} << 44) + 512})
    CHECK(with(some_launch(), &launch_order::memory_mib, n) == "launch order: field memory_mib");
  CHECK(with(some_launch(), &launch_order::memory_mib, 16384U) == "none");
  for (const auto n : {std::uint64_t{0}, std::uint64_t{1}, 16 * MiB - 512, 16 * MiB + 1,
                       max_disk_bytes + 512, UINT64_MAX})
    CHECK(with(some_disk(), &root_disk_order::bytes, n) == "rootdisk order: field bytes");
}

TEST_CASE("disks are 1 to 8, none twice") {
  auto order = some_launch();
  order.disks.clear();
  CHECK(field_of(order) == "launch order: field disks");
  for (int i = 0; i < 8; ++i)
    order.disks.push_back("d" + std::to_string(i));
  CHECK(field_of(order) == "none");
  order.disks.emplace_back("d8");
  CHECK(field_of(order) == "launch order: field disks");
  order.disks = {"d", site.state + "/d"}; // the same in other words
  CHECK(field_of(order) == "launch order: field disks[1]");
}

TEST_CASE("a process is one that there can be, with its start time") {
  for (const auto pid : {0U, 1U, 4'194'305U, 0x80000000U, UINT32_MAX})
    CHECK(with(some_signal(), &signal_order::pid, pid) == "signal order: field pid");
  CHECK(with(some_signal(), &signal_order::start_time, 0U) == "signal order: field start_time");
}

TEST_CASE("a signal is one that ends") {
  refuses_poison(
      some_signal(), [](auto& o) -> std::string& { return o.signal; }, checked, "signal");
  for (const auto* good : {"TERM", "KILL", "INT", "HUP", "QUIT", "USR1", "USR2", "ABRT", "SIGKILL"})
    CHECK(with(some_signal(), &signal_order::signal, good) == "none");
  for (const auto* bad : {"", "STOP", "CONT", "SEGV", "CHLD", "9", "0", "-9", "RTMIN", "KILL "})
    CHECK(with(some_signal(), &signal_order::signal, bad) == "signal order: field signal");
}

TEST_CASE("a root disk that goes needs no files") {
  auto order = some_disk();
  order.image.clear();
  CHECK(field_of(order) == "rootdisk order: field image");
  order.present = false;
  order.overlay.clear();
  order.bytes = 0;
  REQUIRE(helper::check(order, site));
  CHECK_FALSE(helper::check(order, site)->image);
  order.overlay = "../x";
  CHECK(field_of(order) == "rootdisk order: field overlay");
}

TEST_CASE("the table of gates in docs/privileges.md is the one in the code") {
  std::ifstream in(BANGER_SOURCE "/docs/privileges.md");
  const std::string page{std::istreambuf_iterator<char>(in), {}};
  INFO(helper::describe_gates());
  CHECK(page.find(helper::describe_gates()) != std::string::npos);
}

TEST_CASE("each role has at most ten verbs, and no verb twice") {
  for (const auto& verbs : {helper::network_gates(), helper::machine_gates()}) {
    CHECK(verbs.size() <= 10);
    std::set<std::string> names;
    for (const auto& v : verbs)
      CHECK(names.insert(v.verb).second);
  }
}
