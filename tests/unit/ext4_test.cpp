#include "actors/image/ext4.hpp"

#include "actors/storage/process.hpp"
#include "tests/unit/storage_scratch.hpp"

#include <sys/stat.h>
#include <unistd.h>

using namespace banger;
using namespace banger::image;
using banger::test::code;
using banger::test::names_in;
using banger::test::put;
using banger::test::why;
namespace fs = std::filesystem;

namespace {

std::string ask(const fs::path& image, const std::string& question) {
  const auto end = storage::run({.argv = {"debugfs", "-R", question, image.string()}});
  REQUIRE(end);
  return end->out;
}

// Belongs to someone who is not root, whoever runs the test.
struct tree : test::scratch {
  tree() {
    put(*this / "t/etc/secret", "s");
    put(*this / "t/bin/tool", std::string(100'000, 't'));
    fs::create_symlink("/bin/tool", *this / "t/bin/link");
    fs::create_directory(*this / "t/tmp");
    ::chmod((*this / "t/tmp").c_str(), 01777);
    ::chmod((*this / "t/bin/tool").c_str(), 0755);
    if (::geteuid() == 0)
      for (const auto* name : {"etc", "etc/secret", "bin", "bin/tool", "bin/link", "tmp"})
        REQUIRE(::lchown((*this / "t" / name).c_str(), 4321, 70000) == 0);
  }
};

} // namespace

TEST_CASE("an image belongs to root, whoever made it, except where it was said") {
  const tree t;
  ext4_options options{32 << 20, "label", false, {{"/etc/secret", {70001, 42, 0640}}}};
  const auto made = build_ext4(t / "t", t / "image", options);
  INFO(why(made));
  REQUIRE(made);
  REQUIRE(check_ext4(t / "image"));
  for (const auto* path : {"/", "/bin", "/bin/tool", "/bin/link", "/tmp"})
    CHECK(ask(t / "image", std::string("stat ") + path).find("User:     0   Group:     0") !=
          std::string::npos);
  const auto secret = ask(t / "image", "stat /etc/secret");
  CHECK(secret.find("Mode:  0640") != std::string::npos);
  CHECK(secret.find("User: 70001   Group:    42") != std::string::npos);
  CHECK(ask(t / "image", "stat /tmp").find("Mode:  01777") != std::string::npos);
  CHECK(ask(t / "image", "stat /bin/tool").find("Mode:  0755") != std::string::npos);
  CHECK(ask(t / "image", "cat /etc/secret") == "s");
  const auto checked = storage::run_any({.argv = {"e2fsck", "-fn", t / "image"}});
  REQUIRE(checked);
  CHECK(checked->status == 0);
}

TEST_CASE("an image without a size is as large as its tree needs") {
  const tree t;
  put(t / "t/big", std::string(20 << 20, 'b'));
  const auto made = build_ext4(t / "t", t / "image", {});
  INFO(why(made));
  REQUIRE(made);
  CHECK(fs::file_size(t / "image") > (20 << 20));
  CHECK(fs::file_size(t / "image") < (30 << 20));
}

TEST_CASE("an image that cannot be made leaves nothing") {
  const tree t;
  SECTION("too small") {
    put(t / "t/big", std::string(20 << 20, 'b'));
    CHECK(code(build_ext4(t / "t", t / "image", {8 << 20, "", false, {}})) == errc::bad_request);
  }
  SECTION("an owner of nothing") {
    CHECK(code(build_ext4(t / "t", t / "image", {32 << 20, "", false, {{"/none", {}}}})) ==
          errc::bad_request);
  }
  SECTION("no tree") {
    CHECK_FALSE(build_ext4(t / "none", t / "image", {32 << 20, "", false, {}}));
  }
  SECTION("cancelled") {
    std::stop_source source;
    source.request_stop();
    CHECK(code(build_ext4(t / "t", t / "image", {}, source.get_token())) == errc::cancelled);
  }
  CHECK(names_in(t.top()) == std::vector<std::string>{"t"});
}

TEST_CASE("an image that is there is not overwritten") {
  const tree t;
  put(t / "image", "mine");
  CHECK(code(build_ext4(t / "t", t / "image", {})) == errc::already_exists);
  CHECK(test::slurp(t / "image") == "mine");
}

TEST_CASE("damage to a superblock is seen") {
  const tree t;
  REQUIRE(build_ext4(t / "t", t / "image", {}));
  SECTION("cut short") { fs::resize_file(t / "image", 1 << 20); }
  SECTION("empty") { fs::resize_file(t / "image", 0); }
  SECTION("another magic") {
    std::fstream f(t / "image", std::ios::in | std::ios::out | std::ios::binary);
    f.seekp(1024 + 0x38);
    f.put('x');
  }
  CHECK(code(check_ext4(t / "image")) == errc::corrupted);
}
