// What QEMU says of its machine on its own.
#include "actors/io/machine_status.hpp"
#include "tests/support/catch.hpp"

using namespace banger::io;

TEST_CASE("the reason of a SHUTDOWN tells who wanted the end") {
  CHECK(ending_of(R"({"guest": true, "reason": "guest-shutdown"})") == ending::power_off);
  CHECK(ending_of(R"({"guest": true, "reason": "guest-reset"})") == ending::reset);
  CHECK(ending_of(R"({"guest": true, "reason": "guest-panic"})") == ending::panic);
  CHECK(ending_of(R"({"guest": false, "reason": "host-signal"})") == ending::host);
  CHECK(ending_of(R"({"guest": false, "reason": "host-qmp-quit"})") == ending::host);
  CHECK(ending_of("{}") == ending::unsaid);
  CHECK(ending_of("[1]") == ending::unsaid);
  CHECK(ending_of("nonsense") == ending::unsaid);
}

TEST_CASE("a machine that stands still says why, and one that runs says nothing") {
  const auto full =
      R"([{"device": "", "io-status": "ok"}, {"device": "", "io-status": "nospace"}])";
  const auto status = [](const char* word) {
    return R"({"running": false, "status": ")" + std::string(word) + "\"}";
  };
  CHECK_FALSE(pause_of(status("running"), full, ""));
  CHECK_FALSE(pause_of(status("prelaunch"), full, ""));
  CHECK_FALSE(pause_of(status("shutdown"), full, ""));
  CHECK_FALSE(pause_of("nonsense", "nonsense", ""));
  CHECK(pause_of(status("io-error"), full, "x")->of == pause::cause::disk_full);
  const auto disk = pause_of(status("io-error"), R"([{"io-status": "failed"}])", "write: quota");
  REQUIRE(disk);
  CHECK(disk->of == pause::cause::disk);
  CHECK(disk->reason == "write: quota");
  CHECK(pause_of(status("io-error"), "{}", "")->of == pause::cause::disk);
  CHECK(pause_of(status("internal-error"), "[]", "")->of == pause::cause::internal);
  CHECK(pause_of(status("paused"), "[]", "")->of == pause::cause::ordered);
}

TEST_CASE("an error of a disk is put into words") {
  CHECK(disk_error(R"({"operation": "write", "action": "stop", "reason": "Input/output error"})") ==
        "write: Input/output error");
  CHECK(disk_error("[]") == ": unknown error");
}
