// install.toml: what is read, and where each mistake is.
#include "privhelper/install.hpp"
#include "tests/unit/storage_scratch.hpp"

#include <sys/stat.h>
#include <unistd.h>

using namespace banger;
using namespace banger::helper;
namespace fs = std::filesystem;

namespace {

constexpr const char* good = R"([owner]
user = "alice"
uid = 1000
gid = 1001
home = "/home/alice"

[build]
version = "0.3.0"
commit = "0123abc"
built_at = 2026-01-31T12:00:00Z

[install]
installed_at = 2026-02-01T08:30:00+02:00

[ids]
first = 1879048192
count = 65536
)";

/// `good` with the line that begins so replaced, or without it.
std::string with(const std::string& beginning, const std::string& line) {
  std::string text = good;
  const auto at = text.find(beginning);
  REQUIRE(at != std::string::npos);
  const auto end = text.find('\n', at) + (line.empty() ? 1 : 0);
  return text.replace(at, end - at, line);
}

std::string complaint(const std::string& text) {
  const auto read = parse_install(text, "/i");
  if (read)
    return "none";
  CHECK(read.error().code == errc::bad_request);
  CHECK_FALSE(read.error().remedy.empty());
  return read.error().what + (read.error().why.empty() ? "" : ": " + read.error().why);
}

} // namespace

TEST_CASE("install.toml says who the owner is and which ids are hypervisors'") {
  const auto i = parse_install(good, "/i");
  REQUIRE(i);
  CHECK(i->user == "alice");
  CHECK(i->uid == 1000);
  CHECK(i->gid == 1001);
  CHECK(i->home == "/home/alice");
  CHECK(i->version == "0.3.0");
  CHECK(i->commit == "0123abc");
  CHECK(i->ids == id_range{1879048192, 65536});
  using namespace std::chrono;
  CHECK(i->built_at == sys_days{January / 31 / 2026} + hours{12});
  CHECK(i->installed_at == sys_days{February / 1 / 2026} + hours{6} + minutes{30});
}

TEST_CASE("what is written is what is read") {
  const auto i = parse_install(good, "/i");
  REQUIRE(i);
  CHECK(parse_install(to_toml(*i), "/i").value() == *i);
  auto odd = *i;
  odd.home = "/home/a \"b\" \\c ü";
  odd.user = "_a.b-c";
  CHECK(parse_install(to_toml(odd), "/i").value() == odd);
}

TEST_CASE("every key must be there") {
  for (const auto* line : {"user", "uid", "gid", "home", "version", "commit", "built_at",
                           "installed_at", "first", "count"}) {
    INFO(line);
    CHECK(complaint(with(line, "")).ends_with("." + std::string(line) + ": it is missing"));
  }
  CHECK(complaint(with("uid", "")).starts_with("/i:1:1: owner.uid"));
  CHECK(complaint("") == "/i:1:1: owner.user: it is missing");
}

TEST_CASE("a mistake is told with line, column, and what it should be") {
  CHECK(complaint(with("uid", "uid = 0")) ==
        "/i:3:7: owner.uid: it is a whole number from 1 to 4294967294: the daemon never runs as "
        "root");
  for (const auto* bad : {"uid = -1", "uid = 4294967295", "uid = \"1000\"", "uid = 1000.0",
                          "uid = 9223372036854775807", "uid = 65534", "uid = true", "uid = [1]"})
    CHECK(complaint(with("uid", bad)).starts_with("/i:3:7: owner.uid: "));
  for (const auto* bad : {"gid = 0", "gid = 65534"})
    CHECK(complaint(with("gid", bad)).starts_with("/i:4:7: owner.gid: "));
  for (const auto* bad : {"user = \"\"", "user = \"Alice\"", "user = \"-a\"", "user = \"a b\"",
                          "user = \"a\\n\"", "user = \"a\\u0000\"", "user = 1", "user = \"../x\"",
                          "user = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""})
    CHECK(complaint(with("user", bad)).starts_with("/i:2:8: owner.user: "));
  for (const auto* bad :
       {"home = \"\"", "home = \"/\"", "home = \"home/a\"", "home = \"/home/../x\"",
        "home = \"/home//a\"", "home = \"/home/a/\"", "home = \"//home/a\"", "home = \"/home/./a\"",
        "home = \"/a\\u0000b\"", "home = \"/a\\nb\""})
    CHECK(complaint(with("home", bad)).starts_with("/i:5:8: owner.home: "));
  for (const auto* bad : {"version = \"\"", "version = \"0.3 0\"", "version = 3"})
    CHECK(complaint(with("version", bad)).starts_with("/i:8:11: build.version: "));
  for (const auto* bad :
       {"built_at = \"2026-01-31T12:00:00Z\"", "built_at = 2026-01-31",
        "built_at = 2026-01-31T12:00:00", "built_at = 12:00:00", "built_at = 0001-01-01T00:00:00Z"})
    CHECK(complaint(with("built_at", bad)).starts_with("/i:10:12: build.built_at: "));
}

TEST_CASE("ids for hypervisors are nobody's, and do not run over the end") {
  for (const auto* bad : {"first = 0", "first = 1000", "first = 65535", "first = 4294967295"})
    CHECK(complaint(with("first", bad)).starts_with("/i:16:9: ids.first: "));
  for (const auto* bad : {"count = 0", "count = -1", "count = 268435457"})
    CHECK(complaint(with("count", bad)).starts_with("/i:17:9: ids.count: "));
  CHECK(complaint(with("first", "first = 4294967290")) ==
        "/i:16:9: ids: first and count lead beyond 4294967294");
  CHECK(complaint(with("uid", "uid = 1879048192")) == "/i:16:9: ids: the owner is among them");
  CHECK(complaint(with("gid", "gid = 1879113727")) == "/i:16:9: ids: the owner is among them");
  CHECK(complaint(with("gid", "gid = 1879113728")) == "none");
}

TEST_CASE("what nobody knows is refused, with what may be meant") {
  CHECK(complaint(with("uid", "uuid = 1000")) == "/i:3:1: unknown key 'owner.uuid'");
  CHECK(complaint(std::string(good) + "[owners]\n") == "/i:18:2: unknown key 'owners'");
  CHECK(complaint("x = 1\n" + std::string(good)) == "/i:1:1: unknown key 'x'");
  CHECK(complaint("owner = 1\n") == "/i:1:9: owner: it is a section");
  CHECK(parse_install(with("uid", "uuid = 1000"), "/i").error().remedy == "did you mean uid?");
  CHECK(complaint(with("gid", "uid = 1")).starts_with("/i:4:"));
  CHECK(complaint("[owner\n").starts_with("/i:1:"));
}

TEST_CASE("only a file that nobody but root can change is believed") {
  const test::scratch top;
  const auto me = ::geteuid();
  const auto folder = top / "banger", file = folder / "install.toml";
  fs::create_directory(folder);
  const auto outcome = [&](uid_t trusted) {
    const auto read = load_install(file, trusted);
    return read ? "read" : std::string(to_string(read.error().code));
  };
  CHECK(outcome(me) == "not_found");
  CHECK(load_install(file, me).error().remedy.find("--owner-uid") != std::string::npos);
  test::put(file, good);
  fs::permissions(file, fs::perms(0644));
  fs::permissions(folder, fs::perms(0755));
  CHECK(outcome(me) == "read");
  CHECK(outcome(me + 1) == "unauthorized");
  for (const auto mode : {0664, 0646}) {
    fs::permissions(file, fs::perms(mode));
    CHECK(outcome(me) == "unauthorized");
  }
  fs::permissions(file, fs::perms(0644));
  for (const auto mode : {0775, 0757}) {
    fs::permissions(folder, fs::perms(mode));
    CHECK(outcome(me) == "unauthorized");
  }
  fs::permissions(folder, fs::perms(0755));
  fs::rename(file, folder / "real");
  fs::create_symlink("real", file);
  CHECK(outcome(me) == "unauthorized");
  fs::remove(file);
  REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
  CHECK(outcome(me) == "unauthorized");
  fs::remove(file);
  test::put(file, std::string(65 * 1024, '#'));
  CHECK(outcome(me) == "bad_request");
}
