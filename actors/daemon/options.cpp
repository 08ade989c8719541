#include "actors/daemon/options.hpp"

#include <CLI/CLI.hpp>

#include <cstdlib>

namespace banger::daemon {

namespace {

void take_words(options& o, const std::string& level, const std::string& root_disk) {
  if (auto parsed = log::parse_level(level))
    o.log_level = *parsed;
  else
    throw CLI::ValidationError("--log-level", describe(parsed.error()));
  if (root_disk != "auto") {
    auto kind = storage::parse_root_disk_kind(root_disk);
    if (!kind)
      throw CLI::ValidationError("--root-disk", describe(kind.error()));
    o.root_disk = *kind;
  }
}

} // namespace

options parse_options(int argc, char** argv) {
  options o;
  std::int64_t idle = 0;
  std::string level = "info", root_disk = "auto";
  CLI::App app{
      "bangerd: the banger daemon. `banger` starts it on demand; nobody needs to start it by hand.",
      "bangerd"};
  app.add_option("--ready-fd", o.ready_fd, "Descriptor to say \"ready\" on")
      ->check(CLI::Range(0, 1 << 20));
  app.add_option("--lock-fd", o.lock_fd, "Descriptor to close when ready")
      ->check(CLI::Range(0, 1 << 20));
  app.add_option("--idle-exit", idle,
                 "Leave after so many seconds without clients and running VMs (0: stay)")
      ->check(CLI::Range(0, 1 << 30));
  app.add_flag("--check-migrations", o.check_migrations,
               "Say whether the database fits this program: 0 yes, 1 migrations needed, 2 no");
  app.add_option("--log-level", level, "debug, info, warn or error")->envname("BANGER_LOG_LEVEL");
  app.add_option("--root-disk", root_disk, "auto, reflink, qcow2 or overlay")
      ->envname("BANGER_ROOT_DISK");
  app.add_option("--kernel-package", o.kernel_package,
                 "A linux-image .deb, where apt cannot fetch one")
      ->envname("BANGER_KERNEL_PACKAGE");
  app.add_flag("--version", o.version, "Print the version");
  try {
    app.parse(argc, argv);
    o.told = {app.count("--idle-exit") > 0, app.count("--log-level") > 0,
              app.count("--root-disk") > 0, app.count("--kernel-package") > 0};
    o.idle_exit = std::chrono::seconds(idle);
    if (!o.kernel_package.empty())
      o.kernel_package = std::filesystem::absolute(o.kernel_package);
    take_words(o, level, root_disk);
  } catch (const CLI::ParseError& why) {
    o.exit_code = app.exit(why) == 0 ? 0 : 2;
  }
  if (const char* scale = std::getenv("BANGER_TEST_TIME_SCALE"))
    o.time_scale = std::max(1.0, std::atof(scale));
  return o;
}

expected<void> settle(options& o, const config::settings& settings) {
  if (settings.idle_exit && !o.told.idle_exit)
    o.idle_exit = std::chrono::duration_cast<std::chrono::seconds>(*settings.idle_exit);
  if (settings.log_level && !o.told.log_level) {
    const auto level = log::parse_level(*settings.log_level);
    if (!level)
      return tl::unexpected(level.error());
    o.log_level = *level;
  }
  if (settings.root_disk && *settings.root_disk != "auto" && !o.told.root_disk) {
    const auto kind = storage::parse_root_disk_kind(*settings.root_disk);
    if (!kind)
      return tl::unexpected(kind.error());
    o.root_disk = *kind;
  }
  if (settings.kernel_package && !o.told.kernel_package)
    o.kernel_package = *settings.kernel_package;
  // Where the search for QEMU looks first. No other thread lives yet.
  if (settings.qemu_bin)
    ::setenv("BANGER_QEMU", settings.qemu_bin->c_str(), 0);
  return {};
}

} // namespace banger::daemon
