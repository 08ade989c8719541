#include "guest/succession.hpp"

#include "guest/files.hpp"

#include <climits>
#include <cstdlib>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

namespace banger::guest {

namespace {

constexpr const char* folder = "/run/banger";
constexpr const char* program = "/run/banger/agent";
constexpr const char* order_file = "/run/banger/order";
constexpr const char* outcome_file = "/run/banger/outcome";
constexpr const char* lock_file = "/run/banger/lock";
constexpr const char* units = "/run/systemd/system";
constexpr const char* unit_name = "banger-agent.service";
constexpr std::size_t longest_program = std::size_t{16} * 1024 * 1024;

done copy_program() {
  const auto text = read_file("/proc/self/exe", longest_program);
  if (text.empty() || text.size() >= longest_program)
    return failed_to("read /proc/self/exe");
  return write_file(program, text, 0700);
}

done write_unit() {
  const auto wants = std::string(units) + "/sysinit.target.wants";
  return make_folder(wants)
      .and_then(
          [] { return write_file(std::string(units) + '/' + unit_name, successor_unit(program)); })
      .and_then([&]() -> done {
        const auto link = wants + '/' + unit_name;
        if (::symlink((std::string("../") + unit_name).c_str(), link.c_str()) != 0 &&
            errno != EEXIST)
          return failed_to("link " + link);
        return {};
      });
}

} // namespace

bool is_systemd(const std::string& init) {
  char resolved[PATH_MAX];
  return ::realpath(init.c_str(), resolved) != nullptr &&
         std::string_view(resolved).ends_with("/systemd");
}

// The unit waits while the first agent lives. Its name begins with '@', as that one's does: systemd
// does not end those at the machine's end.
std::string successor_unit(const std::string& path) {
  return "[Unit]\n"
         "Description=Agent of the host's banger, once the first one was killed\n"
         "DefaultDependencies=no\n"
         "IgnoreOnIsolate=yes\n"
         "StartLimitIntervalSec=0\n"
         "\n"
         "[Service]\n"
         "ExecStart=@" +
         path +
         " @banger-agent\n"
         "Restart=always\n"
         "RestartPreventExitStatus=2\n"
         "RestartSec=50ms\n"
         "KillMode=process\n"
         "OOMScoreAdjust=-1000\n"
         "TasksMax=infinity\n"
         "Slice=-.slice\n"
         "StandardOutput=null\n"
         "StandardError=null\n";
}

done prepare_successor(const configure_body& order, const configured_body& outcome) {
  if (!is_systemd(order.init))
    return {};
  auto kept = order;
  kept.seed.clear();
  kept.authorized_keys.clear();
  return make_folder(folder)
      .and_then(copy_program)
      .and_then([&] { return write_file(order_file, encode(kept), 0600); })
      .and_then([&] { return write_file(outcome_file, encode(outcome), 0600); })
      .and_then(write_unit);
}

std::optional<inheritance> inherit() {
  auto order = decode<configure_body>(read_file(order_file));
  auto outcome = decode<configured_body>(read_file(outcome_file));
  if (!order || !outcome)
    return std::nullopt;
  return inheritance{std::move(*order), std::move(*outcome)};
}

result<unique_fd> become_the_agent() {
  unique_fd lock(::open(lock_file, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock)
    return failed_to(std::string("open ") + lock_file);
  while (::flock(lock.get(), LOCK_EX) != 0)
    if (errno != EINTR)
      return failed_to(std::string("lock ") + lock_file);
  return lock;
}

} // namespace banger::guest
