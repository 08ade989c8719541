#include "privhelper/paths/paths.hpp"
#include "tests/hostile/orders.hpp"

#include <sys/wait.h>
#include <unistd.h>

namespace banger::hostile {

using namespace messages;
using namespace std::string_literals;

namespace {

const std::string folder = "vms/"s + vm;

const std::vector<std::string> no_ids{"", "0123456789AB", "0123456789a", "0123456789abc",
                                      "0123456789a/"};

const auto op = [](auto& o) -> std::string& { return o.op; };
const auto id = [](auto& o) -> std::string& { return o.vm; };

std::vector<std::string> bad_paths(const std::string& state) {
  return {"",
          "/",
          ".",
          "..",
          "../x",
          "x/..",
          folder + "/../../../outside/secret",
          "x/./y",
          "x//y",
          "x/",
          "/etc/shadow",
          "/proc/self/root/etc/shadow",
          state,
          state + "/",
          state + "x/y",
          state + "/../outside/secret",
          "x\0y"s,
          "x\ny",
          "x\x1by",
          std::string(256, 'a'),
          std::string(1025, 'a'),
          std::string(1'000'000, '/')};
}

struct trap {
  std::string path;
  errc code;
};

// Names that `host::make_state` made.
std::vector<trap> traps_for_files() {
  std::vector<trap> all{{"outside/secret", errc::unauthorized},
                        {"top/"s + vm + "/good", errc::unauthorized},
                        {"vms/"s + linked_vm + "/good", errc::unauthorized},
                        {"nothing/good", errc::not_found}};
  for (const auto* name : {"link", "absolute", "dangling", "magic", "sublink/good", "hard",
                           "hard-outside", "roots", "setuid", "setgid", "fifo", "sub", "api.sock"})
    all.push_back({folder + "/" + name, errc::unauthorized});
  for (const auto* name : {"nothing", "good/x", "sub/nothing"})
    all.push_back({folder + "/" + name, errc::not_found});
  return all;
}

template <class Attacks, class At>
void on_file(Attacks& on, const std::string& field, At at, const std::string& state,
             const std::string& only_below = {}) {
  on.strings(field, at, bad_paths(state));
  for (const auto& t : traps_for_files())
    if (t.path.starts_with(only_below))
      on.later(field, t.code, helper::clean(t.path), [&](auto& o) { at(o) = t.path; });
}

void on_launch(attacks& all, const surroundings& around) {
  attacks_on on(all, "launch", good_launch());
  const auto& state = around.state.native();
  on.poison("op", op);
  on.poison("vm", id, no_ids);
  on.poison("hypervisor", [](auto& o) -> std::string& { return o.hypervisor; },
            {"", "bash", "/bin/sh", "QEMU", "qemu-system-x86_64"});
  on.strings(
      "folder", [](auto& o) -> std::string& { return o.folder; }, bad_paths(state));
  on.strings("folder", [](auto& o) -> std::string& { return o.folder; },
             {"vms", "vms/"s + foreign_vm, folder + "/sub", "images"});
  for (const auto& t : std::vector<trap>{{linked_vm, errc::unauthorized},
                                         {foreign_vm, errc::unauthorized},
                                         {file_vm, errc::not_found},
                                         {"0123456789af", errc::not_found}})
    on.later("folder", t.code, "vms/" + t.path, [&](launch_order& o) {
      o.vm = t.path;
      o.folder = "vms/" + t.path;
    });
  on_file(
      on, "disks[1]", [](auto& o) -> std::string& { return o.disks[1]; }, state);
  on_file(
      on, "kernel", [](auto& o) -> std::string& { return o.kernel; }, state);
  on_file(
      on, "initramfs", [](auto& o) -> std::string& { return o.initramfs; }, state);
  on.with("disks", "none", [](auto& o) { o.disks.clear(); });
  on.with("disks", "9", [](auto& o) { o.disks.assign(9, "x"); });
  on.with("disks[1]", "twice", [&](auto& o) { o.disks[1] = state + "/" + o.disks[0]; });
  on.numbers("vcpu", [](auto& o) -> auto& { return o.vcpu; }, {0U, 100'000U, 1U << 31, UINT32_MAX});
  on.numbers("uid", [](auto& o) -> auto& { return o.uid; },
             {0U, 1U, around.owner, 65534U, first_hypervisor_id - 1, UINT32_MAX});
  on.numbers("memory_mib", [](auto& o) -> auto& { return o.memory_mib; },
             {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{1} << 44, UINT64_MAX});
  on.later("", errc::unavailable, "cannot start the hypervisor", [](auto&) {});
}

std::uint32_t ended_process() {
  const auto pid = ::fork();
  if (pid == 0)
    ::_exit(0);
  ::waitpid(pid, nullptr, 0);
  return static_cast<std::uint32_t>(pid);
}

void on_signal(attacks& all, const surroundings& around) {
  const auto started = helper::start_time_of(around.hypervisor).value_or(1);
  attacks_on on(all, "signal", signal_order{"", vm, around.hypervisor, started, "KILL"});
  on.poison("op", op);
  on.poison("vm", id, no_ids);
  on.poison("signal", [](auto& o) -> std::string& { return o.signal; },
            {"", "STOP", "CONT", "SEGV", "9", "0", "-9", "RTMIN", "KILL "});
  on.numbers("pid", [](auto& o) -> auto& { return o.pid; },
             {0U, 1U, 4'194'305U, 1U << 31, UINT32_MAX, UINT32_MAX - around.hypervisor});
  on.numbers("start_time", [](auto& o) -> auto& { return o.start_time; }, {std::uint64_t{0}});
  const auto named = [](std::uint32_t pid) { return "process " + std::to_string(pid); };
  for (const auto wrong : {started + 1, started - 1, UINT64_MAX})
    on.later("start_time", errc::not_found, named(around.hypervisor),
             [&](auto& o) { o.start_time = wrong; });
  const auto ended = ended_process();
  on.later("pid", errc::not_found, named(ended), [&](auto& o) { o.pid = ended; });
  auto living = around.others;
  living.push_back(static_cast<std::uint32_t>(::getpid()));
  for (const auto pid : living)
    on.later("pid", errc::unauthorized, named(pid), [&](signal_order& o) {
      o.pid = pid;
      o.start_time = helper::start_time_of(pid).value_or(1);
    });
}

void on_root_disk(attacks& all, const std::string& state) {
  const auto below = folder + "/";
  const root_disk_order good{"",  vm, below + "good", below + "sub/good", std::uint64_t{64} << 20,
                             true};
  attacks_on on(all, "rootdisk", good);
  const auto overlay = [](auto& o) -> std::string& { return o.overlay; };
  on.poison("op", op);
  on.poison("vm", id, no_ids);
  on_file(
      on, "image", [](auto& o) -> std::string& { return o.image; }, state);
  on_file(on, "overlay", overlay, state, below);
  on.strings("overlay", overlay,
             {"vms/"s + foreign_vm + "/good", folder, folder + "c/x", "images/x"});
  on.numbers("bytes", [](auto& o) -> auto& { return o.bytes; },
             {std::uint64_t{0}, std::uint64_t{1}, (std::uint64_t{16} << 20) - 512,
              (std::uint64_t{16} << 20) + 1, (std::uint64_t{16} << 40) + 512, UINT64_MAX});
  attacks_on gone(all, "rootdisk", root_disk_order{"", vm, "", "", 0, false});
  gone.strings("overlay", overlay, {"../x", "/etc/shadow", "vms/"s + foreign_vm + "/good"});
  on.later("", errc::unavailable, "cannot make the root disk", [](auto&) {});
}

void on_socket(attacks& all, const std::string& state) {
  const auto below = folder + "/";
  attacks_on on(all, "socket", socket_order{"", vm, below + "api.sock"});
  const auto path = [](auto& o) -> std::string& { return o.path; };
  on.poison("op", op);
  on.poison("vm", id, no_ids);
  on.strings("path", path, bad_paths(state));
  on.strings("path", path, {"vms/"s + foreign_vm + "/api.sock", folder, "vms", "api.sock"});
  for (const auto* name : {"good", "sub", "fifo", "socklink", "sublink/api.sock", "roots.sock"})
    on.later("path", errc::unauthorized, helper::clean(below + name),
             [&](auto& o) { o.path = below + name; });
  on.later("path", errc::not_found, below + "nothing",
           [&](auto& o) { o.path = below + "nothing"; });
  on.later("path", errc::unauthorized, "vms/"s + linked_vm, [](socket_order& o) {
    o.vm = linked_vm;
    o.path = "vms/"s + linked_vm + "/api.sock";
  });
  on.later("", errc::unavailable, "cannot hand out the socket", [](auto&) {});
}

} // namespace

launch_order good_launch() {
  launch_order o;
  o.vm = vm;
  o.hypervisor = "firecracker";
  o.folder = folder;
  o.disks = {folder + "/good", folder + "/sub/good"};
  o.kernel = "kernels/6.1/vmlinuz";
  o.initramfs = "kernels/6.1/initramfs";
  o.vcpu = 1;
  o.uid = first_hypervisor_id + 7;
  o.memory_mib = 128;
  return o;
}

attacks machine_attacks(const surroundings& around) {
  attacks all;
  on_launch(all, around);
  on_signal(all, around);
  attacks_on cleanup(all, "cleanup", cleanup_order{"", vm});
  cleanup.poison("op", op);
  cleanup.poison("vm", id, no_ids);
  on_root_disk(all, around.state);
  on_socket(all, around.state);
  attacks_on sweep(all, "sweep", machine_sweep{"", {vm}});
  sweep.poison("op", op);
  sweep.poison(
      "vms[0]", [](auto& o) -> std::string& { return o.vms[0]; }, no_ids);
  sweep.with("vms", "4097", [](auto& o) { o.vms.assign(4097, vm); });
  sweep.with("vms[1]", "twice", [](auto& o) { o.vms.assign(2, vm); });
  return all;
}

} // namespace banger::hostile
