#include "actors/vms/resolve.hpp"

#include <algorithm>
#include <array>

namespace banger::vms {

namespace {

constexpr std::array<std::string_view, 24> adjectives = {
    "able",  "amber", "bold",  "brave", "brisk", "calm",  "clear", "deft",
    "eager", "fair",  "fleet", "fresh", "grand", "keen",  "light", "lucid",
    "merry", "noble", "plain", "quick", "quiet", "sharp", "sunny", "swift"};
constexpr std::array<std::string_view, 24> nouns = {
    "badger", "beaver", "bison", "crane",  "eagle", "falcon", "ferret", "finch",
    "gecko",  "heron",  "ibis",  "jackal", "koala", "lemur",  "lynx",   "marten",
    "newt",   "ocelot", "otter", "panda",  "raven", "stoat",  "tapir",  "wombat"};

bool in_use(const std::vector<known_vm>& all, const std::string& name) {
  return std::any_of(all.begin(), all.end(), [&](const auto& vm) { return vm.name == name; });
}

} // namespace

expected<std::string> resolve(const std::vector<known_vm>& all, std::string_view ref) {
  for (const auto& vm : all)
    if (vm.id == ref)
      return std::string(vm.id);
  for (const auto& vm : all)
    if (vm.name == ref)
      return std::string(vm.id);
  std::vector<const known_vm*> fits;
  if (!ref.empty())
    for (const auto& vm : all)
      if (vm.id.starts_with(ref) || vm.name.starts_with(ref))
        fits.push_back(&vm);
  if (fits.size() == 1)
    return std::string(fits.front()->id);
  const auto shown = "'" + std::string(ref.substr(0, 80)) + "'";
  if (fits.empty())
    return fail(errc::not_found, "there is no VM " + shown, {},
                "`banger vm list` shows those there are");
  std::string names;
  for (const auto* vm : fits)
    names += (names.empty() ? "" : ", ") + std::string(vm->name);
  return fail(errc::ambiguous, shown + " fits several VMs", names, "write more of the name");
}

std::string make_up_name(std::uint64_t draw, const std::vector<known_vm>& taken) {
  constexpr auto all = adjectives.size() * nouns.size();
  for (std::size_t i = 0; i < all; ++i) {
    const auto at = (draw + i) % all;
    auto name = std::string(adjectives[at % adjectives.size()]) + "-" +
                std::string(nouns[at / adjectives.size()]);
    if (!in_use(taken, name))
      return name;
  }
  for (auto number = all;; ++number) {
    auto name = "vm-" + std::to_string(number);
    if (!in_use(taken, name))
      return name;
  }
}

} // namespace banger::vms
