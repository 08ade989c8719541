// What a daemon was started with, against what its caller would start it with.
#include "messages/config/report.hpp"

#include "tests/support/catch.hpp"

#include <cstdlib>
#include <fstream>
#include <unistd.h>

using namespace banger;

namespace {

struct places {
  folders where;
  places() {
    char path[] = "/tmp/banger-report-XXXXXX";
    REQUIRE(::mkdtemp(path) != nullptr);
    where = {path, "/s", "/c", "/k"};
  }
  ~places() { std::filesystem::remove_all(where.runtime); }
};

} // namespace

TEST_CASE_METHOD(places, "a report is read back, by callers of the daemon that wrote it only") {
  const config::report now{4711, {{"BANGER_QEMU", "/opt/a\tb\nc"}, {"BANGER_INIT", ""}}};
  REQUIRE(config::write_report(now, where));
  const auto found = config::read_report(where, 4711);
  REQUIRE(found);
  REQUIRE(found->environment.size() == 2);
  CHECK(found->environment[0].second == "/opt/a b c");
  CHECK(found->environment[1].second.empty());
  CHECK_FALSE(config::read_report(where, 4712));
  config::remove_report(where);
  CHECK_FALSE(config::read_report(where, 4711));
}

TEST_CASE_METHOD(places, "a file that is no report is none") {
  for (const auto* text : {"", "\n", "x\ty\n", "-1\n", "99999999999999999999\n"}) {
    std::ofstream(where.runtime / "bangerd.report") << text;
    CHECK_FALSE(config::read_report(where, 0));
    CHECK_FALSE(config::read_report(where, 1));
  }
}

TEST_CASE_METHOD(places, "what differs is told with both values, and nothing where nothing does") {
  ::unsetenv("BANGER_QEMU");
  const auto before = config::present(where);
  CHECK(config::differences(before, config::present(where)).empty());
  ::setenv("BANGER_QEMU", "/opt/qemu", 1);
  auto elsewhere = where;
  elsewhere.state = "/other";
  const auto text = config::differences(before, config::present(elsewhere));
  ::unsetenv("BANGER_QEMU");
  CHECK(text == "note: the daemon that runs was started with XDG_STATE_HOME /s, here /other, "
                "BANGER_QEMU unset, here /opt/qemu; `banger daemon stop` lets the next command "
                "start one with yours");
}
