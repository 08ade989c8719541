#include "privhelper/paths/paths.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sstream>
#include <sys/syscall.h>
#include <unistd.h>

namespace banger::helper {

namespace {

std::string read_of(std::uint32_t pid, const char* file) {
  const auto path = "/proc/" + std::to_string(pid) + "/" + file;
  const unique_fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 4096> piece;
  while (fd) {
    const auto n = ::read(fd.get(), piece.data(), piece.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      break;
    text.append(piece.data(), static_cast<std::size_t>(n));
  }
  return text;
}

tl::unexpected<failure> gone(std::uint32_t pid, std::string why) {
  return fail(errc::not_found, "process " + std::to_string(pid) + " is not there", std::move(why));
}

// Real, effective, saved and of the file system. The name in the first line may hold anything but
// a line's end.
bool runs_inside(std::uint32_t pid, const id_range& ids) {
  const auto status = read_of(pid, "status");
  const auto at = status.find("\nUid:");
  if (at == std::string::npos)
    return false;
  std::istringstream fields(status.substr(at + 5));
  std::uint32_t id = 0;
  for (int i = 0; i < 4; ++i)
    if (!(fields >> id) || !ids.contains(id))
      return false;
  return true;
}

bool has_ended(const unique_fd& process) {
  pollfd ready{process.get(), POLLIN, 0};
  return ::poll(&ready, 1, 0) != 0;
}

} // namespace

// A command's name may hold spaces and parentheses: fields are counted from the last ')'.
expected<std::uint64_t> start_time_of(std::uint32_t pid) {
  const auto line = read_of(pid, "stat");
  const auto end = line.rfind(')');
  if (end == std::string::npos)
    return gone(pid, "");
  std::istringstream fields(line.substr(end + 1));
  std::string skipped;
  for (int field = 3; field < 22; ++field)
    fields >> skipped;
  std::uint64_t ticks = 0;
  if (!(fields >> ticks))
    return gone(pid, "its start time cannot be read");
  return ticks;
}

// The descriptor first. If it has not ended when everything was read, its number was its own all
// the time, and what was read was about it.
expected<unique_fd> open_process(const process_claim& claim) {
  unique_fd process(static_cast<int>(::syscall(SYS_pidfd_open, claim.pid, 0)));
  if (!process && (errno == ESRCH || errno == EINVAL || errno == ENOENT))
    return gone(claim.pid, "");
  if (!process)
    return fail_errno("cannot watch process " + std::to_string(claim.pid), errno);
  const auto started = start_time_of(claim.pid);
  const bool ours = !claim.ids || runs_inside(claim.pid, *claim.ids);
  if (!started || has_ended(process))
    return gone(claim.pid, "it has ended");
  if (*started != claim.start_time)
    return gone(claim.pid, "its number is another process's by now");
  if (!ours)
    return fail(errc::unauthorized, "will not touch process " + std::to_string(claim.pid),
                "it does not run as one of the ids for hypervisors");
  return process;
}

} // namespace banger::helper
