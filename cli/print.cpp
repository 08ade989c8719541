#include "cli/print.hpp"

#include "cli/sizing.hpp"

#include "messages/base/names.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace banger::cli {

using namespace messages;

namespace {

template <class... Ts>
std::string format(const char* how, Ts... values) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), how, values...);
  return text.data();
}

// What a VM is, and what happens to it just now.
std::string state_of(const vm_view& vm) {
  const auto state = vm.paused.empty() ? vm.state : vm.state + ": " + vm.paused;
  return vm.operation.empty() ? state : state + " (" + vm.operation + ")";
}

std::string yes_no(bool value) { return value ? "yes" : "no"; }

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

std::string memory_of(const vm_view& vm) { return std::to_string(vm.memory_mib) + " MiB"; }

std::string utc(std::uint64_t seconds) {
  const auto when = static_cast<std::time_t>(seconds);
  std::tm parts{};
  std::array<char, 32> text{};
  if (::gmtime_r(&when, &parts) == nullptr ||
      std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
    return "unknown";
  return text.data();
}

std::string built(const build_info& build) {
  return build.number == 0 ? "unknown" : utc(build.number);
}

} // namespace

std::string table(const std::vector<row>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& cells : rows)
    for (std::size_t i = 0; i < cells.size(); ++i) {
      widths.resize(std::max(widths.size(), i + 1));
      widths[i] = std::max(widths[i], cells[i].size());
    }
  std::string text;
  for (const auto& cells : rows) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      text += plain(cells[i]);
      if (i + 1 < cells.size())
        text.append(widths[i] + 2 - cells[i].size(), ' ');
    }
    text += '\n';
  }
  return text;
}

std::string plain(std::string_view text) {
  std::string safe(text);
  std::replace_if(
      safe.begin(), safe.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return safe;
}

std::vector<std::string> plain_lines(std::string_view text) {
  std::vector<std::string> lines;
  text = text.substr(0, text.find_last_not_of('\n') + 1);
  for (;;) {
    const auto end = text.find('\n');
    lines.push_back(plain(text.substr(0, end)));
    if (end == std::string_view::npos)
      return lines;
    text.remove_prefix(end + 1);
  }
}

std::string error_line(const failure& f, bool colour) {
  auto first = f;
  const auto lines = plain_lines(f.why);
  first.why = lines.front();
  auto text = (colour ? "\x1b[31mbanger:\x1b[0m " : "banger: ") + plain(describe(first)) + "\n";
  for (std::size_t i = 1; i < lines.size(); ++i)
    text += "  " + lines[i] + "\n";
  return text;
}

std::string duration(std::uint64_t micros) {
  if (micros < 1000)
    return format("%u us", static_cast<unsigned>(micros));
  if (micros < 1000ul * 1000)
    return format("%.1f ms", static_cast<double>(micros) / 1e3);
  if (micros < 600ull * 1000 * 1000)
    return format("%.2f s", static_cast<double>(micros) / 1e6);
  return format("%llu min", static_cast<unsigned long long>(micros / 60000000));
}

std::string age(std::uint64_t then_ms, std::uint64_t now_ms) {
  const auto seconds = now_ms > then_ms ? (now_ms - then_ms) / 1000 : 0;
  const auto say = [](std::uint64_t n, const char* unit) {
    return std::to_string(n) + " " + unit + (n == 1 ? "" : "s") + " ago";
  };
  if (seconds < 60)
    return say(seconds, "second");
  if (seconds < 3600)
    return say(seconds / 60, "minute");
  if (seconds < 2ul * 86400)
    return say(seconds / 3600, "hour");
  return say(seconds / 86400, "day");
}

std::string vm_table(const std::vector<vm_view>& vms, std::uint64_t now_ms) {
  std::vector<row> rows = {{"ID", "NAME", "STATE", "IMAGE", "VCPU", "MEM", "DISK", "CREATED"}};
  for (const auto& vm : vms)
    rows.push_back({vm.id, vm.name, state_of(vm), vm.image, std::to_string(vm.vcpu), memory_of(vm),
                    format_size(vm.disk_bytes), age(vm.created_ms, now_ms)});
  return table(rows);
}

std::string vm_page(const vm_detail& vm, std::uint64_t now_ms) {
  const auto& view = vm.view;
  std::vector<row> rows = {
      {"id", view.id},
      {"name", view.name},
      {"state", state_of(view)},
      {"queued", std::to_string(view.queued)},
      {"image", view.image},
      {"vcpu", std::to_string(view.vcpu)},
      {"memory", memory_of(view)},
      {"disk", format_size(view.disk_bytes)},
      {"nat", yes_no(view.nat)},
      {"ephemeral", yes_no(view.ephemeral)},
      {"autostart", yes_no(view.autostart)},
      {"nested", yes_no(view.nested)},
      {"created", utc(view.created_ms / 1000) + " (" + age(view.created_ms, now_ms) + ")"},
      {"hypervisor", or_dash(vm.hypervisor)},
      {"pid", vm.pid == 0 ? "-" : std::to_string(vm.pid)},
      {"confinement", or_dash(vm.confinement)},
      {"root disk", or_dash(vm.root_disk)},
      {"network", or_dash(vm.network)},
      {"address", or_dash(vm.address)},
      {"kernel", or_dash(vm.kernel)},
      {"folder", or_dash(vm.folder)},
      {"start retries", std::to_string(vm.start_retries)},
  };
  const auto error = plain_lines(or_dash(vm.last_error));
  for (std::size_t i = 0; i < error.size(); ++i)
    rows.push_back({i == 0 ? "last error" : "", error[i]});
  auto text = table(rows);
  if (!vm.last_start.empty())
    text += "\nlast start\n" + timing_table(vm.last_start);
  return text;
}

std::string spec_line(const create_request& vm) {
  return "spec: " + std::to_string(vm.vcpu) + " vcpu | " + std::to_string(vm.memory_mib) +
         " MiB | " + short_size(vm.disk_bytes) + " disk | " + plain(vm.image) + "\n";
}

std::string status_page(const daemon_status& daemon, std::string_view config_note) {
  std::vector<row> rows = {
      {"pid", std::to_string(daemon.pid)},
      {"version", daemon.version + " (commit " + daemon.commit + ")"},
      {"protocol", std::to_string(daemon.protocol)},
      {"uptime", duration(daemon.uptime_ms * 1000)},
      {"vms", std::to_string(daemon.vms) + " (" + std::to_string(daemon.running) + " running)"},
      {"clients", std::to_string(daemon.clients)},
      {"operations", std::to_string(daemon.operations)},
      {"streams", std::to_string(daemon.streams) + " (" +
                      format_size(daemon.stream_bytes_buffered) + " held)"},
      {"hypervisor", or_dash(daemon.hypervisor)},
      {"root disk", or_dash(daemon.root_disk)},
      {"confinement", or_dash(daemon.confinement)},
      {"state", daemon.state_folder},
      {"runtime", daemon.runtime_folder},
      {"config", or_dash(daemon.config_file) + std::string(config_note)},
      {"idle exit",
       daemon.idle_exit_ms == 0 ? "never" : "after " + duration(daemon.idle_exit_ms * 1000)},
  };
  if (!daemon.no_names.empty())
    rows.push_back({"names", "NAME.vm is not known: " + daemon.no_names});
  if (daemon.orphans.empty())
    return table(rows);
  rows.push_back({"orphans", std::to_string(daemon.orphans.size()) +
                                 " (folders that the database does not know)"});
  return table(rows) + "\n" + orphan_table(daemon.orphans) +
         "`banger vm adopt ID` makes a VM of one again, `banger vm prune --orphans` removes "
         "them.\n";
}

std::string orphan_table(const std::vector<orphan_view>& orphans) {
  std::vector<row> rows = {{"ORPHAN", "NAME", "IMAGE", "USED", "FOLDER", "NOTE"}};
  for (const auto& o : orphans)
    rows.push_back({o.id, or_dash(o.name), or_dash(o.image), format_size(o.used_bytes), o.folder,
                    !o.problem.empty() ? o.problem
                    : o.pid != 0       ? "its hypervisor runs, pid " + std::to_string(o.pid)
                                       : "-"});
  return table(rows);
}

std::string image_table(const std::vector<image_view>& images, std::uint64_t now_ms) {
  std::vector<row> rows = {{"IMAGE", "MADE", "SIZE", "USED", "VMS", "ABOUT"}};
  for (const auto& i : images)
    rows.push_back({i.name, i.present && i.made_ms != 0 ? age(i.made_ms, now_ms) : "-",
                    i.present ? format_size(i.bytes) : "-",
                    i.present ? format_size(i.used_bytes) : "-", std::to_string(i.vms), i.about});
  return table(rows);
}

std::string operations_table(const std::vector<operation_view>& all, std::uint64_t now_ms) {
  std::vector<row> rows = {{"OPERATION", "KIND", "TARGET", "STATE", "STAGE", "TOOK", "BEGAN"}};
  for (const auto& o : all)
    rows.push_back({o.op, o.kind, o.target, o.state, or_dash(o.stage), duration(o.elapsed_us),
                    age(o.began_ms, now_ms)});
  return table(rows);
}

std::string timing_table(const std::vector<stage_time>& stages) {
  std::vector<row> rows = {{"STAGE", "OURS", "TIME"}};
  std::uint64_t ours = 0, all = 0;
  for (const auto& stage : stages) {
    rows.push_back({stage.stage, yes_no(stage.ours), duration(stage.micros)});
    all += stage.micros;
    ours += stage.ours ? stage.micros : 0;
  }
  rows.push_back({"our own", "", duration(ours)});
  rows.push_back({"in all", "", duration(all)});
  return table(rows);
}

std::string version_line(const build_info& build) {
  return "banger v" + build.version + " (commit " + build.commit + ", built " + built(build) +
         ")\n";
}

std::string version_page(const build_info& build) {
  return table({{"version", build.version},
                {"commit", build.commit},
                {"built", built(build)},
                {"protocol", std::to_string(protocol_version)}});
}

} // namespace banger::cli
