#include "actors/boot/modules.hpp"

#include "actors/boot/packing.hpp"
#include "actors/image/elf.hpp"
#include "actors/storage/files.hpp"
#include "actors/storage/lines.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace banger::boot {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t max_module = 64 << 20;

// "virtio-rng" and "virtio_rng" are one module.
std::string module_name(std::string_view text) {
  std::string name(text);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

// "kernel/drivers/x/virtio-rng.ko.xz" → "virtio_rng".
std::string name_of_file(const fs::path& file) {
  const auto name = file.filename().string();
  return module_name(name.substr(0, name.find(".ko")));
}

bool is_module_file(const std::string& name) {
  return name.ends_with(".ko") || name.ends_with(".ko.xz") || name.ends_with(".ko.zst") ||
         name.ends_with(".ko.gz");
}

struct module_tree {
  std::map<std::string, fs::path> files;
  std::set<std::string> built_in;
};

expected<module_tree> read_tree(const fs::path& tree) {
  module_tree found;
  const auto list = storage::read_file(tree / "modules.builtin", 1 << 20);
  if (!list)
    return tl::unexpected(list.error());
  storage::each_line(*list, [&](std::string_view line) {
    if (!line.empty())
      found.built_in.insert(name_of_file(fs::path(line)));
  });
  std::error_code bad;
  for (fs::recursive_directory_iterator at(tree, bad), end; !bad && at != end; at.increment(bad))
    if (is_module_file(at->path().filename().string()))
      found.files.emplace(name_of_file(at->path()), at->path());
  if (bad)
    return fail_errno("cannot read the modules in " + tree.string(), bad.value());
  return found;
}

// Depth first, so that what a module depends on is placed before it.
class resolver {
public:
  explicit resolver(const module_tree& tree) : tree_(tree) {}

  expected<void> place(const std::string& name, std::vector<fs::path>& order) {
    if (tree_.built_in.contains(name) || !visited_.insert(name).second)
      return {};
    const auto file = tree_.files.find(name);
    if (file == tree_.files.end())
      return fail(errc::not_found, "the kernel has no module " + name,
                  "it is neither built in nor in the package", "use another kernel package");
    const auto bytes = read_module(file->second);
    if (!bytes)
      return tl::unexpected(bytes.error());
    const auto depends = module_depends(*bytes);
    if (!depends)
      return fail(errc::corrupted, "the module " + file->second.string() + " is damaged",
                  depends.error().why);
    for (const auto& other : *depends)
      if (auto ok = place(module_name(other), order); !ok)
        return ok;
    order.push_back(file->second);
    return {};
  }

private:
  const module_tree& tree_;
  std::set<std::string> visited_;
};

} // namespace

module_wishes default_modules() {
  return {{"virtio_ring", "virtio", "virtio_mmio", "virtio_console"},
          {"virtio_blk", "ext4", "overlay", "failover", "net_failover", "virtio_net", "virtio_rng",
           "virtio_balloon", "button", "evdev"}};
}

std::string order_text(const module_plan& plan) {
  std::string text;
  for (const auto& file : plan.console)
    text += unpacked_name(file) + "\n";
  text += "--\n";
  for (const auto& file : plan.rest)
    text += unpacked_name(file) + "\n";
  return text;
}

expected<module_plan> plan_modules(const fs::path& tree, const module_wishes& wishes) {
  const auto found = read_tree(tree);
  if (!found)
    return tl::unexpected(found.error());
  module_plan plan;
  resolver r(*found);
  for (const auto& name : wishes.console)
    if (auto ok = r.place(module_name(name), plan.console); !ok)
      return tl::unexpected(ok.error());
  for (const auto& name : wishes.rest)
    if (auto ok = r.place(module_name(name), plan.rest); !ok)
      return tl::unexpected(ok.error());
  return plan;
}

expected<std::string> read_module(const fs::path& file) {
  auto bytes = storage::read_file(file, max_module);
  if (!bytes || packing_of(*bytes).empty())
    return bytes;
  return unpack("the module " + file.string(), *bytes, max_module);
}

std::string unpacked_name(const fs::path& file) {
  const auto name = file.filename().string();
  return name.substr(0, name.find(".ko")) + ".ko";
}

// .modinfo is a row of "key=value", each ended by NUL; several may stand between two of them.
expected<std::vector<std::string>> module_depends(std::string_view ko) {
  auto section = image::elf_section(ko, ".modinfo");
  if (!section)
    return fail(errc::bad_request, "cannot read a kernel module", section.error().what);
  constexpr std::string_view key = "depends=";
  std::vector<std::string> names;
  for (auto rest = *section; !rest.empty();) {
    const auto end = std::min(rest.find('\0'), rest.size());
    auto entry = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!entry.starts_with(key))
      continue;
    entry.remove_prefix(key.size());
    while (!entry.empty()) {
      const auto comma = std::min(entry.find(','), entry.size());
      if (comma > 0)
        names.emplace_back(entry.substr(0, comma));
      entry.remove_prefix(std::min(comma + 1, entry.size()));
    }
    return names;
  }
  return fail(errc::bad_request, "cannot read a kernel module",
              "it does not say what it depends on");
}

} // namespace banger::boot
