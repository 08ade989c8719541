#include "cli/exit_codes.hpp"
#include "cli/handover.hpp"
#include "cli/print.hpp"
#include "cli/progress.hpp"
#include "cli/resolve.hpp"
#include "messages/base/unique_fd.hpp"
#include "tests/support/catch.hpp"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

using namespace banger;
using namespace banger::cli;
using namespace banger::messages;
using nlohmann::json;

namespace {

vm_view otter() {
  vm_view vm;
  vm.id = "4f2a00000001";
  vm.name = "otter";
  vm.state = "running";
  vm.image = "tiny";
  vm.vcpu = 2;
  vm.memory_mib = 256;
  vm.disk_bytes = 8ull << 30;
  vm.created_ms = 1000000;
  return vm;
}

vm_view named(std::string id, std::string name) {
  auto vm = otter();
  vm.id = std::move(id);
  vm.name = std::move(name);
  return vm;
}

} // namespace

TEST_CASE("a table pads with two spaces and leaves the last column alone") {
  CHECK(table({{"ID", "NAME", "X"}, {"1", "longer", "y"}, {"12345", "", "z"}}) ==
        "ID     NAME    X\n1      longer  y\n12345          z\n");
}

TEST_CASE("the list shows what a VM is and what happens to it") {
  auto vm = otter();
  vm.operation = "stop";
  CHECK(vm_table({vm}, 1090000) ==
        "ID            NAME   STATE           IMAGE  VCPU  MEM      DISK   CREATED\n"
        "4f2a00000001  otter  running (stop)  tiny   2     256 MiB  8 GiB  1 minute ago\n");
  CHECK(vm_table({}, 0) == "ID  NAME  STATE  IMAGE  VCPU  MEM  DISK  CREATED\n");
}

TEST_CASE("JSON carries every field under its wire name") {
  const auto list = json::parse(vms_json({otter()}));
  REQUIRE(list.is_array());
  CHECK(list[0]["name"] == "otter");
  CHECK(list[0]["memory_mib"] == 256);
  CHECK(list[0]["disk_bytes"] == 8ull << 30);
  CHECK(list[0]["created_ms"] == 1000 * 1000);
  CHECK(json::parse(vms_json({})) == json::array());

  vm_detail detail;
  detail.view = otter();
  detail.pid = 17;
  detail.last_start = {{"launch", 1500, false}};
  const auto all = json::parse(vm_json(detail));
  CHECK(all["id"] == "4f2a00000001");
  CHECK(all["pid"] == 17);
  CHECK(all["last_start"][0] == json{{"stage", "launch"}, {"micros", 1500}, {"ours", false}});
}

TEST_CASE("JSON survives bytes that are not UTF-8") {
  auto vm = otter();
  vm.image = "a\xff";
  CHECK(json::parse(vm_json(vm))["image"] == "a\xef\xbf\xbd");
}

TEST_CASE("the page of a VM tells its last start") {
  vm_detail detail;
  detail.view = otter();
  detail.last_error = "";
  detail.last_start = {{"launch", 1500, false}, {"disk", 500, true}};
  const auto page = vm_page(detail, 2000000);
  CHECK_THAT(page, Catch::Contains("name           otter\n"));
  CHECK_THAT(page, Catch::Contains("last error     -\n"));
  CHECK_THAT(page, Catch::Contains("launch   no    1.5 ms\n"));
}

TEST_CASE("timing sums our own stages apart") {
  CHECK(timing_table({{"disk", 1500, true}, {"hello", 250000, false}, {"exec", 500, true}}) ==
        "STAGE    OURS  TIME\n"
        "disk     yes   1.5 ms\n"
        "hello    no    250.0 ms\n"
        "exec     yes   500 us\n"
        "our own        2.0 ms\n"
        "in all         252.0 ms\n");
}

TEST_CASE("an error is one line that moves no cursor") {
  const failure f{errc::not_found, "no VM is called 'a\x1b[2Jb'", "why\n", "do this", "op-abc123"};
  CHECK(error_line(f, false) == "banger: no VM is called 'a?[2Jb': why; do this (op-abc123)\n");
  CHECK_THAT(error_line(f, true), Catch::StartsWith("\x1b[31mbanger:\x1b[0m no VM"));
}

TEST_CASE("times are short and have units") {
  CHECK(duration(0) == "0 us");
  CHECK(duration(999) == "999 us");
  CHECK(duration(12345) == "12.3 ms");
  CHECK(duration(4560000) == "4.56 s");
  CHECK(age(1000, 500) == "0 seconds ago");
  CHECK(age(0, 3600000) == "1 hour ago");
  CHECK(age(0, 5ull * 86400 * 1000) == "5 days ago");
}

TEST_CASE("the version is one line with commit and time of build") {
  CHECK(version_line({"0.2.0", "abcd123", 1777409150}) ==
        "banger v0.2.0 (commit abcd123, built 2026-04-28T20:45:50Z)\n");
  CHECK(version_line({"0.2.0", "unknown", 0}) == "banger v0.2.0 (commit unknown, built unknown)\n");
}

TEST_CASE("progress fits the width of the terminal, and its time is always seen") {
  const progress news{"op-1", "launch", "starting QEMU", 0};
  CHECK(progress_text("otter", news, 3250000, 80) == "otter: launch: starting QEMU (3.2 s)");
  CHECK(progress_text("", news, 0, 80) == "launch: starting QEMU (0.0 s)");
  const auto cut = progress_text("otter", news, 3250000, 20);
  CHECK(cut == "otter: laun (3.2 s)");
  CHECK(cut.size() < 20);
  CHECK(progress_text("otter", news, 0, 3) == " (0.0 s)");
}

TEST_CASE("a quiet progress line has nothing to wait for") {
  for (const bool live : {false, true}) {
    progress_line line({live, false, 80}, true, "otter");
    line.show({"op-1", "launch", "", 0});
    CHECK(line.wait_ms() == -1);
  }
}

TEST_CASE("without a terminal a stage is told once it takes longer than a moment") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  const unique_fd out(ends[0]), in(ends[1]), before(::dup(STDERR_FILENO));
  REQUIRE(::dup2(in.get(), STDERR_FILENO) >= 0);
  std::string said;
  const auto hear = [&] {
    char bytes[4096];
    for (ssize_t n; (n = ::read(out.get(), bytes, sizeof bytes)) > 0;)
      said.append(bytes, static_cast<std::size_t>(n));
  };
  int first = 0, again = 0;
  {
    progress_line line({false, false, 80}, false, "otter");
    line.show({"op-1", "kernel", "", 0});
    line.show({"op-1", "image", "fetching packages", 0});
    line.tick();
    hear();
    first = line.wait_ms();
    ::poll(nullptr, 0, first);
    line.show({"op-1", "image", "unpacking", 0});
    line.tick();
    again = line.wait_ms();
  }
  REQUIRE(::dup2(before.get(), STDERR_FILENO) >= 0);
  CHECK(said.empty());
  hear();
  CHECK(said == "otter: image: unpacking (0.0 s)\n");
  CHECK(first > 0);
  CHECK(again > first);
}

TEST_CASE("a notice stays on standard error, whatever the progress does") {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  const unique_fd out(ends[0]), in(ends[1]), before(::dup(STDERR_FILENO));
  REQUIRE(::dup2(in.get(), STDERR_FILENO) >= 0);
  for (const bool quiet : {true, false}) {
    progress_line line({false, false, 80}, quiet, "otter");
    line.show({"op-1", "launch", "", 0});
    line.show({"op-1", "notice", "VMs are emulated\x1b", 0});
    line.show({"op-1", "hello", "", 0});
  }
  REQUIRE(::dup2(before.get(), STDERR_FILENO) >= 0);
  char bytes[4096];
  const auto size = ::read(out.get(), bytes, sizeof bytes);
  REQUIRE(size > 0);
  CHECK(std::string(bytes, static_cast<std::size_t>(size)) == "note: VMs are emulated?\n");
}

TEST_CASE("lines of a guest's console come below an error, and indented in the page of a VM") {
  const failure f{errc::timed_out, "no sign of life", "last console lines:\none\x1b\ntwo",
                  "try again", ""};
  CHECK(error_line(f, false) ==
        "banger: no sign of life: last console lines:; try again\n  one?\n  two\n");
  vm_detail vm;
  vm.last_error = "it ended\nkernel: one\nkernel: two";
  CHECK_THAT(vm_page(vm, 0), Catch::Contains("last error     it ended\n"
                                             "               kernel: one\n"
                                             "               kernel: two\n"));
}

TEST_CASE("the exit code is the command's own, or says what became of it") {
  CHECK(exit_code({ending::exited, 0}) == 0);
  CHECK(exit_code({ending::exited, 42}) == 42);
  CHECK(exit_code({ending::exited, 255}) == 255);
  CHECK(exit_code({ending::signalled, 9}) == 137);
  CHECK(exit_code({ending::not_found, 2}) == 127);
  CHECK(exit_code({ending::not_runnable, 13}) == 126);
  CHECK(exit_code({ending::output_closed, 0}) == 141);
  CHECK(exit_code({ending::gave_up, 2}) == 130);
  CHECK(exit_code({ending::log_end, 0}) == 0);
  CHECK(worst({0, 1, 0}) == 1);
  CHECK(worst({}) == 0);
}

TEST_CASE("references are resolved by id, then name, then a beginning that fits one VM") {
  const std::vector<vm_view> vms = {named("aaaa00000001", "otter"), named("bbbb00000002", "ott"),
                                    named("cccc00000003", "aaaa")};
  const auto found = resolve({"ott", "otte", "aaaa", "bb"}, vms);
  REQUIRE(found.size() == 3);
  CHECK(found[0].vm->name == "ott");
  CHECK(found[1].vm->name == "otter");
  CHECK(found[2].vm->id == "cccc00000003");
}

TEST_CASE("what cannot be resolved is told in its place, and the rest goes on") {
  const std::vector<vm_view> vms = {named("aaaa00000001", "otter"), named("bbbb00000002", "ottin")};
  const auto found = resolve({"ot", "otter", "ot", "none", "aaaa00000001", ""}, vms);
  REQUIRE(found.size() == 4);
  CHECK(found[0].vm.error().code == errc::ambiguous);
  CHECK(found[0].vm.error().why == "otter (aaaa00000001), ottin (bbbb00000002)");
  CHECK(found[1].vm->name == "otter");
  CHECK(found[2].vm.error().code == errc::not_found);
  CHECK(found[3].vm.error().code == errc::not_found);
}

TEST_CASE("a newer program takes over, an older one uses what it understands") {
  const auto daemon = [](std::uint32_t protocol, const char* version, std::uint64_t build) {
    return hello_reply{protocol, version, "abc", build, 1};
  };
  const build_info ours{"0.2.0", "def", 100};
  CHECK(decide(ours, 1, daemon(1, "0.2.0", 100)) == handover::use);
  CHECK(decide(ours, 1, daemon(1, "0.2.0", 99)) == handover::retire);
  CHECK(decide(ours, 1, daemon(1, "0.1.9", 200)) == handover::retire);
  CHECK(decide(ours, 2, daemon(1, "0.1.9", 200)) == handover::retire);
  CHECK(decide(ours, 1, daemon(1, "0.3.0", 1)) == handover::use);
  CHECK(decide(ours, 1, daemon(2, "0.3.0", 1)) == handover::refuse);
  CHECK(decide(ours, 1, daemon(2, "0.2.0", 100)) == handover::refuse);
}
