#include "privhelper/calls.hpp"
#include "privhelper/confinement.hpp"

#include <cerrno>
#include <memory>
#include <seccomp.h>

namespace banger::helper {

namespace {

struct release {
  void operator()(void* filter) const { seccomp_release(filter); }
};
using filter = std::unique_ptr<void, release>;

tl::unexpected<failure> no_filter(int error, std::string what = "cannot filter system calls") {
  auto f = fail_errno(std::move(what), error);
  if (error == EINVAL || error == ENOSYS)
    f.value().code = errc::unavailable;
  return f;
}

// A call that this libseccomp does not know by name, or that this architecture has not, is treated
// as every other that is not listed.
expected<void> add(const filter& f, std::uint32_t action, std::string_view call,
                   const std::vector<call_condition>& when = {}) {
  const int number = seccomp_syscall_resolve_name(std::string(call).c_str());
  if (number == __NR_SCMP_ERROR || number < 0)
    return {};
  std::vector<scmp_arg_cmp> all;
  all.reserve(when.size());
  for (const auto& c : when)
    all.push_back({c.argument, SCMP_CMP_MASKED_EQ, c.mask, c.value});
  const int bad = seccomp_rule_add_array(f.get(), action, number, static_cast<unsigned>(all.size()),
                                         all.data());
  if (bad != 0)
    return no_filter(-bad, "cannot filter the system call " + std::string(call));
  return {};
}

expected<void> add_all(const filter& f, std::uint32_t action,
                       const std::vector<call_group>& groups) {
  for (const auto& group : groups)
    for (const auto call : group.calls)
      if (auto ok = add(f, action, call); !ok)
        return ok;
  return {};
}

expected<void> fill(const filter& f, role r) {
  if (r == role::machine)
    return add_all(f, SCMP_ACT_ERRNO(EPERM), refused_calls());
  if (auto ok = add_all(f, SCMP_ACT_ALLOW, free_calls()); !ok)
    return ok;
  for (const auto& c : conditional_calls())
    if (auto ok = add(f, SCMP_ACT_ALLOW, c.call, c.when); !ok)
      return ok;
  for (const auto call : calls_with_older_ones())
    if (auto ok = add(f, SCMP_ACT_ERRNO(ENOSYS), call); !ok)
      return ok;
  return {};
}

} // namespace

// Calls of another architecture (32 bits, x32) have other numbers, and end the process: nothing of
// ours makes them.
expected<void> filter_system_calls(role r) {
  const filter f(seccomp_init(r == role::network ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ALLOW));
  if (!f)
    return no_filter(ENOMEM);
  for (const auto& [attribute, value] :
       {std::pair{SCMP_FLTATR_ACT_BADARCH, std::uint32_t{SCMP_ACT_KILL_PROCESS}},
        std::pair{SCMP_FLTATR_CTL_OPTIMIZE, std::uint32_t{2}}})
    if (const int bad = seccomp_attr_set(f.get(), attribute, value); bad != 0)
      return no_filter(-bad);
  if (auto ok = fill(f, r); !ok)
    return ok;
  if (const int bad = seccomp_load(f.get()); bad != 0)
    return no_filter(-bad);
  return {};
}

} // namespace banger::helper
