#include "actors/hypervisor/qemu.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/hypervisor_scratch.hpp"

#include <algorithm>
#include <sys/socket.h>
#include <sys/stat.h>

using namespace banger;
using namespace banger::hypervisor;
using banger::test::scratch_folder;

namespace {

host_facts emulated() {
  host_facts facts;
  facts.binary = "/usr/bin/qemu-system-x86_64";
  facts.version = "7.2.22";
  facts.tsc_khz = 2596124;
  facts.why_not_kvm = "there is no usable /dev/kvm on this host";
  return facts;
}

host_facts accelerated() {
  auto facts = emulated();
  facts.accel = accelerator::kvm;
  facts.why_not_kvm.clear();
  return facts;
}

machine_config small_machine() {
  machine_config config;
  config.folder = "/state/vms/0123456789ab";
  config.kernel = "/state/kernels/vmlinux";
  config.initramfs = "/state/kernels/initramfs";
  return config;
}

bool has(const qemu_command& command, const std::string& word) {
  return std::find(command.argv.begin(), command.argv.end(), word) != command.argv.end();
}

/// What follows the option; all of them where it is given several times.
std::vector<std::string> values(const qemu_command& command, const std::string& option) {
  std::vector<std::string> found;
  for (std::size_t i = 0; i + 1 < command.argv.size(); ++i)
    if (command.argv[i] == option)
      found.push_back(command.argv[i + 1]);
  return found;
}

std::string value(const qemu_command& command, const std::string& option) {
  const auto all = values(command, option);
  return all.size() == 1 ? all.front() : "(given " + std::to_string(all.size()) + " times)";
}

} // namespace

TEST_CASE("an emulated machine has a bounded translation cache and a plain CPU") {
  auto config = small_machine();
  config.translation_cache_mib = 128;
  config.vcpu = 2;
  config.memory_mib = 512;
  const auto command = qemu_arguments(emulated(), config);
  CHECK(command.argv.front() == "/usr/bin/qemu-system-x86_64");
  CHECK(value(command, "-accel") == "tcg,tb-size=128");
  CHECK(value(command, "-cpu") == "Nehalem-v1");
  CHECK(value(command, "-smp") == "2");
  CHECK(value(command, "-m") == "512M");
  CHECK(value(command, "-name") == "banger-0123456789ab");
}

TEST_CASE("a machine under KVM has the host's CPU, without its virtualisation") {
  const auto command = qemu_arguments(accelerated(), small_machine());
  CHECK(value(command, "-accel") == "kvm");
  CHECK(value(command, "-cpu") == "host,vmx=off,svm=off");
}

TEST_CASE("every machine has a CMOS clock, which Linux waits for") {
  for (const auto& facts : {emulated(), accelerated()})
    CHECK(value(qemu_arguments(facts, small_machine()), "-M") ==
          "microvm,dump-guest-core=off,rtc=on");
}

TEST_CASE("a nested machine has a CPU that virtualises, and a larger translation cache") {
  auto config = small_machine();
  config.nested = true;
  CHECK(value(qemu_arguments(accelerated(), config), "-cpu") == "host");
  const auto command = qemu_arguments(emulated(), config);
  CHECK(value(command, "-cpu") == "max");
  CHECK(value(command, "-accel") == "tcg,tb-size=512");
}

TEST_CASE("a nested machine is refused where the host cannot run it, with the reason") {
  auto config = small_machine();
  config.nested = true;
  CHECK(check_nested(emulated(), config));
  CHECK(check_nested(accelerated(), config));
  auto facts = accelerated();
  facts.why_not_nested = "/sys/module/kvm_intel/parameters/nested is N";
  auto refused = check_nested(facts, config);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::unavailable);
  CHECK(refused.error().why == facts.why_not_nested);
  config.vcpu = 2;
  CHECK(check_nested(accelerated(), config));
  refused = check_nested(emulated(), config);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::bad_request);
  CHECK(refused.error().remedy.find("--vcpu 1") != std::string::npos);
  auto unproven = emulated();
  unproven.kvm_unproven = true; // KVM may yet be proven, and then two vCPUs are well
  CHECK(check_nested(unproven, config));
  config.nested = false;
  CHECK(check_nested(facts, config));
  CHECK(check_nested(emulated(), config));
}

TEST_CASE("a user who can make KVM usable reads how, others read nothing") {
  auto facts = emulated();
  CHECK(make_qemu_driver(facts)->notice().empty());
  facts.kvm_remedy = "join its group";
  const auto line = make_qemu_driver(facts)->notice();
  CHECK(line.find(facts.why_not_kvm) != std::string::npos);
  CHECK(line.find("join its group") != std::string::npos);
  facts.accel = accelerator::kvm;
  CHECK(make_qemu_driver(facts)->notice().empty());
}

TEST_CASE("nothing is in the machine that was not asked for") {
  const auto command = qemu_arguments(emulated(), small_machine());
  for (const auto* word : {"-nodefaults", "-no-user-config", "-nographic", "-no-reboot"})
    CHECK(has(command, word));
  CHECK(value(command, "-global") == "virtio-mmio.force-legacy=false");
  CHECK(values(command, "-drive").empty());
  CHECK(values(command, "-blockdev").empty());
}

TEST_CASE("QEMU's own system call filter is fully on") {
  CHECK(value(qemu_arguments(emulated(), small_machine()), "-sandbox") ==
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
}

TEST_CASE("the channels are inherited at fixed numbers, and the console misses nothing") {
  const auto command = qemu_arguments(emulated(), small_machine());
  CHECK(values(command, "-chardev") ==
        std::vector<std::string>{"socket,id=qmp,fd=3,server=on,wait=off",
                                 "socket,id=agent,fd=4,server=on,wait=off",
                                 "socket,id=console,fd=5,server=on,wait=on"});
  CHECK(value(command, "-mon") == "chardev=qmp,mode=control");
  CHECK(value(command, "-serial") == "chardev:console");
  CHECK(values(command, "-device") ==
        std::vector<std::string>{
            "virtio-serial-device,max_ports=2",
            "virtserialport,id=agent-port,chardev=agent,name=banger.agent.0,nr=1",
            "virtio-net-device,netdev=net0,mac=52:54:00:ba:00:01", "virtio-rng-device"});
}

TEST_CASE("kernel and initramfs are opened through inherited descriptors") {
  const auto command = qemu_arguments(emulated(), small_machine());
  CHECK(value(command, "-kernel") == "/proc/self/fd/7");
  CHECK(value(command, "-initrd") == "/proc/self/fd/8");
  REQUIRE(command.files.size() == 2);
  CHECK(command.files[0].number == 7);
  CHECK(command.files[0].path == "/state/kernels/vmlinux");
  CHECK(command.files[1].path == "/state/kernels/initramfs");
  CHECK_FALSE(command.files[0].writable);
}

TEST_CASE("a tap is inherited, and not opened by its name") {
  auto config = small_machine();
  config.network = network_kind::tap;
  const auto command = qemu_arguments(emulated(), config);
  CHECK(values(command, "-netdev") == std::vector<std::string>{"tap,id=net0,vhost=off,fd=6"});
}

TEST_CASE("the guest of an emulated machine is told the rate of its clock") {
  CHECK(kernel_command_line(emulated()) ==
        "console=ttyS0 panic=-1 quiet loglevel=3 net.ifnames=0 cryptomgr.notests mitigations=off "
        "noreplace-smp tsc=reliable tsc_early_khz=2596124");
  CHECK(kernel_command_line(accelerated()) ==
        "console=ttyS0 panic=-1 quiet loglevel=3 net.ifnames=0 cryptomgr.notests");
  CHECK(kernel_command_line(accelerated(), true) ==
        "console=ttyS0 panic=-1 net.ifnames=0 cryptomgr.notests");
}

TEST_CASE("two VMs of one shape differ in their name only") {
  auto one = small_machine(), two = small_machine();
  one.disks = {{"/state/vms/a/root.img", disk_format::raw, {}, false}};
  two.disks = {{"/state/vms/b/root.img", disk_format::raw, {}, false}};
  two.folder = "/state/vms/b";
  const auto first = qemu_arguments(emulated(), one).argv;
  const auto second = qemu_arguments(emulated(), two).argv;
  REQUIRE(first.size() == second.size());
  std::size_t differences = 0;
  for (std::size_t i = 0; i < first.size(); ++i)
    differences += first[i] == second[i] ? 0 : 1;
  CHECK(differences == 1);
}

TEST_CASE("a writable disk is locked, honours flushes and gives space back") {
  auto config = small_machine();
  config.disks = {{"/state/vms/a/root.img", disk_format::raw, {}, false}};
  const auto command = qemu_arguments(emulated(), config);
  CHECK(value(command, "-add-fd") == "fd=9,set=9");
  CHECK(
      values(command, "-blockdev") ==
      std::vector<std::string>{"driver=file,node-name=file0,filename=/dev/fdset/9,cache.direct=off,"
                               "cache.no-flush=off,read-only=off,discard=unmap",
                               "driver=raw,node-name=disk0,file=file0,read-only=off,discard=unmap,"
                               "detect-zeroes=off"});
  CHECK(has(command, "virtio-blk-device,drive=disk0,id=vd0,werror=stop,rerror=report"));
  CHECK(command.files.back().writable);
}

TEST_CASE("a read-only disk is shared without locks") {
  auto config = small_machine();
  config.disks = {{"/state/images/base.img", disk_format::raw, {}, true}};
  const auto command = qemu_arguments(emulated(), config);
  CHECK(
      values(command, "-blockdev") ==
      std::vector<std::string>{"driver=file,node-name=file0,filename=/dev/fdset/9,cache.direct=off,"
                               "cache.no-flush=off,read-only=on,locking=off",
                               "driver=raw,node-name=disk0,file=file0,read-only=on"});
  CHECK_FALSE(command.files.back().writable);
}

TEST_CASE("a qcow2 overlay names its backing file by descriptor, never by its header") {
  auto config = small_machine();
  config.disks = {{"/vm/root.qcow2", disk_format::qcow2, "/images/base.img", false},
                  {"/vm/work.img", disk_format::raw, {}, false}};
  const auto command = qemu_arguments(emulated(), config);
  const auto nodes = values(command, "-blockdev");
  REQUIRE(nodes.size() == 6);
  CHECK(nodes[1].find("filename=/dev/fdset/10") != std::string::npos);
  CHECK(nodes[1].find("read-only=on,locking=off") != std::string::npos);
  CHECK(nodes[2] == "driver=raw,node-name=base0,file=basefile0,read-only=on");
  CHECK(nodes[3] == "driver=qcow2,node-name=disk0,file=file0,read-only=off,discard=unmap,"
                    "detect-zeroes=off,backing=base0");
  REQUIRE(command.files.size() == 5);
  CHECK(command.files[3].path == "/images/base.img");
  CHECK_FALSE(command.files[3].writable);
  CHECK(command.files[4].number == 11);
}

TEST_CASE("the user network is closed unless NAT was asked for") {
  auto config = small_machine();
  CHECK(value(qemu_arguments(emulated(), config), "-netdev") ==
        "user,id=net0,ipv6=off,restrict=on");
  config.nat = true;
  CHECK(value(qemu_arguments(emulated(), config), "-netdev") ==
        "user,id=net0,ipv6=off,restrict=off");
  config.network = network_kind::none;
  CHECK(values(qemu_arguments(emulated(), config), "-netdev").empty());
}

TEST_CASE("a machine that cannot be is refused with the reason") {
  const auto why = [](auto change) {
    auto config = small_machine();
    change(config);
    const auto checked = check_machine(config);
    return checked ? std::string() : checked.error().why;
  };
  CHECK(why([](machine_config&) {}).empty());
  CHECK(why([](machine_config& c) { c.vcpu = 0; }) == "a microvm has 1 to 255 vCPUs");
  CHECK(why([](machine_config& c) { c.vcpu = 256; }) == "a microvm has 1 to 255 vCPUs");
  CHECK(why([](machine_config& c) { c.memory_mib = 0; }) == "it has no memory");
  CHECK(why([](machine_config& c) { c.translation_cache_mib = 0; }) ==
        "its translation cache is empty");
  CHECK(why([](machine_config& c) { c.disks.resize(17); }) == "a microvm has at most 16 disks");
  CHECK(why([](machine_config& c) {
          c.disks = {{"/a", disk_format::raw, "/b", false}};
        }) == "/a is raw and cannot have a backing file");
}

TEST_CASE("without QEMU the plan names the package") {
  auto facts = emulated();
  facts.binary.clear();
  const auto planned = make_qemu_driver(facts)->plan(small_machine());
  REQUIRE_FALSE(planned);
  CHECK(planned.error().code == errc::unavailable);
  CHECK(planned.error().remedy.find("apt-get install qemu-system-x86") == 0);
}

TEST_CASE("a plan opens the files and connects to its own sockets before anything runs") {
  const scratch_folder folder;
  auto config = small_machine();
  config.folder = folder.path();
  config.kernel = folder.file("vmlinux", "kernel");
  config.initramfs = folder.file("initramfs", "archive");
  config.disks = {{folder.file("root.img", "disk"), disk_format::raw, {}, false}};
  auto planned = make_qemu_driver(emulated())->plan(config);
  REQUIRE(planned);
  CHECK(planned->plan.inherited.size() == 6);
  CHECK(planned->plan.log == folder.path() / "qemu.log");
  CHECK_FALSE(planned->plan.connects);
  CHECK(planned->plan.writable.empty());
  for (const auto* name : {"qmp.sock", "agent.sock", "console.sock"}) {
    struct stat info {};
    REQUIRE(::lstat((folder.path() / name).c_str(), &info) == 0);
    CHECK(S_ISSOCK(info.st_mode));
    CHECK((info.st_mode & 0777) == 0600);
  }
  // What is sent before the hypervisor runs waits for it.
  REQUIRE(::send(planned->agent.get(), "hi", 2, MSG_NOSIGNAL) == 2);
  const auto listening =
      std::find_if(planned->plan.inherited.begin(), planned->plan.inherited.end(),
                   [](const auto& each) { return each.first == first_channel + 1; });
  REQUIRE(listening != planned->plan.inherited.end());
  const unique_fd accepted(::accept(listening->second->get(), nullptr, nullptr));
  char bytes[4] = {};
  CHECK(::recv(accepted.get(), bytes, sizeof(bytes), 0) == 2);
}

TEST_CASE("a second plan replaces the sockets of a hypervisor that is gone") {
  const scratch_folder folder;
  auto config = small_machine();
  config.folder = folder.path();
  config.kernel = folder.file("vmlinux", "kernel");
  config.initramfs = folder.file("initramfs", "archive");
  const auto driver = make_qemu_driver(emulated());
  REQUIRE(driver->plan(config));
  CHECK(driver->plan(config));
}

TEST_CASE("a plan does not replace a file that bears the name of a socket") {
  const scratch_folder folder;
  auto config = small_machine();
  config.folder = folder.path();
  config.kernel = folder.file("vmlinux", "kernel");
  config.initramfs = folder.file("initramfs", "archive");
  folder.file("qmp.sock", "precious");
  const auto planned = make_qemu_driver(emulated())->plan(config);
  REQUIRE_FALSE(planned);
  CHECK(planned.error().code == errc::already_exists);
  CHECK(test::content(folder.path() / "qmp.sock") == "precious");
}

TEST_CASE("a folder whose path is longer than a socket address will do") {
  const scratch_folder top;
  auto config = small_machine();
  config.folder = top.path() / std::string(120, 'x');
  std::filesystem::create_directory(config.folder);
  config.kernel = top.file("vmlinux", "kernel");
  config.initramfs = top.file("initramfs", "archive");
  CHECK(make_qemu_driver(emulated())->plan(config));
}

TEST_CASE("a missing disk is named, and no socket is made") {
  const scratch_folder folder;
  auto config = small_machine();
  config.folder = folder.path();
  config.kernel = folder.file("vmlinux", "kernel");
  config.initramfs = folder.file("initramfs", "archive");
  config.disks = {{folder.path() / "gone.img", disk_format::raw, {}, false}};
  const auto planned = make_qemu_driver(emulated())->plan(config);
  REQUIRE_FALSE(planned);
  CHECK(planned.error().what.find("gone.img") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(folder.path() / "qmp.sock"));
}

TEST_CASE("the driver tells what it is and why it is not faster") {
  CHECK(make_qemu_driver(emulated())->describe() ==
        "QEMU 7.2.22 microvm (TCG emulation); KVM: there is no usable /dev/kvm on this host");
  CHECK(make_qemu_driver(accelerated())->describe() == "QEMU 7.2.22 microvm (KVM)");
}
