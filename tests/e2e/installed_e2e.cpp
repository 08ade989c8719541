// The layout of `cmake --install`, which the fixture makes beside the programs of the build.
#include "tests/support/home.hpp"

#include "tests/support/catch.hpp"

using namespace banger::test;
namespace fs = std::filesystem;

TEST_CASE("an installed banger runs a VM with its own daemon and its own agent", "[vm][user]") {
  const auto usr = bin("banger").parent_path().parent_path() / "usr";
  if (!fs::exists(usr))
    return skip("the build is not whole, so nothing was installed");
  home h;
  program p;
  p.argv = {usr / "bin/banger", "vm", "run", "--rm", "--image", "tiny", "--", "cat",
            "/proc/1/comm"};
  p.env = h.env;
  const auto got = run(p, {}, boot_time);
  INFO(got.err);
  CHECK(got.status == 0);
  CHECK(got.out == "init\n");
  const auto daemon = fs::read_symlink("/proc/" + std::to_string(h.daemon_pid()) + "/exe");
  CHECK(daemon == usr / "bin/bangerd");
}
