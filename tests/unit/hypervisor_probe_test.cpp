#include "actors/hypervisor/probe.hpp"
#include "actors/hypervisor/tsc.hpp"
#include "tests/support/catch.hpp"
#include "tests/unit/hypervisor_scratch.hpp"

#include <cerrno>

using namespace banger;
using namespace banger::hypervisor;
using banger::test::scratch_folder;
using boot = kvm_evidence::boot;

namespace {

class qemu_variable {
public:
  explicit qemu_variable(const std::filesystem::path& value) {
    if (const char* old = std::getenv("BANGER_QEMU"))
      old_ = old;
    ::setenv("BANGER_QEMU", value.c_str(), 1);
  }
  ~qemu_variable() {
    if (old_.empty())
      ::unsetenv("BANGER_QEMU");
    else
      ::setenv("BANGER_QEMU", old_.c_str(), 1);
  }
  qemu_variable(const qemu_variable&) = delete;
  qemu_variable& operator=(const qemu_variable&) = delete;

private:
  std::string old_;
};

constexpr auto speaks_7_2 = "#!/bin/sh\necho 'QEMU emulator version 7.2.22 (Debian 1:7.2)'\n";

host_facts unproven(const scratch_folder& folder) {
  host_facts facts;
  facts.binary = folder.file("qemu", "x");
  facts.kvm_unproven = true;
  return facts;
}

/// A host where all but the boot speaks for KVM.
probe_places promising(const scratch_folder& folder) {
  return {folder.file("kvm", ""),
          folder.file("cpuinfo", "flags\t: fpu vmx tsc\n"),
          folder.path() / "kvm_pvm",
          {folder.path() / "nested"}};
}

} // namespace

TEST_CASE("what is wrong with the QEMU that was named is told") {
  const scratch_folder folder;
  const auto why = [](const std::filesystem::path& file) {
    const qemu_variable given(file);
    return describe(no_qemu());
  };
  const auto missing = (folder.path() / "missing").string();
  CHECK(why(missing).find(missing + ": No such file or directory") != std::string::npos);
  CHECK(why(folder.file("plain", "x")).find("Permission denied") != std::string::npos);
  CHECK(why(folder.file("other", "#!/bin/sh\n", true)).find("prints no version") !=
        std::string::npos);
  CHECK(why("").find("qemu-system-x86_64 is not installed") != std::string::npos);
}

TEST_CASE("KVM is used only when everything speaks for it") {
  for (const int error : {0, ENOENT, EACCES, EBUSY})
    for (const bool extensions : {false, true})
      for (const bool pvm : {false, true})
        for (const auto booted : {boot::not_tried, boot::good, boot::bad}) {
          const auto d = decide_accelerator({error, extensions, pvm, booted, "it hung"});
          const bool promising = error == 0 && extensions && !pvm;
          INFO(error << ' ' << extensions << ' ' << pvm << ' ' << static_cast<int>(booted));
          CHECK((d.accel == accelerator::kvm) == (promising && booted == boot::good));
          CHECK(d.needs_boot_probe == (promising && booted == boot::not_tried));
          CHECK(d.why_not_kvm.empty() == (d.accel == accelerator::kvm));
        }
}

TEST_CASE("each reason against KVM has its own words") {
  const auto why = [](const kvm_evidence& e) { return decide_accelerator(e).why_not_kvm; };
  CHECK(why({ENOENT, true, false, boot::good, ""}) == "there is no usable /dev/kvm on this host");
  CHECK(why({EACCES, true, false, boot::good, ""}).find("may not open") != std::string::npos);
  CHECK(why({EBUSY, true, false, boot::good, ""}).find("busy") != std::string::npos);
  CHECK(why({0, false, true, boot::good, ""}).find("kvm_pvm") != std::string::npos);
  CHECK(why({0, false, false, boot::good, ""}).find("no vmx or svm") != std::string::npos);
  CHECK(why({0, true, false, boot::bad, "it hung"}).find("it hung") != std::string::npos);
}

TEST_CASE("a reason against KVM that the user can remove has its remedy") {
  const auto remedy = [](const kvm_evidence& e) { return decide_accelerator(e).remedy; };
  CHECK(remedy({EACCES, true, false, boot::good, ""}).find("usermod") != std::string::npos);
  CHECK(remedy({0, true, false, boot::bad, ""}).find("banger daemon probe") != std::string::npos);
  CHECK(remedy({ENOENT, true, false, boot::good, ""}).empty());
  CHECK(remedy({0, true, true, boot::good, ""}).empty());
  CHECK(remedy({0, true, false, boot::good, ""}).empty());
}

TEST_CASE("a KVM module that forbids nested VMs is named") {
  const scratch_folder folder;
  const auto places = promising(folder);
  CHECK(why_not_nested(places).empty()); // no module parameter: nothing forbids
  for (const auto* allowed : {"Y\n", "1\n"}) {
    folder.file("nested", allowed);
    CHECK(why_not_nested(places).empty());
  }
  for (const auto* forbidden : {"N\n", "0\n"}) {
    folder.file("nested", forbidden);
    CHECK(why_not_nested(places).find("nested is ") != std::string::npos);
  }
}

TEST_CASE("a boot that makes progress gets more time than a silent one") {
  using namespace std::chrono_literals;
  const boot_watch::time_point begin{};
  boot_watch silent({10s, 60s}, begin);
  CHECK(silent.left(begin + 4s) == 6s);
  CHECK(silent.left(begin + 10s) == 0ms);
  CHECK(silent.verdict(begin + 10s).code == errc::timed_out);
  CHECK(silent.verdict(begin + 10s).what == "it printed nothing for 10 s");
  CHECK(silent.verdict(begin + 10s).why == "its console is empty");

  boot_watch slow({10s, 60s}, begin);
  for (auto t = 9s; t < 60s; t += 9s)
    slow.printed("[ 1.0] line " + std::to_string(t.count()) + "\r\n", begin + t);
  CHECK(slow.left(begin + 55s) == 5s); // the total, not the silence
  CHECK(slow.left(begin + 60s) == 0ms);
  CHECK(slow.verdict(begin + 60s).what == "it did not reach user space within 60 s");
  CHECK(slow.verdict(begin + 60s).why == "after: [ 1.0] line 54");
}

TEST_CASE("the last line of a console is kept, however much it prints") {
  boot_watch watch({}, {});
  CHECK(watch.last_line().empty());
  for (int i = 0; i < 1000; ++i)
    watch.printed("a line of the kernel log\r\n", {});
  watch.printed("the last ", {});
  watch.printed("line\r\n\r\n", {});
  CHECK(watch.last_line() == "the last line");
}

TEST_CASE("the evidence is read from the places where the kernel shows it") {
  const scratch_folder folder;
  auto places = promising(folder);
  auto seen = look_at_kvm(places);
  CHECK(seen.open_error == 0);
  CHECK(seen.cpu_extensions);
  CHECK_FALSE(seen.paravirtual_only);
  folder.file("kvm_pvm", "");
  folder.file("cpuinfo", "flags\t: fpu hypervisor vmxoff\nbugs\t: svm\n");
  std::filesystem::remove(places.kvm_device);
  seen = look_at_kvm(places);
  CHECK(seen.open_error == ENOENT);
  CHECK_FALSE(seen.cpu_extensions);
  CHECK(seen.paravirtual_only);
}

TEST_CASE("QEMU's version is read from what it prints") {
  CHECK(parse_qemu_version("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nC") == "7.2.22");
  CHECK(parse_qemu_version("QEMU emulator version 10.0.2\n") == "10.0.2");
  CHECK(parse_qemu_version("GNU bash, version 5.2").empty());
  CHECK(parse_qemu_version("").empty());
}

TEST_CASE("a probed host has a version and a clock rate, and is asked for them once") {
  const scratch_folder folder;
  const auto qemu = folder.file("qemu", speaks_7_2, true);
  const qemu_variable given(qemu);
  const auto cache = folder.path() / "cache";
  const auto first = probe_host(cache, promising(folder));
  CHECK(first.binary == qemu);
  CHECK(first.version == "7.2.22");
  CHECK(first.tsc_khz > 100'000);
  CHECK(first.accel == accelerator::tcg);
  CHECK(first.kvm_unproven);
  auto text = test::content(cache / "host");
  const auto at = text.find("version 7.2.22");
  REQUIRE(at != std::string::npos);
  std::ofstream(cache / "host") << text.replace(at, 14, "version 7.2.99");
  const auto second = probe_host(cache, promising(folder));
  CHECK(second.version == "7.2.99");
  CHECK(second.tsc_khz == first.tsc_khz);
}

TEST_CASE("a cache of another boot, or a damaged one, is as none") {
  const scratch_folder folder;
  const qemu_variable given(folder.file("qemu", speaks_7_2, true));
  for (const auto* old : {"boot_id other\ntsc_khz 1\n", "\n\n\x01\x02 garbage", "tsc_khz 1\n"}) {
    folder.file("host", old);
    CHECK(probe_host(folder.path(), promising(folder)).tsc_khz > 100'000);
  }
}

TEST_CASE("what is not QEMU, or not there, is no binary") {
  const scratch_folder folder;
  {
    const qemu_variable given(folder.file("other", "#!/bin/sh\necho hello\n", true));
    CHECK(probe_host(folder.path()).binary.empty());
  }
  const qemu_variable given(folder.path() / "missing");
  CHECK(probe_host(folder.path()).binary.empty());
}

TEST_CASE("a guest that booted under KVM is remembered until the host boots again") {
  const scratch_folder folder;
  const qemu_variable given(folder.file("qemu", speaks_7_2, true));
  const auto cache = folder.path() / "cache";
  auto facts = probe_host(cache, promising(folder));
  int boots = 0;
  facts = confirm_kvm(facts, cache, [&](const host_facts& attempt) -> expected<void> {
    ++boots;
    CHECK(attempt.accel == accelerator::kvm);
    return {};
  });
  CHECK(boots == 1);
  CHECK(facts.accel == accelerator::kvm);
  CHECK_FALSE(facts.kvm_unproven);
  facts = probe_host(cache, promising(folder));
  CHECK(facts.accel == accelerator::kvm);
  confirm_kvm(facts, cache, [&](const host_facts&) -> expected<void> {
    ++boots;
    return {};
  });
  CHECK(boots == 1);
}

TEST_CASE("a guest that hung under KVM is not tried twice") {
  const scratch_folder folder;
  const qemu_variable given(folder.file("qemu", speaks_7_2, true));
  const auto cache = folder.path() / "cache";
  const auto hang = [](const host_facts&) -> expected<void> {
    return fail(errc::timed_out, "it said nothing");
  };
  auto facts = confirm_kvm(probe_host(cache, promising(folder)), cache, hang);
  CHECK(facts.accel == accelerator::tcg);
  CHECK(facts.why_not_kvm == "a test guest did not boot under KVM: it said nothing");
  facts = probe_host(cache, promising(folder));
  CHECK_FALSE(facts.kvm_unproven);
  CHECK(facts.why_not_kvm == "a test guest did not boot under KVM: it said nothing");
}

TEST_CASE("a result that was removed is found again by another test guest") {
  const scratch_folder folder;
  const qemu_variable given(folder.file("qemu", speaks_7_2, true));
  const auto cache = folder.path() / "cache";
  confirm_kvm(probe_host(cache, promising(folder)), cache, [](const host_facts&) -> expected<void> {
    return fail(errc::timed_out, "it said nothing");
  });
  CHECK_FALSE(probe_host(cache, promising(folder)).kvm_unproven);
  forget_boot_probe(cache);
  const auto facts = probe_host(cache, promising(folder));
  CHECK(facts.kvm_unproven);
  CHECK(facts.kvm_remedy.empty());
  CHECK(facts.version == "7.2.22");
}

TEST_CASE("a full disk during the boot probe is no evidence against KVM") {
  const scratch_folder folder;
  const auto facts =
      confirm_kvm(unproven(folder), folder.path(), [](const host_facts&) -> expected<void> {
        return fail(errc::operation_failed, "no space");
      });
  CHECK(facts.accel == accelerator::tcg);
  CHECK_FALSE(std::filesystem::exists(folder.path() / "host"));
}

TEST_CASE("the boot probe is left out where KVM is out of question") {
  host_facts facts;
  facts.binary = "/qemu";
  facts.why_not_kvm = "no";
  facts = confirm_kvm(facts, "/nonexistent", [](const host_facts&) -> expected<void> {
    FAIL("it ran");
    return {};
  });
  CHECK(facts.why_not_kvm == "no");
}

TEST_CASE("two measurements of the clock agree") {
  const auto one = measure_tsc_khz(), two = measure_tsc_khz();
  const auto apart = one > two ? one - two : two - one;
  CHECK(one > 100'000);
  CHECK(apart < one / 1000);
}
