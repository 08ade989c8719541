// Images from packages: built, cancelled, killed, deleted. Each build takes the better part of a
// minute, so that one serves as much as it can.
#include "tests/support/catch.hpp"
#include "tests/support/home.hpp"
#include "tests/support/procfs.hpp"

#include <csignal>
#include <filesystem>
#include <unistd.h>

using namespace banger::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

fs::path folder_of(const home& h, const std::string& image) { return h.state() / "images" / image; }

std::vector<std::string> files_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

// The build that runs, once its progress says this.
std::string operation_at(home& h, const std::string& detail) {
  std::string op;
  REQUIRE(h.eventually(
      [&] {
        for (const auto& o : h.read({"operations", "--json"}))
          if (o.at("state") == "running" &&
              o.at("detail").get<std::string>().find(detail) != std::string::npos)
            op = o.at("op");
        return !op.empty();
      },
      build_time));
  return op;
}

std::string debugfs(const fs::path& image, const std::string& request) {
  return run({{"debugfs", "-R", request, image.string()}, {{"PATH", "/usr/sbin:/sbin:/usr/bin"}}},
             {}, short_time)
      .out;
}

fs::path only_image_in(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const auto& name : files_in(folder))
    if (name.starts_with("rootfs-"))
      found.push_back(folder / name);
  REQUIRE(found.size() == 1);
  return found.front();
}

void check_owner(const fs::path& image, const std::string& path, const std::string& mode, int uid,
                 int gid) {
  const auto text = debugfs(image, "stat " + path);
  INFO(path << "\n" << text.substr(0, 300));
  CHECK_THAT(text, Contains("Mode:  " + mode));
  std::istringstream words(text);
  int user = -1, group = -1;
  for (std::string word; words >> word;) {
    if (word == "User:")
      words >> user;
    if (word == "Group:" && group < 0)
      words >> group;
  }
  CHECK(user == uid);
  CHECK(group == gid);
}

bool is_listed(home& h, const std::string& image) {
  for (const auto& i : h.read({"image", "list", "--json"}))
    if (i.at("name") == image)
      return i.at("present").get<bool>();
  return false;
}

} // namespace

TEST_CASE("a build goes on when its client is killed, and a second order joins it",
          "[debian-first][subids][vm]") {
  home h(home::images::none);
  h.env["XDG_STATE_HOME"] = stage() / "warm/s";
  h.env["XDG_CACHE_HOME"] = stage() / "warm/c";
  if (is_listed(h, "debian-bookworm"))
    return; // a repetition: the fixture is there
  auto first = h.start({"image", "build"});
  const auto op = operation_at(h, "unpacking");
  first.signal(SIGKILL);
  auto second = h.start({"image", "build"});
  const auto waited = h.banger({"operations", "wait", op}, {}, build_time);
  CHECK(waited.status == 0);
  CHECK(waited.out == "debian-bookworm\n");
  CHECK(second.wait(build_time) == 0);
  CHECK(second.out() == "debian-bookworm\n");
  CHECK(is_listed(h, "debian-bookworm"));
  CHECK(h.banger({"image", "build"}).status == 1); // it is there

  const auto folder = folder_of(h, "debian-bookworm");
  const auto image = only_image_in(folder);
  CHECK(files_in(folder).size() == 3);
  check_owner(image, "/etc/shadow", "0640", 0, 42);
  check_owner(image, "/usr/bin/sudo", "04755", 0, 0);
  check_owner(image, "/usr/bin/chage", "02755", 0, 42);
  check_owner(image, "/tmp", "01777", 0, 0);
  check_owner(image, "/root", "0700", 0, 0);
  check_owner(image, "/", "0755", 0, 0);
  check_owner(image, "/etc/machine-id", "0644", 0, 0);
  CHECK_THAT(debugfs(image, "ls /etc/ssh"), !Contains("host"));
  CHECK_THAT(debugfs(image, "ls /etc"), !Contains("hostname") && !Contains("resolv.conf"));
  // What it was made from, without what is this host's.
  CHECK_THAT(debugfs(image, "cat /etc/apt/sources.list"),
             Contains(" bookworm main\n") && !Contains("[") && !Contains("@"));
  CHECK(files_in(stage() / "warm/s/banger/images").size() <= 2);
  const auto check =
      run({{"e2fsck", "-fn", image.string()}, {{"PATH", "/usr/sbin:/sbin"}}}, {}, boot_time);
  CHECK(check.status == 0);
}

TEST_CASE("an image of one's own is made of packages, and goes when no VM has it", "[debian][vm]") {
  home h(home::images::debian);
  // As a user without namespaces: the daemon inherits it, and newuidmap is of no use then.
  auto list = h.command({"image", "list"});
  list.argv.insert(list.argv.begin(), {"/usr/bin/setpriv", "--no-new-privs", "--"});
  REQUIRE(run(list, {}, short_time).status == 0);
  const auto built = h.banger({"image", "build", "work", "--include", "file,tree"}, {}, build_time);
  if (built.err.find("fakechroot does not work with a C library") != std::string::npos)
    return skip("this host's C library is newer than the image's");
  REQUIRE(built.status == 0);
  CHECK(built.out == "work\n");
  const auto image = only_image_in(folder_of(h, "work"));
  check_owner(image, "/etc/shadow", "0640", 0, 42);
  check_owner(image, "/usr/bin/sudo", "04755", 0, 0);
  h.good({"vm", "create", "--image", "work", "--name", "a", "--memory", "512"});
  CHECK_THAT(h.good({"vm", "exec", "a", "--", "tree", "--version"}), Contains("tree v"));
  const auto refused = h.banger({"image", "delete", "work"});
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, Contains("in use") && Contains("a"));
  CHECK(is_listed(h, "work"));
  h.good({"vm", "delete", "a"});
  CHECK(h.good({"image", "delete", "work"}) == "work\n");
  CHECK_FALSE(fs::exists(folder_of(h, "work")));
  const auto gone = h.banger({"vm", "create", "--image", "work"});
  CHECK(gone.status == 1);
  CHECK_THAT(gone.err, Contains("there is no image 'work'") && Contains("debian-bookworm"));
}

TEST_CASE("a build that is killed with its daemon is tidied up by the next one", "[subids][vm]") {
  home h;
  auto client = h.start({"image", "build"});
  operation_at(h, "unpacking");
  ::kill(h.daemon_pid(), SIGKILL);
  CHECK(client.wait(short_time) == 1);
  const auto mark = folder_of(h, "debian-bookworm").string();
  CHECK(h.eventually([&] { return processes_with(mark).empty(); }));
  CHECK_FALSE(is_listed(h, "debian-bookworm"));
  CHECK(h.eventually([&] {
    return files_in(folder_of(h, "debian-bookworm")) == std::vector<std::string>{"build.lock"};
  }));
}

TEST_CASE("a build is cancelled at any stage, and leaves nothing", "[subids][vm]") {
  home h;
  for (const auto* stage : {"package lists", "base system: unpacking", "packages: configuring"}) {
    INFO(stage);
    auto client = h.start({"image", "build"});
    const auto op = operation_at(h, stage);
    CHECK(h.banger({"operations", "cancel", op}).status == 0);
    CHECK(client.wait(short_time) == 1);
    CHECK_THAT(client.err(), Contains("cancelled"));
    CHECK(files_in(folder_of(h, "debian-bookworm")) == std::vector<std::string>{"build.lock"});
    CHECK(processes_with(folder_of(h, "debian-bookworm").string()).empty());
  }
  CHECK_FALSE(is_listed(h, "debian-bookworm"));
}

TEST_CASE("Ctrl-C during the first run ends the build that it began", "[subids][vm]") {
  home h;
  auto client = h.start({"vm", "run", "--rm", "--", "true"});
  REQUIRE(h.eventually([&] { return fs::exists(folder_of(h, "debian-bookworm") / "work.tmp"); }));
  client.signal(SIGINT);
  CHECK(client.wait(short_time) == 130);
  CHECK(h.list().empty());
  CHECK(h.eventually([&] {
    return files_in(folder_of(h, "debian-bookworm")) == std::vector<std::string>{"build.lock"};
  }));
}

TEST_CASE("a package that does not exist is named, and no image is left", "[subids][vm]") {
  home h;
  const auto r =
      h.banger({"image", "build", "work", "--include", "tree,no-such-package"}, {}, build_time);
  CHECK(r.status == 1);
  CHECK_THAT(r.err, Contains("no package 'no-such-package'") && Contains("(op-"));
  CHECK_FALSE(is_listed(h, "work"));
  CHECK(files_in(folder_of(h, "work")) == std::vector<std::string>{"build.lock"});
}

TEST_CASE("bad orders for images are refused, and begin nothing", "[none]") {
  home h;
  const auto refused = [&](const words& args, const std::string& why, int status = 1) {
    const auto r = h.banger(args);
    CHECK(r.status == status);
    CHECK_THAT(r.err, Contains(why));
  };
  refused({"image", "build", "../x"}, "image name", 2);
  refused({"image", "build", "work", "--include", "a,,b"}, "has no name", 2);
  refused({"image", "build", "work"}, "--include");
  refused({"image", "build", "work", "--include", "jq;id"}, "invalid package name");
  refused({"image", "build", "work", "--include=-o,jq"}, "invalid package name");
  refused({"image", "build", "tiny", "--include", "jq"}, "takes no packages");
  refused({"image", "build", "tiny"}, "--force");
  refused({"image", "delete", "nothing"}, "there is no image 'nothing'");
  refused({"image", "delete"}, "IMAGE", 2);
  CHECK(h.read({"operations", "--json"}).empty());
  CHECK(h.good({"image", "build", "tiny", "--force"}) == "tiny\n");
}

TEST_CASE("without a network the first build says so, and offers tiny", "[root]") {
  home h;
  auto list = h.command({"image", "list"});
  list.argv.insert(list.argv.begin(), {"/usr/bin/unshare", "--net", "--"});
  if (run(list, {}, short_time).status != 0)
    return skip("cannot make a network namespace here");
  const auto r = h.banger({"vm", "run", "--rm", "--", "true"}, {}, build_time);
  CHECK(r.status == 125);
  CHECK_THAT(r.err, Contains("could not be looked up") && Contains("--image tiny"));
  CHECK(h.list().empty());
}
