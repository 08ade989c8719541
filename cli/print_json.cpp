#include "cli/print.hpp"

#include <nlohmann/json.hpp>

namespace banger::cli {

using namespace messages;
using json = nlohmann::ordered_json;

namespace {

std::string text(const json& value) {
  return value.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

json view_fields(const vm_view& vm) {
  return {{"id", vm.id},
          {"name", vm.name},
          {"state", vm.state},
          {"paused", vm.paused},
          {"operation", vm.operation},
          {"queued", vm.queued},
          {"image", vm.image},
          {"vcpu", vm.vcpu},
          {"memory_mib", vm.memory_mib},
          {"disk_bytes", vm.disk_bytes},
          {"nat", vm.nat},
          {"ephemeral", vm.ephemeral},
          {"autostart", vm.autostart},
          {"nested", vm.nested},
          {"touched_ms", vm.touched_ms},
          {"created_ms", vm.created_ms}};
}

json stage_list(const std::vector<stage_time>& stages) {
  auto list = json::array();
  for (const auto& stage : stages)
    list.push_back({{"stage", stage.stage}, {"micros", stage.micros}, {"ours", stage.ours}});
  return list;
}

} // namespace

std::string vms_json(const std::vector<vm_view>& vms) {
  auto list = json::array();
  for (const auto& vm : vms)
    list.push_back(view_fields(vm));
  return text(list);
}

std::string vm_json(const vm_view& vm) { return text(view_fields(vm)); }

std::string vm_json(const vm_detail& vm) {
  auto all = view_fields(vm.view);
  all["folder"] = vm.folder;
  all["last_error"] = vm.last_error;
  all["pid"] = vm.pid;
  all["hypervisor"] = vm.hypervisor;
  all["root_disk"] = vm.root_disk;
  all["confinement"] = vm.confinement;
  all["network"] = vm.network;
  all["address"] = vm.address;
  all["kernel"] = vm.kernel;
  all["start_retries"] = vm.start_retries;
  all["last_start"] = stage_list(vm.last_start);
  return text(all);
}

std::string status_json(const daemon_status& daemon, bool config_is_stale) {
  auto orphans = json::array();
  for (const auto& o : daemon.orphans)
    orphans.push_back({{"id", o.id},
                       {"folder", o.folder},
                       {"used_bytes", o.used_bytes},
                       {"pid", o.pid},
                       {"name", o.name},
                       {"image", o.image},
                       {"problem", o.problem}});
  return text({{"running", true},
               {"pid", daemon.pid},
               {"protocol", daemon.protocol},
               {"version", daemon.version},
               {"commit", daemon.commit},
               {"uptime_ms", daemon.uptime_ms},
               {"vms", daemon.vms},
               {"running_vms", daemon.running},
               {"clients", daemon.clients},
               {"operations", daemon.operations},
               {"streams", daemon.streams},
               {"stream_bytes_buffered", daemon.stream_bytes_buffered},
               {"hypervisor", daemon.hypervisor},
               {"root_disk", daemon.root_disk},
               {"confinement", daemon.confinement},
               {"state_folder", daemon.state_folder},
               {"runtime_folder", daemon.runtime_folder},
               {"config_file", daemon.config_file},
               {"config_is_stale", config_is_stale},
               {"idle_exit_ms", daemon.idle_exit_ms},
               {"names_unavailable", daemon.no_names},
               {"orphans", orphans}});
}

std::string images_json(const std::vector<image_view>& images) {
  auto list = json::array();
  for (const auto& i : images)
    list.push_back({{"name", i.name},
                    {"present", i.present},
                    {"bytes", i.bytes},
                    {"used_bytes", i.used_bytes},
                    {"made_ms", i.made_ms},
                    {"about", i.about},
                    {"include", i.include},
                    {"vms", i.vms}});
  return text(list);
}

std::string operations_json(const std::vector<operation_view>& all) {
  auto list = json::array();
  for (const auto& o : all) {
    list.push_back({{"op", o.op},
                    {"kind", o.kind},
                    {"target", o.target},
                    {"state", o.state},
                    {"stage", o.stage},
                    {"detail", o.detail},
                    {"began_ms", o.began_ms},
                    {"elapsed_us", o.elapsed_us}});
    auto& error = list.back()["error"] = nullptr;
    if (o.error.code != 0)
      error = {{"code", std::string(to_string(static_cast<errc>(o.error.code)))},
               {"what", o.error.what},
               {"why", o.error.why},
               {"remedy", o.error.remedy}};
  }
  return text(list);
}

std::string no_daemon_json() { return text({{"running", false}}); }

std::string version_json(const build_info& build) {
  return text({{"version", build.version},
               {"commit", build.commit},
               {"build", build.number},
               {"protocol", protocol_version}});
}

} // namespace banger::cli
