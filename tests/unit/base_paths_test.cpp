#include "messages/base/paths.hpp"
#include "tests/support/catch.hpp"

#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

using namespace banger;
namespace fs = std::filesystem;

namespace {

// The variables that decide where files go, put back afterwards; and a folder to play in.
struct playground {
  fs::path top;
  std::map<std::string, std::optional<std::string>> before;

  playground() {
    std::string form = fs::temp_directory_path() / "banger-paths-XXXXXX";
    REQUIRE(::mkdtemp(form.data()) != nullptr);
    top = form;
    for (const auto* name :
         {"HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"}) {
      const char* value = std::getenv(name);
      before[name] = value == nullptr ? std::nullopt : std::optional<std::string>(value);
      ::unsetenv(name);
    }
    set("HOME", top);
  }

  ~playground() {
    for (const auto& [name, value] : before)
      value ? ::setenv(name.c_str(), value->c_str(), 1) : ::unsetenv(name.c_str());
    std::error_code ignored;
    fs::remove_all(top, ignored);
  }

  void set(const char* name, const fs::path& value) { ::setenv(name, value.c_str(), 1); }
};

} // namespace

TEST_CASE_METHOD(
    playground,
    "without XDG variables everything lies below HOME, and the runtime folder in /tmp") {
  auto f = find_folders();
  REQUIRE(f.has_value());
  CHECK(f->state == top / ".local/state/banger");
  CHECK(f->cache == top / ".cache/banger");
  CHECK(f->config == top / ".config/banger");
  CHECK(f->runtime == "/tmp/banger-runtime-" + std::to_string(::getuid()));
}

TEST_CASE_METHOD(playground, "XDG variables are followed, relative ones are ignored") {
  set("XDG_STATE_HOME", top / "s");
  set("XDG_CACHE_HOME", "relative");
  auto f = find_folders();
  REQUIRE(f.has_value());
  CHECK(f->state == top / "s/banger");
  CHECK(f->cache == top / ".cache/banger");
}

TEST_CASE_METHOD(playground, "without a HOME there is an error that says so") {
  ::unsetenv("HOME");
  auto f = find_folders();
  REQUIRE_FALSE(f.has_value());
  CHECK(f.error().code == errc::bad_request);
  CHECK(f.error().remedy == "set HOME");
}

TEST_CASE_METHOD(
    playground,
    "a runtime folder whose socket path is too long is refused with its length and a remedy") {
  set("XDG_RUNTIME_DIR", "/tmp/" + std::string(100, 'x'));
  auto f = find_folders();
  REQUIRE_FALSE(f.has_value());
  CHECK(f.error().why.find("an address holds 107") != std::string::npos);
  CHECK(f.error().remedy.find("XDG_RUNTIME_DIR") != std::string::npos);
}

TEST_CASE("a socket path of 107 bytes fits, one of 108 does not") {
  CHECK(check_socket_path(std::string(107, 'x')).has_value());
  CHECK_FALSE(check_socket_path(std::string(108, 'x')).has_value());
}

TEST_CASE_METHOD(playground, "a secure folder is made with mode 0700, and is accepted again") {
  REQUIRE(secure_folder(top / "a/b").has_value());
  struct stat info {};
  REQUIRE(::stat((top / "a/b").c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0700);
  CHECK(secure_folder(top / "a/b").has_value());
}

TEST_CASE_METHOD(playground, "a folder that others may enter is refused and left as it is") {
  fs::create_directory(top / "open");
  ::chmod((top / "open").c_str(), 0750);
  auto refused = secure_folder(top / "open");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == errc::unauthorized);
  struct stat info {};
  REQUIRE(::stat((top / "open").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0750);
}

TEST_CASE_METHOD(playground, "a link in place of the folder is refused, even to a good folder") {
  REQUIRE(secure_folder(top / "real").has_value());
  fs::create_directory_symlink(top / "real", top / "link");
  CHECK(secure_folder(top / "link").error().code == errc::unauthorized);
}

TEST_CASE_METHOD(playground, "a file in place of the folder is refused") {
  std::ofstream(top / "file") << "x";
  CHECK(secure_folder(top / "file").error().code == errc::unauthorized);
}

TEST_CASE("a folder that cannot be made is an error that names the variable") {
  const auto made = secure_folder("/proc/none/banger");
  REQUIRE_FALSE(made);
  CHECK(made.error().remedy.find("set HOME") == 0);
}

TEST_CASE_METHOD(playground, "a folder of another user is refused") {
  if (::geteuid() != 0) {
    CHECK(secure_folder("/etc").error().code == errc::unauthorized);
    return;
  }
  REQUIRE(secure_folder(top / "other").has_value());
  REQUIRE(::chown((top / "other").c_str(), 65534, 65534) == 0);
  const auto refused = secure_folder(top / "other").error();
  CHECK(refused.why == "it belongs to another user (uid 65534)");
  CHECK(refused.remedy.find("root") != std::string::npos);
}

TEST_CASE_METHOD(playground, "a folder's error names the variable that it comes from") {
  const auto remedy = [&](const fs::path& folder) {
    std::ofstream(folder.parent_path()) << "a file";
    const auto refused = secure_folder(folder);
    REQUIRE_FALSE(refused);
    return refused.error();
  };
  set("XDG_STATE_HOME", "/proc/none");
  CHECK(secure_folder("/proc/none/banger/x").error().remedy.find("set XDG_STATE_HOME") == 0);
  CHECK(secure_folder("/proc/other/banger").error().remedy.find("set HOME") == 0);
  CHECK(remedy(top / "file/banger").why == "Not a directory");
}

TEST_CASE_METHOD(playground, "a folder that may not be made is told with the first reason") {
  if (::geteuid() == 0)
    return; // it may make every folder; the tests with a user of their own see it
  fs::create_directory(top / "closed");
  fs::permissions(top / "closed", fs::perms::owner_read | fs::perms::owner_exec);
  const auto made = secure_folder(top / "closed/a/b/banger");
  fs::permissions(top / "closed", fs::perms::owner_all);
  REQUIRE_FALSE(made);
  CHECK(made.error().why == "Permission denied");
  CHECK(made.error().what == "cannot make the folder " + (top / "closed/a").string());
}

TEST_CASE_METHOD(playground, "root makes nothing in the folders of a user") {
  if (::geteuid() != 0)
    return; // nobody else could
  fs::create_directories(top / "theirs/inside");
  REQUIRE(::chown((top / "theirs").c_str(), 65534, 65534) == 0);
  set("XDG_STATE_HOME", top / "theirs/state");
  CHECK(secure_folder(top / "theirs/state/banger").error().code == errc::unauthorized);
  // Not below a folder of root's in there, either.
  set("HOME", top / "theirs");
  const auto refused = secure_folder(top / "theirs/inside/banger");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().remedy.find("sudo -H") != std::string::npos);
  CHECK_FALSE(fs::exists(top / "theirs/state"));
  CHECK(fs::is_empty(top / "theirs/inside"));
}
