// Which files are left to the helper after it was confined.
#include "messages/base/landlock.hpp"
#include "tests/unit/helper_confined.hpp"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

using namespace banger;
using namespace banger::helper;
using namespace banger::test;

namespace {

/// Files of this user's own, as those of root are for the helper.
struct others_files {
  test::scratch top;
  fs::path sockets = top / "run", file = top / "etc/passwd";

  others_files() {
    test::put(file, "x");
    fs::create_directory(sockets);
  }
  void check_closed(report& r) const {
    r.refused(::open(file.c_str(), O_WRONLY), "open for writing", EACCES);
    r.refused(::open(file.c_str(), O_RDWR | O_TRUNC), "truncation", EACCES);
    r.refused(::open((file.native() + "2").c_str(), O_WRONLY | O_CREAT, 0600), "a new file",
              EACCES);
    r.refused(::unlink(file.c_str()), "unlink", EACCES);
    r.that(static_cast<bool>(unique_fd(::open(file.c_str(), O_RDONLY))), "it cannot be read");
    r.that(static_cast<bool>(unique_fd(::open("/dev/null", O_WRONLY))), "no /dev/null");
  }
};

bool has_landlock() {
  if (landlock_abi() > 0)
    return true;
  WARN("skipped: this kernel offers no Landlock");
  return false;
}

} // namespace

TEST_CASE("the role network writes to the folder of its sockets, taps and switches of routing, and "
          "nowhere else") {
  if (!is_root() || !has_landlock())
    return;
  const others_files there;
  CHECK(in_child([&](report& r) {
          r.that(::unshare(CLONE_NEWNET) == 0, "no network namespace");
          be(r, confine(role::network, there.sockets));
          there.check_closed(r);
          check_still_works(r, there.sockets);
          check_tap(r);
          const unique_fd routing(::open("/proc/sys/net/ipv4/ip_forward", O_RDWR));
          r.that(::write(routing.get(), "1\n", 2) == 2, "no routing");
          r.refused(::open("/proc/sys/kernel/core_pattern", O_WRONLY), "core_pattern", EACCES);
        }) == "end");
  CHECK(test::slurp(there.file) == "x");
}

TEST_CASE("the role machine writes to the folder of its sockets and nowhere else") {
  if (!is_root() || !has_landlock())
    return;
  const others_files there;
  CHECK(in_child([&](report& r) {
          r.that(::unshare(CLONE_NEWNS) == 0 &&
                     ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0,
                 "no mounts of its own");
          be(r, confine(role::machine, there.sockets));
          there.check_closed(r);
          check_still_works(r, there.sockets);
          r.refused(::mkdir((there.top / "new").c_str(), 0700), "mkdir", EACCES);
          r.refused(::mount("none", there.sockets.c_str(), "tmpfs", 0, nullptr), "mount");
          r.that(::kill(::getppid(), 0) == 0, "no signal to others");
        }) == "end");
  CHECK(test::slurp(there.file) == "x");
}
