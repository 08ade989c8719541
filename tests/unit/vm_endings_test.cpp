// Machines that end or stand still without an order.
#include "actors/vm/endings.hpp"
#include "tests/support/catch.hpp"

using namespace banger::vm;
using namespace std::chrono_literals;
using banger::io::ending;
using banger::io::pause;
using kind = end_of_machine::kind;

namespace {

std::string lines(int first, int last) {
  std::string text;
  for (int i = first; i <= last; ++i)
    text += "line " + std::to_string(i) + "\n";
  return text;
}

const std::string panic = "[    3.1] Kernel panic - not syncing: sysrq triggered crash\n";

} // namespace

TEST_CASE("the hypervisor's last words decide what an end means") {
  CHECK(judge_end(ending::power_off, false, "").is == kind::off);
  CHECK(judge_end(ending::reset, false, "").is == kind::reboot);
  CHECK(judge_end(ending::reset, true, "").is == kind::reboot); // its agent has synced before
  CHECK(judge_end(ending::panic, false, "").is == kind::failed);
  CHECK(judge_end(ending::host, false, "").why.find("on the host") != std::string::npos);
  CHECK(judge_end(ending::host, true, "").is == kind::off);
  CHECK(judge_end(ending::unsaid, true, "").is == kind::off);
  CHECK(judge_end(ending::unsaid, false, "").why == "the hypervisor ended unexpectedly");
}

TEST_CASE("a kernel that panicked and reboots for it has failed, and its panic is shown") {
  const auto end = judge_end(ending::reset, false, lines(1, 20) + panic + lines(21, 45));
  CHECK(end.is == kind::failed);
  CHECK(end.why == "the guest's kernel panicked");
  CHECK(end.evidence == panic + lines(21, 29));
  CHECK(judge_end(ending::reset, false, panic).evidence == panic);
  CHECK(judge_end(ending::power_off, false, panic).is == kind::off);
}

TEST_CASE("otherwise the last ten lines of the console are shown") {
  CHECK(judge_end(ending::unsaid, false, lines(1, 30)).evidence == lines(21, 30));
  CHECK(judge_end(ending::unsaid, false, lines(1, 10)).evidence == lines(1, 10));
  CHECK(judge_end(ending::unsaid, false, "one\ntwo").evidence == "one\ntwo");
  CHECK(judge_end(ending::unsaid, false, "").evidence.empty());
  CHECK(judge_end(ending::unsaid, false, "\n").evidence == "\n");
}

TEST_CASE("a pause says why, and what can pass is tried again") {
  CHECK(describe_pause({pause::cause::disk_full, {}}, "/state/vms") ==
        "no space left on /state/vms");
  CHECK(describe_pause({pause::cause::disk, "write: Disk quota exceeded"}, "/v") ==
        "a disk error on /v (write: Disk quota exceeded)");
  CHECK(may_resume({pause::cause::disk_full, {}}));
  CHECK(may_resume({pause::cause::disk, {}}));
  CHECK_FALSE(may_resume({pause::cause::internal, {}}));
  CHECK_FALSE(may_resume({pause::cause::ordered, {}}));
  CHECK(next_look({}) == 1s);
  CHECK(next_look(4s) == 8s);
  CHECK(next_look(8s) == 10s);
}
