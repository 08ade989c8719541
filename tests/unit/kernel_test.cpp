#include "actors/boot/kernel.hpp"

#include "actors/boot/modules.hpp"
#include "actors/boot/newc.hpp"
#include "actors/storage/process.hpp"
#include "tests/unit/boot_samples.hpp"
#include "tests/unit/storage_scratch.hpp"

#include <atomic>
#include <cstdlib>
#include <thread>

using namespace banger;
using namespace banger::boot;
using banger::test::code;
using banger::test::put;
using banger::test::slurp;
using banger::test::why;
namespace fs = std::filesystem;
namespace samples = banger::test::samples;

namespace {

// A kernel package like Debian's, with a kernel of 300 bytes, and a static "banger-init".
struct workshop : test::scratch {
  boot_request request{*this / "cache", *this / "init", *this / "kernel.deb"};

  explicit workshop(bool packed_kernel = false) {
    put(request.banger_init, static_program("one"));
    const auto tree = *this / "package";
    put(tree / "DEBIAN/control", "Package: linux-image-6.1.0-99-test-amd64\nVersion: 6.1.1-1\n"
                                 "Architecture: amd64\nMaintainer: t <t@t>\nDescription: t\n");
    put(tree / "boot" / (std::string("vmlinuz-") + samples::release),
        samples::bzimage(packed_kernel ? samples::payload(samples::kernel(), "zstd",
                                                          ::archive_write_add_filter_zstd)
                                       : samples::lz4(samples::kernel())));
    const auto modules = tree / "lib/modules" / samples::release;
    put(modules / "modules.builtin", "kernel/fs/ext4/ext4.ko\n");
    put(modules / "modules.order", "");
    const auto wishes = default_modules();
    for (const auto* group : {&wishes.console, &wishes.rest})
      for (const auto& name : *group)
        if (name != "ext4")
          put(modules / "kernel" / (name + (packed_kernel ? ".ko.xz" : ".ko")),
              packed_kernel
                  ? samples::packed(samples::module(name, ""), ::archive_write_add_filter_xz)
                  : samples::module(name, ""));
    const auto packed = storage::run(
        {.argv = {"dpkg-deb", "--root-owner-group", "-Znone", "-b", tree, request.package_file}});
    INFO(why(packed));
    REQUIRE(packed);
  }

  // An ELF header and nothing that asks for a library.
  static std::string static_program(const std::string& content) {
    return samples::module(content, "");
  }
};

} // namespace

TEST_CASE("a boot set is made from a kernel package and banger-init") {
  const workshop w;
  std::string stages;
  const auto set =
      ensure_boot_set(w.request, [&](auto stage, auto) { stages += std::string(stage) + " "; });
  INFO(why(set));
  REQUIRE(set);
  CHECK(stages == "kernel kernel initramfs ");
  CHECK(set->version == samples::release);
  CHECK(slurp(set->vmlinux) == samples::kernel());
  const auto entries = read_newc(slurp(set->initramfs));
  REQUIRE(entries);
  std::string names;
  for (const auto& entry : *entries)
    names += entry.name + " ";
  CHECK(names.find("dev proc sys run tmp mnt ro rw modules dev/console dev/null init "
                   "modules/order modules/virtio_ring.ko ") == 0);
  for (const auto& entry : *entries) {
    if (entry.name == "init") {
      CHECK(entry.content == slurp(w.request.banger_init));
      CHECK((entry.mode & 0777) == 0755);
    }
    if (entry.name == "modules/order")
      CHECK(entry.content.find("virtio_console.ko\n--\nvirtio_blk.ko\n") != std::string::npos);
  }
  const auto listed =
      storage::run({.argv = {"debugfs", "-R", "ls -p /", set->modules_image.string()}});
  REQUIRE(listed);
  CHECK(listed->out.find("/modules.dep/") != std::string::npos);
  CHECK(check_boot_set(*set, storage::check_depth::digest));
}

TEST_CASE("a packed kernel with packed modules makes the same initramfs as a plain one") {
  const workshop plain, packed(true);
  const auto one = ensure_boot_set(plain.request, {}), other = ensure_boot_set(packed.request, {});
  INFO(why(one) << why(other));
  REQUIRE(one);
  REQUIRE(other);
  CHECK(slurp(other->vmlinux) == samples::kernel());
  CHECK(slurp(other->initramfs) == slurp(one->initramfs));
}

TEST_CASE("a boot set that is there is used as it is, without the package") {
  workshop w;
  const auto first = ensure_boot_set(w.request, {});
  REQUIRE(first);
  w.request.package_file.clear();
  int told = 0;
  const auto second = ensure_boot_set(w.request, [&](auto, auto) { ++told; });
  INFO(why(second));
  REQUIRE(second);
  CHECK(told == 0);
  CHECK(second->initramfs == first->initramfs);
}

TEST_CASE("a new banger-init makes a new initramfs and keeps the kernel") {
  workshop w;
  const auto first = ensure_boot_set(w.request, {});
  REQUIRE(first);
  w.request.package_file.clear();
  for (int i = 0; i < 6; ++i) {
    put(w.request.banger_init, workshop::static_program("build " + std::to_string(i)));
    std::string stages;
    const auto set = ensure_boot_set(w.request, [&](auto stage, auto) { stages += stage; });
    INFO(why(set));
    REQUIRE(set);
    CHECK(stages == "initramfs");
    CHECK(set->vmlinux == first->vmlinux);
    CHECK(set->initramfs != first->initramfs);
    CHECK(fs::exists(set->initramfs));
  }
  CHECK_FALSE(fs::exists(first->initramfs)); // old ones do not pile up
}

TEST_CASE("a banger-init that was read is not read again while it is the same file") {
  workshop w;
  const auto first = ensure_boot_set(w.request, {});
  REQUIRE(first);
  REQUIRE(first->init);
  w.request.known = first->init;
  CHECK(find_boot_set(w.request).value().value().init == first->init);
  auto other = *first->init;
  other.initramfs = "initramfs-of-another";
  w.request.known = std::make_shared<const known_init>(other);
  CHECK_FALSE(find_boot_set(w.request).value()); // it is believed
  put(w.request.banger_init, workshop::static_program("two"));
  const auto second = ensure_boot_set(w.request, {});
  REQUIRE(second);
  CHECK(second->initramfs != first->initramfs);
  CHECK(second->initramfs.stem() == second->init->initramfs);
}

TEST_CASE("several builders at once make one set") {
  const workshop w;
  std::atomic<int> kernels = 0;
  std::vector<std::string> results(3);
  {
    std::vector<std::jthread> threads;
    for (auto& result : results)
      threads.emplace_back([&] {
        const auto set = ensure_boot_set(w.request, [&](auto, std::string_view detail) {
          kernels += detail.starts_with("unpacking") ? 1 : 0;
        });
        result = set ? set->initramfs.string() : describe(set.error());
      });
  }
  CHECK(kernels == 1);
  CHECK(results[0] == results[1]);
  CHECK(results[1] == results[2]);
  CHECK(fs::exists(results[0]));
}

TEST_CASE("a damaged set names the file, and deleting its folder heals") {
  const workshop w;
  const auto set = ensure_boot_set(w.request, {});
  REQUIRE(set);
  const auto file = GENERATE(0, 1, 2);
  const auto path = file == 0 ? set->vmlinux : file == 1 ? set->initramfs : set->modules_image;
  fs::resize_file(path, 100);
  const auto again = ensure_boot_set(w.request, {});
  REQUIRE(code(again) == errc::corrupted);
  CHECK(again.error().what.find(path.string()) != std::string::npos);
  CHECK(again.error().remedy.find(path.parent_path().string()) != std::string::npos);
  fs::remove_all(path.parent_path());
  CHECK(ensure_boot_set(w.request, {}));
}

TEST_CASE("what is left of a build that was killed does not matter") {
  const workshop w;
  put(w / "cache/scratch.tmp/made/vmlinux", "half");
  put(w / "cache/linux-image-6.1.0-99-test-amd64_6.1.1-1.v1/vmlinux", "half");
  const auto set = ensure_boot_set(w.request, {});
  INFO(why(set));
  REQUIRE(set);
  CHECK(slurp(set->vmlinux) == samples::kernel());
  CHECK_FALSE(fs::exists(w / "cache/scratch.tmp"));
}

TEST_CASE("a build that is stopped leaves no kernel") {
  const workshop w;
  std::stop_source source;
  const auto set = ensure_boot_set(
      w.request, [&](auto, auto) { source.request_stop(); }, source.get_token());
  CHECK(code(set) == errc::cancelled);
  CHECK(test::names_in(w / "cache") == std::vector<std::string>{"build.lock"});
}

TEST_CASE("packages and programs that cannot be used are refused") {
  workshop w;
  SECTION("not a package") {
    put(w.request.package_file, "text");
    CHECK(code(ensure_boot_set(w.request, {})) == errc::bad_request);
  }
  SECTION("no package there") {
    w.request.package_file = w / "none.deb";
    CHECK(code(ensure_boot_set(w.request, {})) == errc::bad_request);
  }
  SECTION("no banger-init") {
    w.request.banger_init = w / "none";
    CHECK(code(ensure_boot_set(w.request, {})) == errc::unavailable);
  }
  SECTION("a banger-init that needs libraries") {
    w.request.banger_init = "/proc/self/exe";
    CHECK(code(ensure_boot_set(w.request, {})) == errc::unavailable);
  }
  CHECK_FALSE(fs::exists(w / "cache/current"));
}

TEST_CASE("without package lists the error says how to get them") {
  workshop w;
  w.request.package_file.clear();
  fs::create_directories(w / "apt/lists/partial");
  put(w / "apt.conf", "Dir::State::lists \"" + (w / "apt/lists").string() + "\";\nDir::Cache \"" +
                          (w / "apt").string() + "\";\n");
  ::setenv("APT_CONFIG", (w / "apt.conf").c_str(), 1);
  const auto set = ensure_boot_set(w.request, {});
  ::unsetenv("APT_CONFIG");
  REQUIRE(code(set) == errc::unavailable);
  CHECK(set.error().remedy.find("apt-get update") != std::string::npos);
}
