#include "privhelper/rules/machine.hpp"

#include "privhelper/rules/describe.hpp"

namespace banger::helper {

namespace m = messages;

namespace {

constexpr std::size_t most_disks = 8, most_vms = 4096;

using file_path = gates::path<thing::file>;
using folder_path = gates::path<thing::folder>;
using socket_path = gates::path<thing::socket>;

constexpr std::string_view own_folder = "vms/ID, with the id of the order's VM",
                           in_own_folder = "in vms/ID, with the id of the order's VM";

std::string folder_of(const vm_id& vm) { return "vms/" + vm.str(); }

std::optional<std::string> unless(bool good, const char* field) {
  return good ? std::nullopt : std::optional<std::string>(field);
}

constexpr auto launch_form =
    make_form<launch_task>("launch", is<gates::operation>("op", &m::launch_order::op),
                           is<gates::machine_id>("vm", &m::launch_order::vm),
                           is<gates::hypervisor>("hypervisor", &m::launch_order::hypervisor),
                           is<folder_path>("folder", &m::launch_order::folder),
                           is<list_of<file_path, 1, most_disks>>("disks", &m::launch_order::disks),
                           is<file_path>("kernel", &m::launch_order::kernel),
                           is<file_path>("initramfs", &m::launch_order::initramfs),
                           is<gates::vcpus>("vcpu", &m::launch_order::vcpu),
                           is<gates::hypervisor_uid>("uid", &m::launch_order::uid),
                           is<gates::memory>("memory_mib", &m::launch_order::memory_mib)) &
    relation<launch_task>{"folder", own_folder, [](const launch_task& t) {
                            return unless(t.folder.str() == folder_of(t.vm), "folder");
                          }};

constexpr auto signal_form = make_form<signal_task>(
    "signal", is<gates::operation>("op", &m::signal_order::op),
    is<gates::machine_id>("vm", &m::signal_order::vm), is<gates::pid>("pid", &m::signal_order::pid),
    is<gates::start_time>("start_time", &m::signal_order::start_time),
    is<gates::ending_signal>("signal", &m::signal_order::signal));

constexpr auto cleanup_form =
    make_form<cleanup_task>("cleanup", is<gates::operation>("op", &m::cleanup_order::op),
                            is<gates::machine_id>("vm", &m::cleanup_order::vm));

constexpr auto root_disk_form =
    make_form<root_disk_task>("rootdisk", is<gates::operation>("op", &m::root_disk_order::op),
                              is<gates::machine_id>("vm", &m::root_disk_order::vm),
                              is<if_present<file_path>>("image", &m::root_disk_order::image),
                              is<if_present<file_path>>("overlay", &m::root_disk_order::overlay),
                              is<if_present<gates::disk_size>>("bytes", &m::root_disk_order::bytes),
                              is<gates::flag>("present", &m::root_disk_order::present)) &
    relation<root_disk_task>{"overlay", in_own_folder, [](const root_disk_task& t) {
                               return unless(!t.overlay || t.overlay->is_below(folder_of(t.vm)),
                                             "overlay");
                             }};

constexpr auto socket_form =
    make_form<socket_task>("socket", is<gates::operation>("op", &m::socket_order::op),
                           is<gates::machine_id>("vm", &m::socket_order::vm),
                           is<socket_path>("path", &m::socket_order::path)) &
    relation<socket_task>{"path", in_own_folder, [](const socket_task& t) {
                            return unless(t.path.is_below(folder_of(t.vm)), "path");
                          }};

constexpr auto sweep_form = make_form<machine_sweep_task>(
    "sweep", is<gates::operation>("op", &m::machine_sweep::op),
    is<list_of<gates::machine_id, 0, most_vms>>("vms", &m::machine_sweep::vms));

} // namespace

expected<launch_task> check(const m::launch_order& order, const bounds& b) {
  return check_order(launch_form, order, b);
}
expected<signal_task> check(const m::signal_order& order, const bounds& b) {
  return check_order(signal_form, order, b);
}
expected<cleanup_task> check(const m::cleanup_order& order, const bounds& b) {
  return check_order(cleanup_form, order, b);
}
expected<root_disk_task> check(const m::root_disk_order& order, const bounds& b) {
  return check_order(root_disk_form, order, b);
}
expected<socket_task> check(const m::socket_order& order, const bounds& b) {
  return check_order(socket_form, order, b);
}
expected<machine_sweep_task> check(const m::machine_sweep& order, const bounds& b) {
  return check_order(sweep_form, order, b);
}

std::vector<verb_gates> machine_gates() {
  return gates_of(launch_form, signal_form, cleanup_form, root_disk_form, socket_form, sweep_form);
}

} // namespace banger::helper
