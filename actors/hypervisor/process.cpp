#include "actors/hypervisor/process.hpp"
#include "actors/hypervisor/sockets.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace banger::hypervisor {

namespace fs = std::filesystem;

namespace {

constexpr std::streamoff log_tail_bytes = std::streamoff{16} * 1024;
constexpr std::size_t longest_line = 400;
constexpr off_t log_bound = off_t{1024} * 1024;

struct stat_line {
  char state = 'X';
  std::uint64_t start_time = 0;
};

// The command name may hold spaces and parentheses: fields are counted from the last ')'.
expected<stat_line> read_stat(std::uint32_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  const auto end = line.rfind(')');
  if (end == std::string::npos)
    return fail(errc::not_found, "no process has the pid " + std::to_string(pid));
  std::istringstream fields(line.substr(end + 1));
  stat_line result;
  std::string skipped;
  fields >> result.state; // field 3
  for (int field = 4; field < 22; ++field)
    fields >> skipped;
  if (!(fields >> result.start_time))
    return fail(errc::not_found, "cannot read the start time of pid " + std::to_string(pid));
  return result;
}

tl::unexpected<failure> gone(const process_id& process) {
  return fail(errc::not_found, "process " + std::to_string(process.pid) + " is gone");
}

// A guest that provokes warnings of its hypervisor fills the log slowly. The hypervisor appends, so
// its file can be cut under its hands.
void bound_log(const fs::path& log) {
  struct stat info {};
  if (::lstat(log.c_str(), &info) == 0 && S_ISREG(info.st_mode) && info.st_size > log_bound &&
      ::truncate(log.c_str(), 0) != 0)
    return; // it stays long: no harm to the machine
}

} // namespace

std::string host_boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  file >> id;
  return id;
}

expected<process_id> identify(std::uint32_t pid) {
  auto stat = read_stat(pid);
  if (!stat)
    return tl::unexpected(stat.error());
  return process_id{pid, stat->start_time, host_boot_id()};
}

bool alive(const process_id& process) {
  if (process.pid == 0 || process.boot_id != host_boot_id())
    return false;
  const auto stat = read_stat(process.pid);
  return stat && stat->start_time == process.start_time && stat->state != 'Z' && stat->state != 'X';
}

expected<unique_fd> open_process(const process_id& process) {
  if (process.pid == 0)
    return gone(process);
  unique_fd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(process.pid), 0U)));
  // EINVAL, later ENOENT: the number is a thread's by now.
  if (!pidfd && errno != ESRCH && errno != EINVAL && errno != ENOENT)
    return fail_errno("cannot watch process " + std::to_string(process.pid), errno);
  // Checked after it was opened: now the pid cannot pass to another without our noticing.
  if (!pidfd || !alive(process))
    return gone(process);
  return pidfd;
}

namespace {

expected<void> send_signal(int pidfd, int signal, const std::string& name) {
  if (::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0U) == 0 || errno == ESRCH)
    return {};
  if (errno == EPERM)
    return fail(errc::unauthorized, "may not end " + name, "it runs as another user",
                "run bangerd as the user who started the VM");
  return fail_errno("cannot end " + name, errno);
}

bool ends_within(int pidfd, int deadline_ms) {
  pollfd ready{pidfd, POLLIN, 0};
  int count = 0;
  do
    count = ::poll(&ready, 1, deadline_ms);
  while (count < 0 && errno == EINTR);
  return count > 0;
}

} // namespace

expected<void> signal_and_wait(const process_id& process, int signal, int patience_ms,
                               int deadline_ms) {
  auto pidfd = open_process(process);
  if (!pidfd) {
    if (pidfd.error().code == errc::not_found)
      return {};
    return tl::unexpected(pidfd.error());
  }
  const auto name = "process " + std::to_string(process.pid);
  if (signal != SIGKILL) {
    if (auto ok = send_signal(pidfd->get(), signal, name); !ok)
      return ok;
    if (ends_within(pidfd->get(), patience_ms))
      return {};
  }
  if (auto ok = send_signal(pidfd->get(), SIGKILL, name); !ok)
    return ok;
  if (ends_within(pidfd->get(), deadline_ms))
    return {};
  return fail(errc::timed_out, name + " did not end after SIGKILL",
              "it hangs in the host's kernel, for example on a disk that does not answer");
}

expected<void> kill_and_wait(const process_id& process, int deadline_ms) {
  return signal_and_wait(process, SIGKILL, 0, deadline_ms);
}

namespace {

std::string folder_name(const fs::path& file) { return file.parent_path().filename().string(); }

} // namespace

expected<void> write_record(const fs::path& file, const process_record& record) {
  const fs::path fresh = file.string() + ".new";
  std::ostringstream text;
  text << "pid " << record.process.pid << "\nstart_time " << record.process.start_time
       << "\nboot_id " << record.process.boot_id << "\nconfinement " << record.confinement
       << "\nfolder " << folder_name(file) << '\n';
  const auto bytes = text.str();
  unique_fd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  const auto size = static_cast<ssize_t>(bytes.size());
  if (!fd || ::write(fd.get(), bytes.data(), bytes.size()) != size ||
      ::rename(fresh.c_str(), file.c_str()) != 0)
    return fail_errno("cannot write " + file.string(), errno);
  return {};
}

expected<process_record> read_record(const fs::path& file) {
  errno = 0;
  std::ifstream in(file);
  if (!in && errno != 0 && errno != ENOENT && errno != ENOTDIR)
    return fail_errno("cannot read " + file.string(), errno);
  if (!in)
    return fail(errc::not_found, "no process is recorded in " + file.string());
  process_record record;
  std::string word;
  in >> word >> record.process.pid;
  bool good = word == "pid";
  in >> word >> record.process.start_time;
  good = good && word == "start_time";
  in >> word >> record.process.boot_id;
  good = good && word == "boot_id";
  in >> word;
  if (!in || !good || word != "confinement" || record.process.pid == 0)
    return fail(errc::corrupted, file.string() + " does not name a process");
  std::getline(in >> std::ws, record.confinement);
  std::string folder;
  if (!(in >> word)) // an earlier build did not say more
    return record;
  if (word != "folder" || !std::getline(in >> std::ws, folder) || folder != folder_name(file))
    return fail(errc::corrupted, file.string() + " was written for another folder",
                "it belongs to " + (folder.empty() ? "none" : folder));
  return record;
}

expected<process_id> recorded_process(const fs::path& folder) {
  auto record = read_record(folder / identity_file);
  if (!record)
    return tl::unexpected(record.error());
  return record->process;
}

expected<running_machine> adopt(const fs::path& folder, const process_id& process) {
  running_machine machine;
  machine.process = process;
  auto pidfd = open_process(process);
  if (!pidfd)
    return tl::unexpected(pidfd.error());
  machine.pidfd = std::move(*pidfd);
  for (auto which : {channel::qmp, channel::agent, channel::console}) {
    auto connected = connect_channel(folder, which);
    if (!connected) {
      if (!alive(process))
        return gone(process);
      return tl::unexpected(connected.error());
    }
    auto& place = which == channel::qmp     ? machine.qmp
                  : which == channel::agent ? machine.agent
                                            : machine.console;
    place = std::move(*connected);
  }
  const auto record = read_record(folder / identity_file);
  if (record && record->process.pid == process.pid &&
      record->process.start_time == process.start_time)
    machine.confinement = record->confinement;
  bound_log(folder / log_file);
  return machine;
}

std::string read_ending(int fd) {
  int status = 0;
  if (::recv(fd, &status, sizeof status, MSG_DONTWAIT) != static_cast<ssize_t>(sizeof status))
    return {};
  if (!WIFSIGNALED(status))
    return "exit status " + std::to_string(WEXITSTATUS(status));
  const int number = WTERMSIG(status);
  const char* words = ::sigdescr_np(number);
  return "signal " + std::to_string(number) +
         (words != nullptr ? " (" + std::string(words) + ")" : "");
}

std::string last_words(const fs::path& folder, std::size_t lines) {
  std::ifstream file(folder / log_file, std::ios::binary | std::ios::ate);
  if (!file)
    return {};
  const auto size = static_cast<std::streamoff>(file.tellg());
  file.seekg(std::max<std::streamoff>(0, size - log_tail_bytes));
  std::deque<std::string> last;
  std::string line;
  while (std::getline(file, line)) {
    if (line.find("info: QEMU waiting for connection") != std::string::npos)
      continue; // it always says so, and finds us waiting
    last.push_back(line.substr(0, longest_line));
    if (last.size() > lines)
      last.pop_front();
  }
  std::string text;
  for (const auto& each : last)
    text += (text.empty() ? "" : "\n") + each;
  return text;
}

} // namespace banger::hypervisor
