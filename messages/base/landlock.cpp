#include "messages/base/landlock.hpp"

#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

// Kernels of today govern more than the header of a released distribution names.
#ifndef SYS_landlock_create_ruleset
#  define SYS_landlock_create_ruleset 444
#  define SYS_landlock_add_rule 445
#  define SYS_landlock_restrict_self 446
#endif

namespace banger {

namespace fs = std::filesystem;

namespace {

namespace right {
constexpr std::uint64_t execute = 1U << 0;
constexpr std::uint64_t write_file = 1U << 1;
constexpr std::uint64_t read_file = 1U << 2;
constexpr std::uint64_t read_dir = 1U << 3;
constexpr std::uint64_t remove_file = 1U << 5;
constexpr std::uint64_t make_file = 1U << 8;
constexpr std::uint64_t make_socket = 1U << 9;
constexpr std::uint64_t truncate = 1U << 14;  // ABI 3
constexpr std::uint64_t ioctl_dev = 1U << 15; // ABI 5
constexpr std::uint64_t bind_tcp = 1U << 0;   // ABI 4
constexpr std::uint64_t connect_tcp = 1U << 1;
constexpr std::uint64_t scope_sockets = 1U << 0; // ABI 6: abstract ones
constexpr std::uint64_t scope_signals = 1U << 1;
constexpr std::uint64_t on_files = execute | write_file | read_file | truncate | ioctl_dev;
} // namespace right

constexpr unsigned version_flag = 1;
constexpr int path_beneath = 1;

struct ruleset_attr {
  std::uint64_t handled_fs = 0;
  std::uint64_t handled_net = 0;
  std::uint64_t scoped = 0;
};

struct __attribute__((packed)) path_attr {
  std::uint64_t allowed = 0;
  std::int32_t parent = -1;
};

std::uint64_t governed_files(int abi) {
  int rights = 13; // ABI 1
  if (abi >= 2)
    rights = 14; // rename and link across folders
  if (abi >= 3)
    rights = 15;
  if (abi >= 5)
    rights = 16;
  return (1ULL << rights) - 1;
}

// An older kernel refuses a longer structure than it knows.
std::size_t attr_size(int abi) { return abi >= 6 ? 24 : abi >= 4 ? 16 : 8; }

expected<void> allow(int ruleset, const fs::path& path, std::uint64_t rights) {
  const unique_fd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) {
    if (errno == ENOENT || errno == EACCES || errno == ENOTDIR)
      return {};
    return fail_errno("cannot look at " + path.string(), errno);
  }
  path_attr rule{rights, fd.get()};
  if (!S_ISDIR(info.st_mode))
    rule.allowed &= right::on_files;
  // EBADFD: a file that has no place in the file system; it needs no rule.
  if (::syscall(SYS_landlock_add_rule, ruleset, path_beneath, &rule, 0U) != 0 && errno != EBADFD)
    return fail_errno("cannot allow " + path.string() + " by a Landlock rule", errno);
  return {};
}

} // namespace

int landlock_abi() {
  const auto abi = ::syscall(SYS_landlock_create_ruleset, nullptr, std::size_t{0}, version_flag);
  return abi > 0 ? static_cast<int>(abi) : 0;
}

expected<unique_fd> make_ruleset(int abi, const landlock_rules& rules) {
  const auto files = governed_files(abi);
  ruleset_attr attr;
  attr.handled_fs = files;
  attr.handled_net = right::bind_tcp | (rules.connect_tcp ? 0 : right::connect_tcp);
  attr.scoped = right::scope_sockets | (rules.signal_others ? 0 : right::scope_signals);
  unique_fd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attr, attr_size(abi), 0U)));
  if (!ruleset)
    return fail_errno("cannot make a Landlock rule set", errno);
  const auto reading = right::read_file | right::read_dir;
  const auto writing = right::read_file | right::write_file | right::truncate | right::ioctl_dev;
  const auto managing =
      reading | writing | right::remove_file | right::make_file | right::make_socket;
  const auto allow_all = [&](const std::vector<fs::path>& paths,
                             std::uint64_t rights) -> expected<void> {
    for (const auto& path : paths)
      if (auto ok = allow(ruleset.get(), path, rights & files); !ok)
        return ok;
    return {};
  };
  auto ok = allow_all(rules.execute, reading | right::execute);
  if (ok)
    ok = allow_all(rules.read, reading);
  if (ok)
    ok = allow_all(rules.write, writing);
  if (ok)
    ok = allow_all(rules.manage, managing);
  if (!ok)
    return tl::unexpected(ok.error());
  return ruleset;
}

bool restrict_self(int ruleset) { return ::syscall(SYS_landlock_restrict_self, ruleset, 0U) == 0; }

} // namespace banger
