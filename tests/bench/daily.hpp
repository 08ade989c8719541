// The rows of the bench about daily use: the default image, and a daemon that is started again.
#pragma once

#include "tests/support/home.hpp"

namespace banger::bench {

/// `home` has made the images tiny and debian-bookworm.
void bench_default_image(test::home& home);
/// To `--wait boot`, beside the same machine without a daemon. Takes minutes.
void bench_boot(test::home& home);
/// With 20 VMs that run: scripted machines, so that only the daemon costs.
void bench_daemon_start();

} // namespace banger::bench
