#include "actors/boot/kernel.hpp"

#include "actors/boot/bzimage.hpp"
#include "actors/boot/initramfs.hpp"
#include "actors/boot/modules.hpp"
#include "actors/boot/package.hpp"
#include "actors/image/elf.hpp"
#include "actors/image/ext4.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <sys/stat.h>
#include <tuple>
#include <vector>

namespace banger::boot {

namespace fs = std::filesystem;

namespace {

// The cache, whose folders and files are named by what made them:
//   current                           name of the kernel folder that is used
//   NAME_VERSION.vFORMAT/kernel.json  its manifest: vmlinux, modules.img, modules/...
//   NAME_VERSION.vFORMAT/initramfs-DIGEST.{cpio,json}   one for each banger-init
//   build.lock, scratch.tmp           of the one that builds
constexpr std::uint32_t format = 1;
constexpr const char* kernel_manifest = "kernel.json";
constexpr std::uint64_t max_init = 64 << 20, max_module = 64 << 20, max_bzimage = 256 << 20;
constexpr std::size_t kept_initramfs = 4;

class builder {
public:
  builder(const boot_request& request, const storage::progress_fn& progress,
          const std::stop_token& stop)
      : request_(request), progress_(progress), stop_(stop) {}

  expected<boot_set> ensure();
  expected<std::optional<boot_set>> find();

private:
  expected<void> identify_init();
  expected<void> read_init();
  expected<std::optional<fs::path>> ready_kernel();
  expected<std::optional<fs::path>> current_kernel() const;
  expected<std::optional<boot_set>> ready_set();
  expected<void> build();
  expected<fs::path> build_kernel();
  expected<void> fill_kernel(const fs::path& scratch, const fs::path& deb, const fs::path& folder);
  expected<void> build_initramfs(const fs::path& folder);
  void tell(std::string_view stage, std::string_view detail) const {
    if (progress_)
      progress_(stage, detail);
  }

  const boot_request& request_;
  const storage::progress_fn& progress_;
  std::stop_token stop_;
  std::shared_ptr<const known_init> known_;
  std::string init_, initramfs_; ///< bytes of banger-init, when they are needed; file name
                                 ///< without its ending
  std::optional<kernel_package> given_;
};

std::string folder_name(const kernel_package& p) {
  auto name = p.name + "_" + p.version + ".v" + std::to_string(format);
  std::replace_if(
      name.begin(), name.end(),
      [](unsigned char c) {
        return std::isalnum(c) == 0 && c != '.' && c != '-' && c != '_' && c != '+' && c != '~';
      },
      '_');
  return name;
}

expected<void> make_folder(const fs::path& folder) {
  std::error_code bad;
  fs::create_directories(folder, bad);
  if (bad)
    return fail_errno("cannot make the folder " + folder.string(), bad.value());
  return {};
}

// A kernel folder without a manifest is one that was never finished.
expected<std::optional<fs::path>> finished(const fs::path& folder) {
  const auto m = storage::read_manifest(folder, kernel_manifest);
  if (!m && m.error().code == errc::not_found)
    return std::optional<fs::path>{};
  if (!m)
    return tl::unexpected(m.error());
  return m->format == format ? std::optional(folder) : std::nullopt;
}

expected<boot_set> set_in(const fs::path& folder, const std::string& initramfs) {
  const auto m = storage::read_manifest(folder, kernel_manifest);
  if (!m)
    return tl::unexpected(m.error());
  return boot_set{
      m->subject, folder / "vmlinux", folder / (initramfs + ".cpio"), folder / "modules.img", {}};
}

std::shared_ptr<known_init> identity_of(const fs::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0)
    return nullptr;
  const auto ns = [](const timespec& t) { return t.tv_sec * 1'000'000'000 + t.tv_nsec; };
  return std::make_shared<known_init>(known_init{info.st_dev,
                                                 info.st_ino,
                                                 static_cast<std::uint64_t>(info.st_size),
                                                 ns(info.st_mtim),
                                                 ns(info.st_ctim),
                                                 {}});
}

bool same_file(const known_init& a, const known_init& b) {
  return std::tie(a.device, a.inode, a.bytes, a.modified_ns, a.changed_ns) ==
         std::tie(b.device, b.inode, b.bytes, b.modified_ns, b.changed_ns);
}

// A start of a VM should not wait for a digest of a megabyte.
expected<void> builder::identify_init() {
  auto now = identity_of(request_.banger_init);
  if (now && request_.known && same_file(*now, *request_.known)) {
    known_ = request_.known;
    initramfs_ = known_->initramfs;
    return {};
  }
  if (auto ok = read_init(); !ok)
    return ok;
  if (now)
    now->initramfs = initramfs_;
  known_ = std::move(now);
  return {};
}

expected<void> builder::read_init() {
  auto bytes = storage::read_file(request_.banger_init, max_init);
  if (!bytes)
    return fail(errc::unavailable, "cannot read banger-init",
                bytes.error().what + (bytes.error().why.empty() ? "" : ": " + bytes.error().why),
                "build or install banger again");
  const auto dynamic = image::read_dynamic(*bytes);
  if (!dynamic || !dynamic->interpreter.empty())
    return fail(errc::unavailable, "cannot use " + request_.banger_init.string(),
                "it is not a static program for amd64", "build or install banger again");
  init_ = std::move(*bytes);
  initramfs_ = "initramfs-" + storage::sha256(init_).substr(0, 16);
  return {};
}

expected<std::optional<fs::path>> builder::current_kernel() const {
  const auto name = storage::read_file(request_.cache / "current", 4096);
  if (!name && name.error().code != errc::not_found)
    return tl::unexpected(name.error());
  const auto end = ".v" + std::to_string(format);
  if (!name || !name->ends_with(end) || name->find('/') != std::string::npos)
    return std::optional<fs::path>{};
  return finished(request_.cache / *name);
}

expected<std::optional<fs::path>> builder::ready_kernel() {
  if (request_.package_file.empty())
    return current_kernel();
  if (!given_) {
    auto p = look_at_package(request_.package_file, stop_);
    if (!p)
      return tl::unexpected(p.error());
    given_ = std::move(*p);
  }
  return finished(request_.cache / folder_name(*given_));
}

expected<std::optional<boot_set>> builder::ready_set() {
  const auto folder = ready_kernel();
  if (!folder)
    return tl::unexpected(folder.error());
  std::error_code ignored;
  if (!*folder || !fs::exists(**folder / (initramfs_ + ".json"), ignored))
    return std::optional<boot_set>{};
  auto set = set_in(**folder, initramfs_);
  if (!set)
    return tl::unexpected(set.error());
  if (auto sound = check_boot_set(*set, storage::check_depth::quick, stop_); !sound)
    return tl::unexpected(sound.error());
  set->init = known_;
  return std::optional(std::move(*set));
}

expected<std::optional<boot_set>> builder::find() {
  if (auto ok = identify_init(); !ok)
    return tl::unexpected(ok.error());
  return ready_set();
}

expected<boot_set> builder::ensure() {
  auto set = find();
  if (!set)
    return tl::unexpected(set.error());
  if (*set)
    return std::move(**set);
  if (auto ok = make_folder(request_.cache); !ok)
    return tl::unexpected(ok.error());
  const auto lock = storage::lock_file(request_.cache / "build.lock", stop_);
  if (!lock)
    return tl::unexpected(lock.error());
  // Another one may have built it while this one waited.
  set = ready_set();
  if (set && !*set) {
    if (auto ok = build(); !ok)
      return tl::unexpected(ok.error());
    set = ready_set();
  }
  if (!set)
    return tl::unexpected(set.error());
  if (!*set)
    return fail(errc::operation_failed, "the boot files are not there after they were made",
                request_.cache.string() + " was changed by someone else", "try again");
  return std::move(**set);
}

expected<void> builder::build() {
  const auto ready = ready_kernel();
  if (!ready)
    return tl::unexpected(ready.error());
  if (*ready)
    return build_initramfs(**ready);
  const auto made = build_kernel();
  if (!made)
    return tl::unexpected(made.error());
  return build_initramfs(*made);
}

expected<fs::path> builder::build_kernel() {
  const storage::scrap scratch(request_.cache / "scratch.tmp");
  std::error_code ignored;
  fs::remove_all(scratch.path(), ignored); // of a builder that was killed
  if (auto ok = make_folder(scratch.path()); !ok)
    return tl::unexpected(ok.error());
  const auto package =
      given_ ? expected<kernel_package>(*given_) : fetch_package(scratch.path(), progress_, stop_);
  if (!package)
    return tl::unexpected(package.error());
  tell("kernel", "unpacking " + package->name);
  storage::scrap made(scratch.path() / "made");
  if (auto ok = fill_kernel(scratch.path(), package->deb, made.path()); !ok)
    return tl::unexpected(ok.error());
  const auto name = folder_name(*package);
  const auto target = request_.cache / name;
  fs::remove_all(target, ignored); // unfinished, or `ready_kernel` would have taken it
  if (auto ok = made.publish(target); !ok)
    return tl::unexpected(ok.error());
  if (auto ok = storage::write_durable_file(request_.cache / "current", name); !ok)
    return tl::unexpected(ok.error());
  return target;
}

// Copies the modules of the plan, and says their order.
expected<std::vector<storage::new_record>> copy_modules(const fs::path& tree,
                                                        const fs::path& folder) {
  const auto plan = plan_modules(tree, default_modules());
  if (!plan)
    return tl::unexpected(plan.error());
  if (auto ok = make_folder(folder / "modules"); !ok)
    return tl::unexpected(ok.error());
  std::vector<storage::new_record> records{{"modules/order"}};
  if (auto ok = storage::write_file(folder / "modules/order", order_text(*plan)); !ok)
    return tl::unexpected(ok.error());
  for (const auto* group : {&plan->console, &plan->rest})
    for (const auto& file : *group) {
      const auto bytes = read_module(file);
      if (!bytes)
        return tl::unexpected(bytes.error());
      const auto name = "modules/" + unpacked_name(file);
      if (auto ok = storage::write_file(folder / name, *bytes, 0644); !ok)
        return tl::unexpected(ok.error());
      records.push_back({name});
    }
  return records;
}

expected<void> write_vmlinux(const fs::path& bzimage, const fs::path& file) {
  const auto packed = storage::read_file(bzimage, max_bzimage);
  if (!packed)
    return tl::unexpected(packed.error());
  const auto kernel = extract_vmlinux(*packed);
  if (!kernel)
    return tl::unexpected(kernel.error());
  return storage::write_file(file, *kernel, 0644);
}

expected<void> builder::fill_kernel(const fs::path& scratch, const fs::path& deb,
                                    const fs::path& folder) {
  const auto tree = scratch / "package";
  for (const auto& path : {tree, folder})
    if (auto ok = make_folder(path); !ok)
      return ok;
  const auto unpacked = unpack_package(deb, tree, stop_);
  if (!unpacked)
    return tl::unexpected(unpacked.error());
  if (auto ok = write_vmlinux(unpacked->bzimage, folder / "vmlinux"); !ok)
    return ok;
  auto records = copy_modules(unpacked->modules, folder);
  if (!records)
    return tl::unexpected(records.error());
  tell("kernel", "making the modules image of " + unpacked->release);
  const image::ext4_options options{0, "banger-modules", false, {}};
  if (auto ok = image::build_ext4(unpacked->modules, folder / "modules.img", options, stop_); !ok)
    return ok;
  records->push_back({"vmlinux"});
  records->push_back({"modules.img"});
  return storage::write_manifest(folder, kernel_manifest, format, unpacked->release, *records,
                                 stop_);
}

// An initramfs stays for the VMs that run from it, but not for ever: the oldest go.
void remove_old_initramfs(const fs::path& folder) {
  std::vector<std::pair<fs::file_time_type, fs::path>> found;
  std::error_code bad;
  for (fs::directory_iterator at(folder, bad), end; !bad && at != end; at.increment(bad))
    if (at->path().extension() == ".cpio")
      found.emplace_back(at->last_write_time(bad), at->path());
  std::sort(found.rbegin(), found.rend());
  for (std::size_t i = kept_initramfs; i < found.size(); ++i) {
    fs::remove(fs::path(found[i].second).replace_extension(".json"), bad);
    fs::remove(found[i].second, bad);
  }
}

expected<void> builder::build_initramfs(const fs::path& folder) {
  tell("initramfs", "packing banger-init and its modules");
  if (auto ok = init_.empty() ? read_init() : expected<void>{}; !ok)
    return ok;
  const auto m = storage::read_manifest(folder, kernel_manifest);
  if (!m)
    return tl::unexpected(m.error());
  std::vector<named_bytes> modules;
  std::string order;
  for (const auto& record : m->files) {
    if (!record.name.starts_with("modules/"))
      continue;
    auto bytes = storage::read_file(folder / record.name, max_module);
    if (!bytes)
      return tl::unexpected(bytes.error());
    if (storage::sha256(*bytes) != record.sha256)
      return fail(errc::corrupted, (folder / record.name).string() + " is damaged",
                  "its content has changed", "delete the folder " + folder.string());
    const auto name = fs::path(record.name).filename().string();
    if (name == "order")
      order = std::move(*bytes);
    else
      modules.push_back({name, std::move(*bytes)});
  }
  const auto file = initramfs_ + ".cpio";
  if (auto ok = storage::write_file(folder / file, make_initramfs(init_, modules, order), 0644);
      !ok)
    return ok;
  if (auto ok = storage::write_manifest(folder, initramfs_ + ".json", format, "initramfs", {{file}},
                                        stop_);
      !ok)
    return ok;
  remove_old_initramfs(folder);
  return {};
}

} // namespace

expected<boot_set> ensure_boot_set(const boot_request& request,
                                   const storage::progress_fn& progress,
                                   const std::stop_token& stop) {
  return builder(request, progress, stop).ensure();
}

expected<std::optional<boot_set>> find_boot_set(const boot_request& request) {
  const storage::progress_fn untold;
  return builder(request, untold, {}).find();
}

expected<void> check_boot_set(const boot_set& set, storage::check_depth depth,
                              const std::stop_token& stop) {
  const auto folder = set.vmlinux.parent_path();
  for (const auto& name : {std::string(kernel_manifest), set.initramfs.stem().string() + ".json"}) {
    const auto m = storage::read_manifest(folder, name);
    if (!m)
      return tl::unexpected(m.error());
    if (auto ok = storage::check_files(folder, *m, depth, stop); !ok)
      return ok;
  }
  return {};
}

} // namespace banger::boot
