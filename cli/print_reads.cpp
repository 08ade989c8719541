// Figures, listeners and signs of life, as tables and as JSON.
#include "cli/print.hpp"

#include "messages/base/names.hpp"

#include <nlohmann/json.hpp>

namespace banger::cli {

using namespace messages;
using json = nlohmann::ordered_json;

namespace {

std::string text(const json& value, bool one_line = false) {
  return value.dump(one_line ? -1 : 2, ' ', false, json::error_handler_t::replace) + "\n";
}

// 1234 tenths are "123.4".
std::string tenths(std::uint64_t n) {
  return std::to_string(n / 10) + "." + std::to_string(n % 10);
}

std::string hundredths(std::uint32_t n) {
  const auto part = std::to_string(n % 100);
  return std::to_string(n / 100) + "." + (part.size() == 1 ? "0" : "") + part;
}

double number(std::uint64_t n, double unit) { return static_cast<double>(n) / unit; }

std::string disks_of(const vm_stats& vm) {
  std::uint64_t used = 0, all = 0;
  for (const auto& d : vm.disks) {
    used += d.used_bytes;
    all += d.bytes;
  }
  return vm.disks.empty() ? "-" : format_size(used) + " of " + format_size(all);
}

std::string load_of(const vm_health& vm) {
  return hundredths(vm.load_1) + " " + hundredths(vm.load_5) + " " + hundredths(vm.load_15);
}

json fields(const vm_stats& vm) {
  auto disks = json::array();
  for (const auto& d : vm.disks)
    disks.push_back({{"name", d.name}, {"bytes", d.bytes}, {"used_bytes", d.used_bytes}});
  return {{"id", vm.id},
          {"name", vm.name},
          {"state", vm.state},
          {"pid", vm.pid},
          {"uptime_us", vm.uptime_us},
          {"cpu_us", vm.cpu_us},
          {"cpu_percent", number(vm.cpu_tenths, 10)},
          {"cpu_over_us", vm.cpu_over_us},
          {"rss_bytes", vm.rss_bytes},
          {"memory_mib", vm.memory_mib},
          {"disks", disks}};
}

json fields(const vm_ports& vm) {
  auto ports = json::array();
  for (const auto& p : vm.ports)
    ports.push_back({{"protocol", p.protocol},
                     {"address", p.address},
                     {"port", p.port},
                     {"process", p.process},
                     {"pid", p.pid},
                     {"endpoint", p.endpoint}});
  return {{"id", vm.id}, {"name", vm.name}, {"ports", ports}, {"left_out", vm.left_out}};
}

json fields(const vm_health& vm) {
  return {{"id", vm.id},
          {"name", vm.name},
          {"verdict", vm.verdict},
          {"why", vm.why},
          {"remedy", vm.remedy},
          {"answer_us", vm.answer_us},
          {"uptime_us", vm.uptime_us},
          {"load", {number(vm.load_1, 100), number(vm.load_5, 100), number(vm.load_15, 100)}},
          {"memory_bytes", vm.memory_bytes},
          {"memory_free_bytes", vm.memory_free_bytes}};
}

template <class T>
json list_of(const std::vector<T>& all) {
  auto list = json::array();
  for (const auto& one : all)
    list.push_back(fields(one));
  return list;
}

} // namespace

std::string id_lines(const std::vector<vm_view>& vms) {
  std::string lines;
  for (const auto& vm : vms)
    lines += vm.id + "\n";
  return lines;
}

std::string stats_table(const std::vector<vm_stats>& all) {
  std::vector<row> rows = {{"NAME", "STATE", "CPU", "CPU TIME", "RSS", "MEM", "DISK", "UPTIME"}};
  for (const auto& vm : all) {
    const bool runs = vm.pid != 0;
    rows.push_back({vm.name, vm.state, runs ? tenths(vm.cpu_tenths) + " %" : "-",
                    runs ? duration(vm.cpu_us) : "-", runs ? format_size(vm.rss_bytes) : "-",
                    std::to_string(vm.memory_mib) + " MiB", disks_of(vm),
                    runs ? duration(vm.uptime_us) : "-"});
  }
  return table(rows);
}

std::string ports_table(const std::vector<vm_ports>& all) {
  std::vector<row> rows = {{"VM", "PROTO", "ADDRESS", "PORT", "PROCESS", "PID", "ENDPOINT"}};
  for (const auto& vm : all)
    for (const auto& p : vm.ports)
      rows.push_back({vm.name, p.protocol, p.address, std::to_string(p.port),
                      p.process.empty() ? "-" : p.process, p.pid == 0 ? "-" : std::to_string(p.pid),
                      p.endpoint.empty() ? "-" : p.endpoint});
  return table(rows);
}

std::string health_table(const std::vector<vm_health>& all) {
  std::vector<row> rows = {{"VM", "HEALTH", "ANSWER", "UPTIME", "LOAD", "FREE"}};
  for (const auto& vm : all) {
    if (vm.verdict == "healthy")
      rows.push_back({vm.name, vm.verdict, duration(vm.answer_us), duration(vm.uptime_us),
                      load_of(vm),
                      format_size(vm.memory_free_bytes) + " of " + format_size(vm.memory_bytes)});
    else
      rows.push_back({vm.name, vm.verdict, "-", "-", "-", "-"});
  }
  return table(rows);
}

std::string stats_json(const std::vector<vm_stats>& all, bool one_line) {
  return text(list_of(all), one_line);
}

std::string ports_json(const std::vector<vm_ports>& all) { return text(list_of(all)); }

std::string health_json(const std::vector<vm_health>& all) { return text(list_of(all)); }

} // namespace banger::cli
