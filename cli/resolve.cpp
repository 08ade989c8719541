#include "cli/resolve.hpp"

#include <algorithm>

namespace banger::cli {

using messages::vm_view;

namespace {

expected<vm_view> resolve_one(const std::string& ref, const std::vector<vm_view>& vms) {
  for (const auto member : {&vm_view::id, &vm_view::name})
    for (const auto& vm : vms)
      if (vm.*member == ref)
        return vm;
  std::vector<const vm_view*> fits;
  for (const auto& vm : vms)
    if (!ref.empty() && (vm.id.starts_with(ref) || vm.name.starts_with(ref)))
      fits.push_back(&vm);
  if (fits.size() == 1)
    return *fits.front();
  if (fits.empty())
    return fail(errc::not_found, "there is no VM '" + ref + "'", "",
                "`banger vm list` shows those there are");
  std::string names;
  for (const auto* vm : fits)
    names += (names.empty() ? "" : ", ") + vm->name + " (" + vm->id + ")";
  return fail(errc::ambiguous, "'" + ref + "' fits several VMs", names,
              "write more of the name or id");
}

} // namespace

std::vector<target> resolve(const std::vector<std::string>& refs, const std::vector<vm_view>& vms) {
  std::vector<target> targets;
  for (const auto& ref : refs) {
    auto vm = resolve_one(ref, vms);
    const auto same = [&](const target& t) {
      return t.ref == ref || (vm && t.vm && t.vm->id == vm->id);
    };
    if (std::none_of(targets.begin(), targets.end(), same))
      targets.push_back({ref, std::move(vm)});
  }
  return targets;
}

} // namespace banger::cli
