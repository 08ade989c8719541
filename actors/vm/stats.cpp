#include "actors/vm/stats.hpp"

#include "actors/hypervisor/process.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

namespace banger::vm {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t second_us = 1'000'000;

// Fields of /proc/PID/stat by their numbers in proc(5). The name in field 2 may hold anything:
// the fields after it are counted from the last ')'.
constexpr int user_ticks = 14, system_ticks = 15, start_ticks = 22, resident_pages = 24;

clock_facts this_host() {
  clock_facts host;
  host.ticks_per_second = static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_CLK_TCK)));
  host.page_bytes = static_cast<std::uint64_t>(std::max(1L, ::sysconf(_SC_PAGESIZE)));
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  host.now_us = static_cast<std::uint64_t>(now.tv_sec) * second_us +
                static_cast<std::uint64_t>(now.tv_nsec) / 1000;
  return host;
}

bool is_disk(const fs::path& file) {
  return file.extension() == ".img" || file.extension() == ".qcow2";
}

// What the guest sees of a qcow2 file is in its header: magic, then at byte 24 the size.
std::uint64_t virtual_size(const fs::path& file, std::uint64_t otherwise) {
  std::array<char, 32> head{};
  std::ifstream in(file, std::ios::binary);
  if (!in.read(head.data(), head.size()) ||
      std::string_view(head.data(), 4) != std::string_view("QFI\xfb", 4))
    return otherwise;
  std::uint64_t size = 0;
  for (std::size_t i = 24; i < 32; ++i)
    size = size << 8 | static_cast<unsigned char>(head[i]);
  return size;
}

std::vector<disk_use> read_disks(const fs::path& folder) {
  constexpr std::uint64_t block = 512; // of st_blocks, whatever the file system has
  std::vector<disk_use> disks;
  std::error_code ended;
  for (fs::directory_iterator at(folder, ended), end; !ended && at != end; at.increment(ended)) {
    struct stat info {};
    if (!is_disk(at->path()) || ::lstat(at->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode))
      continue;
    auto bytes = static_cast<std::uint64_t>(info.st_size);
    if (at->path().extension() == ".qcow2")
      bytes = virtual_size(at->path(), bytes);
    disks.push_back({at->path().filename().string(), bytes,
                     static_cast<std::uint64_t>(info.st_blocks) * block});
  }
  std::sort(disks.begin(), disks.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return disks;
}

} // namespace

std::optional<process_use> parse_process(std::string_view line, const clock_facts& host) {
  const auto end = line.rfind(')');
  if (end == std::string_view::npos)
    return std::nullopt;
  std::istringstream fields{std::string(line.substr(end + 1))};
  char state = 0;
  fields >> state; // field 3
  std::array<std::int64_t, resident_pages + 1> of{};
  for (std::size_t number = 4; number < of.size(); ++number)
    fields >> of[number];
  if (!fields || state == 'Z' || state == 'X')
    return std::nullopt;
  const auto micros = [&](std::int64_t ticks) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(ticks, 0)) * second_us /
           host.ticks_per_second;
  };
  process_use use;
  use.start_time = static_cast<std::uint64_t>(of[start_ticks]);
  use.cpu_us = micros(of[user_ticks] + of[system_ticks]);
  const auto began = micros(of[start_ticks]);
  use.uptime_us = host.now_us > began ? host.now_us - began : 0;
  use.rss_bytes =
      static_cast<std::uint64_t>(std::max<std::int64_t>(of[resident_pages], 0)) * host.page_bytes;
  return use;
}

usage read_usage(const hypervisor::process_id& process, const fs::path& folder) {
  usage now;
  now.disks = read_disks(folder);
  if (process.pid == 0 || process.boot_id != hypervisor::host_boot_id())
    return now;
  std::ifstream file("/proc/" + std::to_string(process.pid) + "/stat");
  std::string line;
  std::getline(file, line);
  const auto use = parse_process(line, this_host());
  if (!use || use->start_time != process.start_time)
    return now;
  now.process = process;
  now.of = *use;
  return now;
}

cpu_rate cpu_meter::look(const usage& now) {
  if (now.process.pid == 0) {
    *this = {};
    return rate_;
  }
  const bool same =
      process_.pid == now.process.pid && process_.start_time == now.process.start_time;
  const auto from = same ? last_ : process_use{};
  const auto over = now.of.uptime_us - std::min(from.uptime_us, now.of.uptime_us);
  if (same && over < least_us)
    return rate_;
  const auto spent = now.of.cpu_us - std::min(from.cpu_us, now.of.cpu_us);
  rate_ = {over == 0 ? 0 : static_cast<std::uint32_t>(spent * 1000 / over), over};
  process_ = now.process;
  last_ = now.of;
  return rate_;
}

} // namespace banger::vm
