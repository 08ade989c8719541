// Archives are data: what they may hold, and what becomes of it.
#include "actors/image/entry_path.hpp"
#include "actors/image/tar_tree.hpp"
#include "actors/storage/process.hpp"
#include "messages/base/unique_fd.hpp"
#include "tests/unit/storage_scratch.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

using namespace banger;
using namespace banger::image;
using banger::test::code;
using banger::test::slurp;
using banger::test::why;
namespace fs = std::filesystem;

namespace {

struct item {
  const char* path;
  unsigned type = AE_IFREG; // 0: a hard link
  std::string content = {}; // of a link: where to
  unsigned mode = 0644;
  unsigned uid = 0, gid = 0;
  std::string capability = {};
};

// An archive as tar writes one, whatever the names.
unique_fd write_tar(const fs::path& file, const std::vector<item>& items) {
  archive* a = ::archive_write_new();
  ::archive_write_set_format_pax_restricted(a);
  REQUIRE(::archive_write_open_filename(a, file.c_str()) == ARCHIVE_OK);
  for (const auto& i : items) {
    archive_entry* e = ::archive_entry_new();
    ::archive_entry_copy_pathname(e, i.path);
    ::archive_entry_set_filetype(e, i.type == 0 ? AE_IFREG : i.type);
    ::archive_entry_set_perm(e, static_cast<mode_t>(i.mode));
    ::archive_entry_set_uid(e, i.uid);
    ::archive_entry_set_gid(e, i.gid);
    ::archive_entry_set_mtime(e, 1'000'000'000, 0);
    if (i.type == 0)
      ::archive_entry_copy_hardlink(e, i.content.c_str());
    else if (i.type == AE_IFLNK)
      ::archive_entry_copy_symlink(e, i.content.c_str());
    else if (i.type == AE_IFREG)
      ::archive_entry_set_size(e, static_cast<la_int64_t>(i.content.size()));
    if (!i.capability.empty())
      ::archive_entry_xattr_add_entry(e, "security.capability", i.capability.data(),
                                      i.capability.size());
    ::archive_write_header(a, e);
    if (i.type == AE_IFREG)
      ::archive_write_data(a, i.content.data(), i.content.size());
    ::archive_entry_free(e);
  }
  ::archive_write_free(a);
  return unique_fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
}

struct bench {
  test::scratch s;
  fs::path tree = s / "tree";
  bench() { fs::create_directory(tree); }

  expected<tar_content> unpack(const std::vector<item>& items, const tar_options& o = {}) {
    const auto fd = write_tar(s / "x.tar", items);
    return unpack_tar(fd.get(), tree, o);
  }
};

} // namespace

TEST_CASE("names in an archive are made plain, or refused") {
  CHECK(entry_path("./usr/bin/") == "usr/bin");
  CHECK(entry_path("usr//bin/./x") == "usr/bin/x");
  CHECK(entry_path("./") == "");
  CHECK(entry_path(".") == "");
  CHECK(entry_path("..x/x..") == "..x/x..");
  for (const auto* bad : {"", "/etc/passwd", "..", "../x", "a/../../x", "a/..", "./../x"})
    CHECK(code(entry_path(bad)) == errc::bad_request);
  CHECK(code(entry_path(std::string_view("a\0b", 3))) == errc::bad_request);
  CHECK(code(entry_path(std::string(256, 'x'))) == errc::bad_request);
  CHECK(code(entry_path(std::string(5000, '/'))) == errc::bad_request);
  CHECK(entry_path("/\x1b[2J").error().what.find('\x1b') == std::string::npos);
}

TEST_CASE_METHOD(bench, "an archive is unpacked without root, its owners and modes remembered") {
  const auto got = unpack({{"./", AE_IFDIR, "", 0755},
                           {"./etc/", AE_IFDIR, "", 0755},
                           {"./etc/shadow", AE_IFREG, "root:*", 0640, 0, 42},
                           {"./usr/", AE_IFDIR, "", 0755},
                           {"./usr/sudo", AE_IFREG, "#!", 04755},
                           {"./usr/none", AE_IFREG, "x", 0000},
                           {"./usr/plain", AE_IFREG, "y", 0755},
                           {"./usr/again", 0, "./usr/plain"},
                           {"./usr/link", AE_IFLNK, "/etc/shadow", 0777},
                           {"./tmp/", AE_IFDIR, "", 01777},
                           {"./usr/null", AE_IFCHR},
                           {"./usr/pipe", AE_IFIFO}});
  INFO(why(got));
  REQUIRE(got);
  CHECK(slurp(tree / "etc/shadow") == "root:*");
  CHECK(fs::read_symlink(tree / "usr/link") == "/etc/shadow");
  CHECK(fs::equivalent(tree / "usr/again", tree / "usr/plain"));
  CHECK_FALSE(fs::exists(fs::symlink_status(tree / "usr/null")));
  CHECK_FALSE(fs::exists(fs::symlink_status(tree / "usr/pipe")));
  const auto& o = got->owners;
  CHECK(o.at("/etc/shadow").gid == 42);
  CHECK(o.at("/etc/shadow").mode == 0640);
  CHECK(o.at("/usr/sudo").mode == 04755);
  CHECK(o.at("/usr/none").mode == 0);
  CHECK(o.at("/tmp").mode == 01777);
  CHECK(o.at("/").mode == 0755);
  CHECK(o.count("/usr/plain") == 0); // it is root's, and looks as it shall
  struct stat info {};
  REQUIRE(::stat((tree / "usr/plain").c_str(), &info) == 0);
  CHECK(info.st_mtim.tv_sec == 1'000'000'000);
  CHECK((info.st_mode & 0777) == 0755);
}

TEST_CASE_METHOD(bench, "nothing is written outside of the tree, whatever the archive says") {
  std::ofstream(s / "victim") << "safe";
  const auto outside = (s / "victim").string();
  const std::vector<std::vector<item>> hostile = {
      {{"../victim", AE_IFREG, "bad"}},
      {{outside.c_str(), AE_IFREG, "bad"}},
      {{"up", AE_IFLNK, ".."}, {"up/victim", AE_IFREG, "bad"}},
      {{"up", AE_IFLNK, s.top().string()}, {"up/new", AE_IFREG, "bad"}},
      {{"d", AE_IFDIR}, {"d/up", AE_IFLNK, "../.."}, {"d/up/victim", AE_IFREG, "bad"}},
      {{"x", AE_IFLNK, outside}, {"x", AE_IFREG, "bad"}},
      {{"x", AE_IFLNK, s.top().string()}, {"x", AE_IFDIR}},
      {{"x", 0, "../victim"}},
      {{"x", 0, outside}},
      {{"up", AE_IFLNK, ".."}, {"x", 0, "up/victim"}},
      {{"x", AE_IFLNK, outside}, {"y", 0, "x"}},
      {{"missing/x", AE_IFREG, "bad"}},
      {{"f", AE_IFREG, "1"}, {"f/x", AE_IFREG, "bad"}},
      {{"f", AE_IFREG, "1"}, {"f", AE_IFREG, "2"}},
      {{"x", 0, "later"}, {"later", AE_IFREG, "1"}},
  };
  for (const auto& items : hostile) {
    fs::remove_all(tree);
    fs::create_directory(tree);
    const auto got = unpack(items);
    INFO(items.front().path << " ... " << items.back().path);
    CHECK_FALSE(got);
    CHECK(slurp(s / "victim") == "safe");
    CHECK_FALSE(fs::exists(s / "new"));
  }
}

TEST_CASE_METHOD(bench, "an archive that holds too much is refused before the disk is full") {
  tar_options o;
  o.most_entries = 2;
  CHECK(code(unpack({{"a"}, {"b"}, {"c"}}, o)) == errc::bad_request);
  fs::remove_all(tree);
  fs::create_directory(tree);
  o = {};
  o.most_bytes = 1000;
  CHECK(code(unpack({{"big", AE_IFREG, std::string(2000, 'x')}}, o)) == errc::bad_request);
}

TEST_CASE_METHOD(bench, "what is unwanted is left out") {
  tar_options o;
  o.unwanted = [](std::string_view path, bool folder) { return !folder && path == "d/no"; };
  REQUIRE(unpack({{"d", AE_IFDIR}, {"d/no", AE_IFREG, "1"}, {"d/yes", AE_IFREG, "2"}}, o));
  CHECK(test::names_in(tree / "d") == std::vector<std::string>{"yes"});
}

TEST_CASE_METHOD(bench, "a file name that is not ASCII keeps its bytes") {
  const std::string nfc = "F\xc5\x91tan\xc3\xbas.crt", nfd = "o\xcc\x8b.crt", odd = "\xff\xfe";
  REQUIRE(storage::run({.argv = {"sh", "-c",
                                 "cd \"$0\" && mkdir d && touch \"d/$1\" \"d/$2\" && "
                                 "tar --format=pax -cf ../x.tar d && rm -r d",
                                 tree.string(), nfc, nfd}}));
  const unique_fd fd(::open((s / "x.tar").c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(unpack_tar(fd.get(), tree));
  CHECK(fs::exists(tree / "d" / nfc));
  CHECK(fs::exists(tree / "d" / nfd));
}

TEST_CASE_METHOD(bench, "damaged archives are told, and cut ones do not hang") {
  std::ofstream(s / "x.tar", std::ios::binary) << std::string(5000, 'x');
  unique_fd fd(::open((s / "x.tar").c_str(), O_RDONLY | O_CLOEXEC));
  CHECK_FALSE(unpack_tar(fd.get(), tree));
  write_tar(s / "y.tar", {{"big", AE_IFREG, std::string(100'000, 'x')}});
  fs::resize_file(s / "y.tar", 50'000);
  fd.reset(::open((s / "y.tar").c_str(), O_RDONLY | O_CLOEXEC));
  CHECK(code(unpack_tar(fd.get(), tree)) == errc::corrupted);
}

TEST_CASE_METHOD(bench, "owners, modes and capabilities reach the ext4 without root") {
  // cap_net_raw=ep, as setcap writes it.
  const std::string capability("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
                               "\x00\x00\x00\x00",
                               20);
  const auto got = unpack({{"bin", AE_IFDIR, "", 0755},
                           {"bin/ping", AE_IFREG, "#!", 0755, 0, 0, capability},
                           {"bin/mine", AE_IFREG, "#!", 02750, 1234, 70'000},
                           {"bin/link", AE_IFLNK, "mine", 0777, 7, 8}});
  REQUIRE(got);
  const ext4_options disk{64ULL << 20, "test", true, got->owners};
  REQUIRE(build_ext4(tree, s / "x.img", disk));
  const auto look = [&](const std::string& request) {
    const auto end = storage::run({.argv = {"debugfs", "-R", request, (s / "x.img").string()}});
    return end ? end->out : describe(end.error());
  };
  CHECK_THAT(look("ea_list /bin/ping"), Catch::Contains("security.capability (20)"));
  CHECK_THAT(look("stat /bin/mine"), Catch::Contains("Mode:  02750") && Catch::Contains("1234") &&
                                         Catch::Contains("70000"));
  CHECK_THAT(look("stat /bin/link"), Catch::Contains("User:     7"));
  CHECK_THAT(look("stat /bin"), Catch::Contains("Mode:  0755"));
  CHECK(storage::run({.argv = {"e2fsck", "-fn", (s / "x.img").string()}}));
}
