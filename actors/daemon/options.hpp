// What `bangerd` is told on its command line and in its environment.
#pragma once

#include "actors/log/log.hpp"
#include "actors/storage/disks.hpp"
#include "messages/base/error.hpp"
#include "messages/config/config.hpp"

#include <chrono>
#include <filesystem>
#include <optional>

namespace banger::daemon {

struct options {
  int ready_fd = -1; ///< "ready\n" or "error TEXT\n" is written there, once
  int lock_fd = -1;  ///< the starter's lock, let go of when we are ready
  std::chrono::seconds idle_exit{
      0}; ///< leaves after so long without clients and running VMs; 0: stays
  bool check_migrations = false;
  bool version = false;
  log::level log_level = log::level::info;
  std::optional<storage::root_disk_kind> root_disk; ///< empty: the best that works
  std::filesystem::path kernel_package;             ///< a .deb at hand; empty: apt fetches it
  double time_scale = 1;                            ///< BANGER_TEST_TIME_SCALE: stretches deadlines
  struct {
    bool idle_exit = false, log_level = false, root_disk = false, kernel_package = false;
  } told; ///< what the command line or a variable said; config.toml does not change it
  std::vector<std::string> left_as_inherited; ///< from our starter, a line each (inheritance.hpp)
  int exit_code = -1; ///< ≥ 0: help was printed or the usage was wrong; leave with it
};

options parse_options(int argc, char** argv);

/// Fills in from config.toml what nobody said.
expected<void> settle(options& o, const config::settings& settings);

} // namespace banger::daemon
