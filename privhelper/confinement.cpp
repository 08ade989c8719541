#include "privhelper/confinement.hpp"

#include "messages/base/landlock.hpp"
#include "privhelper/calls.hpp"

#include <array>
#include <cerrno>
#include <filesystem>
#include <linux/capability.h>
#include <set>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace banger::helper {

namespace {

struct capability {
  int number;
  std::string_view name;
};

constexpr std::array network_needs{capability{CAP_NET_ADMIN, "CAP_NET_ADMIN"}};

// To make a jail, to open the owner's files in a home that is closed to others, to become the
// hypervisor's user, to end it, and for loop devices and the device mapper.
constexpr std::array machine_needs{
    capability{CAP_CHOWN, "CAP_CHOWN"},          capability{CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE"},
    capability{CAP_FOWNER, "CAP_FOWNER"},        capability{CAP_KILL, "CAP_KILL"},
    capability{CAP_MKNOD, "CAP_MKNOD"},          capability{CAP_SETGID, "CAP_SETGID"},
    capability{CAP_SETUID, "CAP_SETUID"},        capability{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
    capability{CAP_SYS_CHROOT, "CAP_SYS_CHROOT"}};

std::vector<capability> needs(role r) {
  if (r == role::network)
    return {network_needs.begin(), network_needs.end()};
  return {machine_needs.begin(), machine_needs.end()};
}

std::uint64_t mask_of(role r) {
  std::uint64_t mask = 0;
  for (const auto& c : needs(r))
    mask |= std::uint64_t{1} << c.number;
  return mask;
}

using capability_words = std::array<__user_cap_data_struct, 2>;

expected<void> check_alone() {
  std::error_code bad;
  const auto threads = std::distance(std::filesystem::directory_iterator("/proc/self/task", bad),
                                     std::filesystem::directory_iterator());
  if (!bad && threads == 1)
    return {};
  return fail(errc::bad_request, "cannot give rights up",
              bad ? "the number of threads cannot be told: " + bad.message()
                  : std::to_string(threads) + " threads are there, and keep theirs");
}

// Of the kernel's capabilities, also of those that are younger than this program.
expected<void> bound(std::uint64_t mask) {
  for (int number = 0; number < 64; ++number) {
    const int there = ::prctl(PR_CAPBSET_READ, number, 0, 0, 0);
    if (there < 0)
      return {};
    if (there == 1 && (mask >> number & 1) == 0 && ::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0)
      return fail_errno("cannot give capability " + std::to_string(number) + " up", errno);
  }
  return {};
}

expected<void> keep_only(std::uint64_t mask) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  capability_words words{};
  words[0].effective = words[0].permitted = static_cast<std::uint32_t>(mask);
  words[1].effective = words[1].permitted = static_cast<std::uint32_t>(mask >> 32);
  if (::syscall(SYS_capset, &header, words.data()) != 0)
    return fail_errno("cannot keep the capabilities of the role only", errno);
  return {};
}

expected<void> check_has(role r) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  capability_words words{};
  if (::syscall(SYS_capget, &header, words.data()) != 0)
    return fail_errno("cannot tell which capabilities are there", errno);
  for (const auto& c : needs(r)) {
    const auto at = static_cast<std::size_t>(c.number);
    if ((words[at / 32].permitted >> (at % 32) & 1) == 0)
      return fail(errc::unavailable, "the role " + std::string(to_string(r)) + " cannot be served",
                  "this process has no " + std::string(c.name),
                  "start it as root, or add the capability to its unit");
  }
  return {};
}

// Read: libraries are loaded when they are needed first, and /proc tells much. `machine` only looks
// and signals; what starts programs will have to say here what they need.
struct file_needs {
  std::vector<std::string_view> execute, read, write;
};

file_needs files_of(role r) {
  if (r == role::network)
    return {{}, {"/"}, {"/dev/net/tun", "/dev/null", "/proc/sys/net/ipv4"}};
  return {{"/"}, {}, {"/dev/null"}};
}

std::string joined(const std::vector<std::string_view>& words) {
  std::string text;
  for (const auto word : words)
    text += (text.empty() ? "`" : ", `") + std::string(word) + "`";
  return text;
}

void describe_groups(const std::vector<call_group>& groups, std::string& into) {
  for (const auto& g : groups)
    into += "| " + std::string(g.purpose) + " | " + joined(g.calls) + " |\n";
}

} // namespace

std::string_view to_string(role r) { return r == role::network ? "network" : "machine"; }

std::vector<std::string> capabilities_of(role r) {
  std::vector<std::string> names;
  for (const auto& c : needs(r))
    names.emplace_back(c.name);
  return names;
}

expected<void> drop_capabilities(role r) {
  if (auto ok = check_alone(); !ok)
    return ok;
  if (auto ok = check_has(r); !ok)
    return ok;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
    return fail_errno("cannot give privileges up", errno);
  if (auto ok = bound(mask_of(r)); !ok)
    return ok;
  return keep_only(mask_of(r));
}

expected<void> limit_files(role r, const std::filesystem::path& sockets) {
  const int abi = landlock_abi();
  if (abi == 0)
    return {};
  const auto needs = files_of(r);
  landlock_rules rules;
  rules.execute.assign(needs.execute.begin(), needs.execute.end());
  rules.read.assign(needs.read.begin(), needs.read.end());
  rules.write.assign(needs.write.begin(), needs.write.end());
  rules.manage = {sockets};
  rules.signal_others = r == role::machine;
  const auto ruleset = make_ruleset(abi, rules);
  if (!ruleset)
    return tl::unexpected(ruleset.error());
  if (!restrict_self(ruleset->get()))
    return fail_errno("cannot give files up", errno);
  return {};
}

expected<void> confine(role r, const std::filesystem::path& sockets) {
  if (auto ok = drop_capabilities(r); !ok)
    return ok;
  if (auto ok = limit_files(r, sockets); !ok)
    return ok;
  return filter_system_calls(r);
}

std::string describe_confinement() {
  std::string text = "| role | capabilities |\n| --- | --- |\n";
  for (const auto r : {role::network, role::machine}) {
    const auto names = capabilities_of(r);
    text +=
        "| `" + std::string(to_string(r)) + "` | " + joined({names.begin(), names.end()}) + " |\n";
  }
  text += "\n| role | executes | writes to |\n| --- | --- | --- |\n";
  for (const auto r : {role::network, role::machine})
    text += "| `" + std::string(to_string(r)) + "` | " +
            (files_of(r).execute.empty() ? "nothing" : "anything") + " | " +
            joined(files_of(r).write) + "; the folder of its sockets |\n";
  text += "\nRole `network` may make these calls:\n\n| for | calls |\n| --- | --- |\n";
  describe_groups(free_calls(), text);
  text += "\nand these, under conditions; all others fail:\n\n| call | only if |\n| --- | --- |\n";
  std::set<std::pair<std::string_view, std::string_view>> told;
  for (const auto& c : conditional_calls())
    if (told.emplace(c.call, c.only_if).second)
      text += "| `" + std::string(c.call) + "` | " + std::string(c.only_if) + " |\n";
  text += "\nRole `machine` may make any call but these:\n\n| about | calls |\n| --- | --- |\n";
  describe_groups(refused_calls(), text);
  return text;
}

} // namespace banger::helper
