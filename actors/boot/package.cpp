#include "actors/boot/package.hpp"

#include "actors/storage/lines.hpp"
#include "actors/storage/process.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace banger::boot {

namespace fs = std::filesystem;

namespace {

constexpr const char* meta_package = "linux-image-cloud-amd64";
constexpr const char* name_start = "linux-image-";
constexpr const char* remedy = "run scripts/bootstrap or `apt-get update` while online, or set "
                               "BANGER_KERNEL_PACKAGE to a linux-image .deb";

// The value of "Key: value", as dpkg prints it.
std::string value_of(std::string_view text, std::string_view key) {
  std::string found;
  storage::each_line(text, [&](std::string_view line) {
    if (found.empty() && line.starts_with(key) && line.substr(key.size()).starts_with(": "))
      found = line.substr(key.size() + 2);
  });
  return found;
}

tl::unexpected<failure> not_to_be_had(const failure& f) {
  if (f.code != errc::operation_failed)
    return fail(f.code, "cannot fetch a kernel", f.what, remedy);
  return fail(errc::unavailable, "cannot fetch a kernel", f.why, remedy);
}

// The meta package always depends on the newest kernel.
expected<std::string> newest_kernel(const std::stop_token& stop) {
  const storage::command ask{
      .argv = {"apt-cache", "depends", "--no-recommends", "--no-suggests", meta_package}};
  const auto answer = storage::run(ask, stop);
  if (!answer)
    return not_to_be_had(answer.error());
  std::string name;
  storage::each_line(answer->out, [&](std::string_view line) {
    constexpr std::string_view key = "Depends: ";
    const auto at = line.find(key);
    if (name.empty() && at != std::string_view::npos &&
        line.substr(at + key.size()).starts_with(name_start))
      name = line.substr(at + key.size());
  });
  if (name.empty())
    return fail(errc::unavailable, "cannot fetch a kernel",
                std::string("apt does not say which kernel ") + meta_package + " stands for",
                remedy);
  return name;
}

// "dlstatus:1:12.3456:Retrieving file 1 of 1 (2s remaining)" → "12 %".
std::optional<std::string> percent_of(std::string_view line) {
  constexpr std::string_view key = "dlstatus:";
  if (!line.starts_with(key))
    return {};
  const auto at = line.find(':', key.size());
  if (at == std::string_view::npos)
    return {};
  const auto number = line.substr(at + 1);
  return std::string(number.substr(0, number.find_first_of(".:"))) + " %";
}

std::optional<fs::path> only_file(const fs::path& folder, std::string_view start,
                                  std::string_view end) {
  std::error_code bad;
  for (fs::directory_iterator at(folder, bad), last; !bad && at != last; at.increment(bad)) {
    const auto name = at->path().filename().string();
    if (name.starts_with(start) && name.ends_with(end))
      return at->path();
  }
  return {};
}

} // namespace

expected<kernel_package> look_at_package(const fs::path& deb, const std::stop_token& stop) {
  const storage::command ask{
      .argv = {"dpkg-deb", "-f", fs::absolute(deb).string(), "Package", "Version", "Architecture"}};
  const auto answer = storage::run(ask, stop);
  if (!answer && answer.error().code != errc::operation_failed)
    return tl::unexpected(answer.error());
  if (!answer)
    return fail(errc::bad_request, "cannot use the kernel package " + deb.string(),
                answer.error().why, "give the path of a linux-image .deb");
  kernel_package p{deb, value_of(answer->out, "Package"), value_of(answer->out, "Version")};
  if (!p.name.starts_with(name_start) || p.version.empty() ||
      value_of(answer->out, "Architecture") != "amd64")
    return fail(errc::bad_request, "cannot use the package " + deb.string(),
                "it is not a kernel for amd64", "give the path of a linux-image .deb");
  return p;
}

expected<kernel_package> fetch_package(const fs::path& folder, const storage::progress_fn& progress,
                                       const std::stop_token& stop) {
  const auto name = newest_kernel(stop);
  if (!name)
    return tl::unexpected(name.error());
  const auto tell = [&](const std::string& detail) {
    if (progress)
      progress("kernel", detail);
  };
  tell("downloading " + *name);
  storage::command get{.argv = {"apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", "-o",
                                "APT::Status-Fd=1", "-o", "Acquire::Retries=2", "-o",
                                "Acquire::http::Timeout=30", *name},
                       .cwd = folder,
                       .deadline = std::chrono::minutes(10)};
  std::string last;
  get.on_line = [&](std::string_view line) {
    const auto percent = percent_of(line);
    if (percent && *percent != std::exchange(last, *percent))
      tell("downloading " + *name + ", " + *percent);
  };
  if (const auto done = storage::run(get, stop); !done)
    return not_to_be_had(done.error());
  const auto deb = only_file(folder, *name + "_", ".deb");
  if (!deb)
    return fail(errc::unavailable, "cannot fetch a kernel", "apt-get left no package", remedy);
  return look_at_package(*deb, stop);
}

expected<unpacked_kernel> unpack_package(const fs::path& deb, const fs::path& folder,
                                         const std::stop_token& stop) {
  const storage::command unpack{
      .argv = {"dpkg-deb", "-x", fs::absolute(deb).string(), folder.string()},
      .deadline = std::chrono::minutes(5)};
  if (const auto done = storage::run(unpack, stop); !done)
    return tl::unexpected(done.error());
  constexpr std::string_view kernel_start = "vmlinuz-";
  const auto kernel = only_file(folder / "boot", kernel_start, "");
  if (!kernel)
    return fail(errc::bad_request, "cannot use the package " + deb.string(),
                "there is no kernel in it", "give the path of a linux-image .deb");
  const auto release = kernel->filename().string().substr(kernel_start.size());
  for (const fs::path& base : {folder, folder / "usr"}) {
    const auto modules = base / "lib/modules" / release;
    std::error_code ignored;
    if (!fs::is_directory(modules, ignored))
      continue;
    // Packed modules are unpacked by it, all of them.
    const storage::command index{.argv = {"depmod", "-b", base.string(), release},
                                 .deadline = std::chrono::minutes(5)};
    if (const auto done = storage::run(index, stop); !done)
      return tl::unexpected(done.error());
    return unpacked_kernel{release, *kernel, modules};
  }
  return fail(errc::bad_request, "cannot use the package " + deb.string(),
              "there are no modules for " + release + " in it",
              "give the path of a linux-image .deb");
}

} // namespace banger::boot
