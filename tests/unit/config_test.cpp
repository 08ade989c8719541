#include "messages/config/config.hpp"
#include "tests/support/catch.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

using namespace banger;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

expected<config::settings> read(const std::string& text) {
  return config::parse(text, "/c.toml", "/home/me");
}

std::string refused(const std::string& text) {
  const auto s = read(text);
  REQUIRE_FALSE(s);
  CHECK(s.error().code == errc::bad_request);
  return describe(s.error());
}

// A folder with a configuration of its own.
struct place {
  place() {
    auto pattern = (fs::temp_directory_path() / "banger-config-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    where.config = pattern;
    ::unsetenv("BANGER_CONFIG");
  }
  ~place() {
    ::unsetenv("BANGER_CONFIG");
    fs::remove_all(where.config);
  }
  place(const place&) = delete;
  place& operator=(const place&) = delete;

  fs::path file() const { return where.config / "config.toml"; }
  void write(const std::string& text) const {
    std::ofstream(file()) << text;
    ::chmod(file().c_str(), 0644);
  }

  folders where;
};

} // namespace

TEST_CASE("every key is read") {
  const auto s = read(R"(
log_level = "debug"
ssh_key_path = "~/.ssh/id_ed25519"
default_image_name = "tiny"
default_dns = "9.9.9.9"
idle_exit = "1h30m"
auto_stop_stale_after = "24h"
boot_wait = "15m"
root_disk = "qcow2"
kernel_package = "/srv/kernel.deb"
qemu_bin = "/opt/qemu"
[vm_defaults]
vcpu = 3
memory_mib = 2048
disk_size = "20G"
[network]
mode = "bridge"
bridge = "br-fc-dev"
subnet = "10.213.0.0/20"
helper = "/run/other"
dns_port = 5300
)");
  INFO((s ? "" : describe(s.error())));
  REQUIRE(s);
  CHECK(s->file == "/c.toml");
  CHECK(s->log_level == "debug");
  CHECK(s->ssh_key_path == "/home/me/.ssh/id_ed25519");
  CHECK(s->default_image_name == "tiny");
  CHECK(s->default_dns == "9.9.9.9");
  CHECK(s->idle_exit == 90min);
  CHECK(s->auto_stop_stale_after == 24h);
  CHECK(s->boot_wait == 15min);
  CHECK(s->root_disk == "qcow2");
  CHECK(s->kernel_package == "/srv/kernel.deb");
  CHECK(s->qemu_bin == "/opt/qemu");
  CHECK(s->vm_defaults.vcpu == 3);
  CHECK(s->vm_defaults.memory_mib == 2048);
  CHECK(s->vm_defaults.disk_bytes == std::uint64_t{20} << 30);
  CHECK(s->network.mode == "bridge");
  CHECK(s->network.bridge == "br-fc-dev");
  CHECK(s->network.subnet == "10.213.0.0/20");
  CHECK(s->network.helper == "/run/other");
  CHECK(s->network.dns_port == 5300);
  for (const auto& k : config::keys())
    CHECK(config::value_of(*s, k.full_name()).has_value());
}

TEST_CASE("the example of every key is accepted, and its value comes back") {
  for (const auto& k : config::keys()) {
    const auto section = k.section.empty() ? "" : "[" + std::string(k.section) + "]\n";
    const auto s = read(section + std::string(k.name) + " = " + std::string(k.example));
    INFO(k.full_name());
    REQUIRE(s);
    CHECK(config::value_of(*s, k.full_name()).has_value());
    for (const auto& other : config::keys())
      if (other.full_name() != k.full_name())
        CHECK_FALSE(config::value_of(*s, other.full_name()).has_value());
  }
}

TEST_CASE("an empty file says nothing, and 0 falls through") {
  for (const char* text :
       {"", "# only a comment\n", "[vm_defaults]\nvcpu = 0\nmemory_mib = 0\ndisk_size = 0\n",
        "[vm_defaults]\ndisk_size = \"0\"\n"}) {
    const auto s = read(text);
    REQUIRE(s);
    for (const auto& k : config::keys())
      CHECK_FALSE(config::value_of(*s, k.full_name()).has_value());
  }
}

TEST_CASE("an unknown key is named with its place and the key that was meant") {
  CHECK(refused("\n  log_levl = \"info\"\n") ==
        "/c.toml:2:3: unknown key 'log_levl'; did you mean log_level? "
        "`banger config show` lists the keys there are");
  CHECK_THAT(refused("vcpu = 2"), Catch::StartsWith("/c.toml:1:1: unknown key 'vcpu'") &&
                                      Catch::Contains("in the section [vm_defaults]?"));
  CHECK_THAT(refused("[vm_defaults]\nlog_level = \"info\""),
             Catch::Contains("at the top of the file"));
  CHECK_THAT(refused("[vm_default]\nvcpu = 1"), Catch::Contains("did you mean vm_defaults?"));
  CHECK_THAT(refused("frobnicate = 1"), Catch::StartsWith("/c.toml:1:1: unknown key 'frobnicate'"));
}

TEST_CASE("keys of other versions have no meaning, rather than being unknown") {
  for (const auto& k : config::foreign_keys()) {
    std::string text(k.name);
    if (text.starts_with("vm_defaults."))
      text = "[vm_defaults]\n" + text.substr(text.find('.') + 1);
    CHECK_THAT(refused(text + " = 1"), Catch::Contains("has no meaning in this version") &&
                                           Catch::Contains(std::string(k.why)));
  }
  CHECK_THAT(refused("[[file_sync]]\nhost = \"~/x\"\n"),
             Catch::Contains("file_sync has no meaning"));
}

TEST_CASE("an ill-typed value says what is expected and shows an example") {
  CHECK(refused("[vm_defaults]\nvcpu = \"two\"\n") ==
        "/c.toml:2:8: vm_defaults.vcpu: a whole number is expected, and this is a string; "
        "as in `vcpu = 2`");
  CHECK_THAT(refused("idle_exit = 900"),
             Catch::Contains("a duration in quotes is expected, and this is an integer") &&
                 Catch::Contains("`idle_exit = \"1h30m\"`"));
  CHECK_THAT(refused("log_level = true"), Catch::Contains("this is a boolean"));
  CHECK_THAT(refused("[vm_defaults]\nmemory_mib = 1.5"),
             Catch::Contains("this is a number with a point"));
  CHECK_THAT(refused("vm_defaults = 3"), Catch::Contains("write [vm_defaults]"));
  CHECK_THAT(refused("[log_level]\nx = 1"), Catch::Contains("this is a table"));
  CHECK_THAT(refused("default_image_name = [\"tiny\"]"), Catch::Contains("this is an array"));
  CHECK_THAT(refused("[vm_defaults]\ndisk_size = 2000-01-01"),
             Catch::Contains("this is a date or time"));
}

TEST_CASE("a value outside its rules is refused") {
  CHECK_THAT(refused("log_level = \"loud\""), Catch::Contains("'loud' is none of its values") &&
                                                  Catch::Contains("debug, info, warn, error"));
  CHECK_THAT(refused("root_disk = \"auto|qcow2\""), Catch::Contains("is none of its values"));
  CHECK_THAT(refused("ssh_key_path = \"keys/mine\""), Catch::Contains("is a relative path"));
  CHECK_THAT(refused("ssh_key_path = \"~other/x\""), Catch::Contains("is a relative path"));
  CHECK_THAT(refused("ssh_key_path = \"\""), Catch::Contains("is a relative path"));
  CHECK_THAT(refused("ssh_key_path = \"/a\\u0000b\""), Catch::Contains("NUL"));
  CHECK_THAT(refused("default_dns = \"dns.example\""), Catch::Contains("is no IPv4 address"));
  CHECK_THAT(refused("default_dns = \"1.1.1.1\\n\""), Catch::Contains("is no IPv4 address"));
  CHECK_THAT(refused("default_image_name = \"../x\""), Catch::Contains("invalid image name"));
  CHECK_THAT(refused("idle_exit = \"8X\""), Catch::Contains("unknown unit 'X'"));
  for (const auto* text : {"0", "25h"})
    CHECK_THAT(refused("boot_wait = \"" + std::string(text) + "\""),
               Catch::Contains("out of range: 1s to 24h"));
  CHECK_THAT(refused("idle_exit = \"1ms\""), Catch::Contains("whole number of seconds"));
  CHECK_THAT(refused("[vm_defaults]\ndisk_size = \"8X\""), Catch::Contains("unknown unit 'X'"));
  CHECK_THAT(refused("[vm_defaults]\ndisk_size = \"1K\""), Catch::Contains("the smallest is"));
  CHECK_THAT(refused("[vm_defaults]\ndisk_size = -1"), Catch::Contains("invalid size '-1'"));
  CHECK_THAT(refused("[vm_defaults]\nvcpu = -1"), Catch::Contains("-1 is out of range: 1 to"));
  CHECK_THAT(refused("[vm_defaults]\nmemory_mib = 64"), Catch::Contains("128 to"));
  CHECK_THAT(refused("[vm_defaults]\nmemory_mib = 9223372036854775807"),
             Catch::Contains("out of range"));
}

TEST_CASE("what is no TOML is named with its place") {
  CHECK_THAT(refused("log_level \"info\""), Catch::StartsWith("/c.toml:1:"));
  CHECK_THAT(refused("a = \"never closed"), Catch::Contains("this is not TOML"));
  CHECK_THAT(refused("log_level = \"info\"\nlog_level = \"warn\""),
             Catch::StartsWith("/c.toml:2:") && Catch::Contains("not TOML"));
  CHECK_THAT(refused("[vm_defaults]\n[vm_defaults]\n"), Catch::StartsWith("/c.toml:2:"));
  CHECK_THAT(refused("idle_exit = 99999999999999999999"), Catch::StartsWith("/c.toml:1:"));
  CHECK_THAT(refused(std::string("log_level = \"\x1b[31m\"")), !Catch::Contains("\x1b"));
  CHECK_THAT(refused("[/x]"), Catch::StartsWith("/c.toml:1:2: this is not TOML"));
  CHECK_THAT(refused("x = " + std::string(100'000, '[')), Catch::StartsWith("/c.toml:1:"));
}

TEST_CASE("a character beyond ASCII is taken in texts and comments, and refused with its place") {
  const auto s = read("\xef\xbb\xbf# s\xc3\xbc\nqemu_bin = \"/t\xc3\xbcr\\\"\xc3\xbc\" # \xc3\xbc\n"
                      "ssh_key_path = '/\xc3\xbc\\'\r\n");
  INFO((s ? "" : describe(s.error())));
  REQUIRE(s);
  CHECK(s->qemu_bin == "/t\xc3\xbcr\"\xc3\xbc");
  CHECK(s->ssh_key_path == "/\xc3\xbc\\");
  const auto misplaced = [](const std::string& text, const std::string& place) {
    CHECK_THAT(refused(text), Catch::StartsWith("/c.toml:" + place + ": this is not TOML") &&
                                  Catch::Contains("beyond ASCII"));
  };
  misplaced("\xc3\x95", "1:1");
  misplaced("\xef\xbb\xbf\xc3\x95", "1:1");
  misplaced("log_level = 'info'\n\xef\xbb\xbf", "2:1");
  misplaced("ssh_key_path = '\xc3\xbc' \xc3\xbc", "1:21");
  misplaced("a = \xc3\x95", "1:5");
  misplaced("a = 'x'\xc3\x95", "1:8");
  misplaced("'\xc3\xbc' = 1", "1:1");
  misplaced("[vm_defaults]\n\"\xc3\xbc\" = 1", "2:1");
}

// Found by the fuzz target, with toml++ 3.3.
TEST_CASE("a text that toml++ would trip over is refused") {
  for (const char* text :
       {"a\xc3\x95 = 1", "log=0\"l\xef\xad\xbb\"", "a = \"\xff\"", "a = .'\xef\xb5\xbf'",
        "0=P=\"!\xc7\xb0P)", "f=14:N0['Q6\xef\xbb\x9f", "5=5j[o[w[\"jj\xef\xbb\xba", "[ +x]",
        "a = [}", "a = {b = [1}", "a = 1]", "[[ +x]]", "[", "[ # x\n]", "a = \"x", "a = 'b\rc'",
        "a = 1 # \x01", "a = 'x\n\xc3\xbc'"})
    CHECK_THAT(refused(text), Catch::Contains("not TOML"));
}

TEST_CASE("a file that is not there is no error, unless it was named") {
  place p;
  const auto none = config::load(p.where);
  if (!fs::exists("/etc/banger/config.toml")) {
    REQUIRE(none);
    CHECK(none->file.empty());
  }
  ::setenv("BANGER_CONFIG", (p.where.config / "other.toml").c_str(), 1);
  const auto named = config::load(p.where);
  REQUIRE_FALSE(named);
  CHECK_THAT(describe(named.error()), Catch::Contains("cannot read"));
}

TEST_CASE("the file that BANGER_CONFIG names wins over the user's") {
  place p;
  p.write("log_level = \"warn\"\n");
  REQUIRE(config::load(p.where)->log_level == "warn");
  const auto other = p.where.config / "other.toml";
  std::ofstream(other) << "log_level = \"debug\"\n";
  ::setenv("BANGER_CONFIG", other.c_str(), 1);
  CHECK(config::load(p.where)->log_level == "debug");
  CHECK(config::load(p.where)->file == other);
  ::setenv("BANGER_CONFIG", "other.toml", 1);
  CHECK_THAT(describe(config::load(p.where).error()),
             Catch::Contains("BANGER_CONFIG is no absolute path"));
}

TEST_CASE("a file that others may change, or that is no file, is not read") {
  place p;
  p.write("log_level = \"warn\"\n");
  ::chmod(p.file().c_str(), 0666);
  const auto open = config::load(p.where);
  REQUIRE_FALSE(open);
  CHECK(open.error().code == errc::unauthorized);
  CHECK_THAT(describe(open.error()), Catch::Contains("chmod o-w " + p.file().string()));
  fs::remove(p.file());
  REQUIRE(::mkfifo(p.file().c_str(), 0600) == 0);
  CHECK_THAT(describe(config::load(p.where).error()), Catch::Contains("it is no file"));
  fs::remove(p.file());
  fs::create_directory(p.file());
  CHECK_FALSE(config::load(p.where));
  fs::remove(p.file());
  p.write(std::string(300 * 1024, '#'));
  CHECK_THAT(describe(config::load(p.where).error()), Catch::Contains("larger than 256 KiB"));
  if (::geteuid() == 0) {
    p.write("");
    REQUIRE(::chown(p.file().c_str(), 12345, 12345) == 0);
    CHECK_THAT(describe(config::load(p.where).error()), Catch::Contains("another user"));
  }
}

// A key in the manual that the parser does not know, or the other way round, fails here.
TEST_CASE("the manual describes every key, and no other") {
  std::ostringstream text;
  text << std::ifstream(BANGER_SOURCE "/docs/configuration.md").rdbuf();
  const auto manual = text.str();
  for (const auto& k : config::keys()) {
    const auto row = "| `" + k.full_name() + "` | " +
                     std::string(k.type.find('|') != std::string::npos ? "word" : k.type) + " | " +
                     std::string(k.otherwise) + " |";
    INFO(row);
    CHECK_THAT(manual, Catch::Contains(row));
    CHECK_THAT(manual, Catch::Contains("`" + std::string(k.example) + "`"));
    if (!k.environment.empty())
      CHECK_THAT(manual, Catch::Contains("`" + std::string(k.environment) + "`"));
  }
  for (const auto& k : config::foreign_keys())
    CHECK_THAT(manual, Catch::Contains("`" + std::string(k.name) + "`"));
  std::set<std::string> known;
  for (const auto& k : config::keys())
    known.insert(k.full_name());
  std::istringstream lines(manual);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("| `") && line.find("` | ") != std::string::npos) {
      INFO(line);
      CHECK(known.contains(line.substr(3, line.find('`', 3) - 3)));
    }
}
