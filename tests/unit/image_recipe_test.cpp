// What images are made of, and what their makers' words mean.
#include "actors/image/apt_sources.hpp"
#include "actors/image/bootstrap_plan.hpp"
#include "actors/image/debian_tree.hpp"
#include "actors/image/recipe.hpp"
#include "tests/unit/storage_scratch.hpp"

#include <algorithm>
#include <sys/stat.h>

using namespace banger;
using namespace banger::image;
using banger::test::code;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

expected<recipe> choose(const char* name, const std::vector<std::string>& include = {}) {
  return choose_recipe(*image_name::parse(name), include);
}

bool has(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

failure ended() { return {errc::operation_failed, "mmdebstrap failed", "exit status 1", {}, {}}; }

failure after(std::initializer_list<const char*> lines) {
  bootstrap_watch watch;
  for (const auto* line : lines)
    watch.hear(line);
  return watch.explain(ended(), debian_suite);
}

} // namespace

TEST_CASE("a builtin image needs its name only, one of the user's own needs packages") {
  CHECK(choose("tiny")->kind == family::tiny);
  CHECK(choose("debian-bookworm")->kind == family::debian);
  const auto work = choose("work", {"ripgrep", "nodejs", "ripgrep"});
  REQUIRE(work);
  CHECK(work->kind == family::debian);
  CHECK(work->include == std::vector<std::string>{"nodejs", "ripgrep"});
  CHECK(code(choose("work")) == errc::not_found);
  CHECK_THAT(choose("work").error().remedy, Contains("--include"));
  CHECK(code(choose("tiny", {"jq"})) == errc::bad_request);
  CHECK(init_of(family::debian) == "/sbin/init");
  CHECK(init_of(family::tiny).empty());
}

TEST_CASE("a package name keeps to Debian's grammar, so that it can be nothing else") {
  for (const auto* good : {"jq", "g++", "libstdc++6", "python3.11", "0ad", "a-b"})
    CHECK(check_package(good));
  for (const auto* bad : {"", "a", "Jq", "-o", "+x", ".x", "a b", "a,b", "a/b", "a;b", "a\nb",
                          "--include", "jq?", "~nx", "a_b", "jq:i386", "jq=1.6"})
    CHECK(code(check_package(bad)) == errc::bad_request);
  CHECK(code(check_package(std::string(129, 'a'))) == errc::bad_request);
  CHECK(code(choose("work", std::vector<std::string>(501, "jq"))) == errc::bad_request);
  CHECK_THAT(check_package("no such").error().why, Contains("position 3"));
}

TEST_CASE("every package that an image always has is a good name") {
  for (const auto name : packages_of(family::debian))
    CHECK(check_package(name));
  CHECK(packages_of(family::tiny).empty());
}

TEST_CASE("the host's mirror is used, and nothing else that it gets packages from") {
  const auto lines = read_targets("deb|http://mirror/debian/|bookworm|main|Debian|bookworm|\n"
                                  "deb|http://mirror/debian/|bookworm|main|Debian|bookworm|\n"
                                  "deb|http://mirror/debian/|bookworm|contrib|Debian|bookworm|\n"
                                  "deb|http://mirror/debian/|trixie|main|Debian|trixie|\n"
                                  "deb|http://mirror/sec/|bookworm-security|main|Debian|x|\n"
                                  "deb|http://x/docker|bookworm|stable|Docker|bookworm|\n"
                                  "deb|http://x/other|bookworm|main|Other|bookworm|\n"
                                  "deb|cdrom:[x]/|bookworm|main|||\n"
                                  "deb|http://new/debian/|bookworm-updates|main|||\n"
                                  "deb-src|http://mirror/debian/|bookworm|main|Debian|bookworm|\n"
                                  "nonsense\n",
                                  "bookworm");
  CHECK(lines == std::vector<std::string>{"deb http://mirror/debian/ bookworm main",
                                          "deb http://mirror/sec/ bookworm-security main",
                                          "deb http://new/debian/ bookworm-updates main"});
}

TEST_CASE("stable is bookworm while its Release file says so") {
  CHECK(read_targets("deb|http://m/|stable|main|Debian|bookworm|\n", "bookworm").size() == 1);
  CHECK(read_targets("deb|http://m/|stable|main|Debian|trixie|\n", "bookworm").empty());
}

TEST_CASE("a host of another release has its mirrors hold the image's one") {
  const auto lines =
      targets_of_another_release("deb|http://m/debian/|trixie|main|Debian|trixie|/a.sources:1\n"
                                 "deb|http://m/debian/|stable|main|Debian|trixie|\n"
                                 "deb|http://m/debian/|trixie-updates|main|Debian|trixie-updates|\n"
                                 "deb|http://m/debian/|trixie-backports|main|Debian Backports|x|\n"
                                 "deb|http://m/debian/|trixie-proposed-updates|main|Debian|x-y-z|\n"
                                 "deb|http://m/debian-security/|trixie-security|main|||\n"
                                 "deb|http://x/other|trixie|main|Other|trixie|\n",
                                 "bookworm");
  CHECK(lines == std::vector<std::string>{"deb http://m/debian/ bookworm main",
                                          "deb http://m/debian/ bookworm-updates main",
                                          "deb http://m/debian-security/ bookworm-security main"});
  CHECK(targets_of_another_release("deb|http://m/|trixie-security|main|Debian||\n", "bookworm")
            .empty());
}

TEST_CASE("a host with security fixes alone has no source for an image") {
  CHECK(read_targets("deb|http://m/|bookworm-security|main|Debian|x|\n", "bookworm").empty());
  CHECK(read_targets("", "bookworm").empty());
}

TEST_CASE("an archive that says nothing of itself is Debian's only where its address says so") {
  const auto taken = [](const std::string& uri, const std::string& origin) {
    return !read_targets("deb|" + uri + "|bookworm|main|" + origin + "|bookworm|\n", "bookworm")
                .empty();
  };
  for (const auto* uri : {"http://m/debian", "http://m/debian/", "https://m/x/debian-security/"})
    for (const auto* origin : {"", "$(ORIGIN)"})
      CHECK(taken(uri, origin));
  for (const auto* uri : {"http://docker.com/linux", "http://m/notdebian", "http://m/debian/docker",
                          "http://debian.example/", "http://m/x.debian", "debian"})
    CHECK_FALSE(taken(uri, ""));
  CHECK(taken("http://m/anything", "Debian"));
  CHECK_FALSE(taken("http://m/debian", "Other"));
}

TEST_CASE("the keys that the host trusts for a source go along") {
  const auto lines = read_targets("deb|http://m/debian|bookworm|main|Debian|bookworm|/a.list:3\n",
                                  "bookworm", [](std::string_view entry, std::string_view uri) {
                                    CHECK(entry == "/a.list:3");
                                    CHECK(uri == "http://m/debian");
                                    return std::string("/k.gpg");
                                  });
  CHECK(lines == std::vector<std::string>{"deb [signed-by=/k.gpg] http://m/debian bookworm main"});
  const auto* list = "# x\n"
                     "deb [arch=amd64 signed-by=/a.gpg] http://m/debian bookworm main\n"
                     "deb [signed-by=/b.gpg] http://n/ bookworm main\n"
                     "deb http://m/debian bookworm main # signed-by=/c.gpg\n";
  CHECK(read_keys(list, false, 2, "http://m/debian/") == "/a.gpg");
  CHECK(read_keys(list, false, 3, "http://n/") == "/b.gpg");
  CHECK(read_keys(list, false, 3, "http://m/debian").empty());
  CHECK(read_keys(list, false, 4, "http://m/debian").empty());
  CHECK(read_keys(list, false, 9, "http://m/debian").empty());
  const auto* stanzas = "# x\n\nTypes: deb\n# y\nURIs: http://m/debian\n"
                        "Signed-By: /a.gpg\n\n\n"
                        "URIs: http://n/\nSigned-By:\n -----BEGIN PGP\n .\n";
  CHECK(read_keys(stanzas, true, 1, "http://m/debian/") == "/a.gpg");
  CHECK(read_keys(stanzas, true, 2, "http://n").empty());
  CHECK(read_keys(stanzas, true, 2, "http://m/debian").empty());
}

TEST_CASE("of apt's configuration goes along how packages are fetched") {
  const auto text = read_options("APT::Sandbox::User \"root\";\n"
                                 "Acquire::http::Proxy \"http://proxy:3142\";\n"
                                 "Acquire::https::Verify-Peer \"\";\n"
                                 "Acquire::Retries \"3\";\n"
                                 "Dir::Etc \"etc/apt\";\n"
                                 "DPkg::Post-Invoke:: \"rm -rf /\";\n"
                                 "Acquire::http broken\n");
  CHECK(text == "Acquire::http::Proxy \"http://proxy:3142\";\nAcquire::Retries \"3\";\n");
}

TEST_CASE("root is root, a user is root of a namespace, or fakes it, what is missing is named") {
  bootstrap_facts host;
  CHECK(code(choose_mode(host)) == errc::unavailable);
  CHECK_THAT(choose_mode(host).error().remedy,
             Contains("apt install mmdebstrap") && Contains("--image tiny"));
  host.mmdebstrap = true;
  CHECK_THAT(choose_mode(host).error().why, Contains("newuidmap"));
  CHECK_THAT(choose_mode(host).error().remedy, Contains("uidmap") && Contains("fakechroot"));
  host.fakechroot = true;
  CHECK(code(choose_mode(host)) == errc::unavailable);
  host.fakeroot = true;
  CHECK(choose_mode(host) == bootstrap_mode::fakechroot);
  host.newer_libc = true;
  CHECK_THAT(choose_mode(host).error().why, Contains("newer than the image's"));
  host.newuidmap = host.subordinates = true;
  CHECK(choose_mode(host) == bootstrap_mode::unshare);
  host.root = true;
  CHECK(choose_mode(host) == bootstrap_mode::root);
}

TEST_CASE("mmdebstrap is told the packages, the sources and the options of this host") {
  bootstrap_plan plan{bootstrap_mode::unshare,
                      *choose("work", {"nodejs"}),
                      {{"deb http://m/ bookworm main"}, "x"},
                      "/w/apt.conf",
                      {}};
  const auto words = bootstrap_arguments(plan);
  CHECK(has(words, "--mode=root")); // of its namespace
  CHECK(has(words, "--aptopt=/w/apt.conf"));
  CHECK(words.back() == "deb http://m/ bookworm main");
  const auto include = std::find_if(words.begin(), words.end(),
                                    [](const auto& w) { return w.starts_with("--include="); });
  REQUIRE(include != words.end());
  CHECK_THAT(*include, Contains(",systemd,") && Contains(",nodejs"));
  plan.mode = bootstrap_mode::fakechroot;
  plan.from = {};
  plan.options_file.clear();
  CHECK(has(bootstrap_arguments(plan), "--mode=fakechroot"));
  CHECK(bootstrap_arguments(plan).back() == "-");
}

TEST_CASE("progress counts what is retrieved, unpacked and configured") {
  bootstrap_watch watch;
  CHECK(watch.hear("I: running apt-get update...") == std::nullopt);
  CHECK(watch.hear("Get:1 http://m bookworm InRelease [151 kB]") == "reading the package lists");
  CHECK(watch.hear("Get:2 http://m bookworm/main Packages") == std::nullopt);
  CHECK(watch.hear("0 upgraded, 2 newly installed, 0 to remove") ==
        "base system: retrieving 0 of 2");
  CHECK(watch.hear("Get:1 http://m dash [90 kB]") == "base system: retrieving 1 of 2");
  CHECK(watch.hear("I: extracting archives...") == "extracting");
  CHECK(watch.hear("Unpacking dash (1) ...") == "base system: unpacking 1 of 2");
  CHECK(watch.hear("Setting up dash (1) ...") == "base system: configuring 1 of 2");
  CHECK(watch.hear("0 upgraded, 1 newly installed, 0 to remove") == "packages: retrieving 0 of 1");
  CHECK(watch.hear("Unpacking jq (1) ...") == "packages: unpacking 1 of 1");
  CHECK(watch.hear("Unpacking more (1) ...") == std::nullopt);
  CHECK(watch.hear("I: creating tarball...") == "collecting the files");
}

TEST_CASE("an unknown package is named") {
  auto f = after({"E: Unable to locate package nosuchpkg", "E: apt-get failed",
                  "E: mmdebstrap failed to run"});
  CHECK(f.code == errc::not_found);
  CHECK_THAT(f.what, Contains("'nosuchpkg'"));
  f = after({"E: Package 'old' has no installation candidate"});
  CHECK(f.code == errc::not_found);
  CHECK_THAT(f.what, Contains("'old'"));
}

TEST_CASE("without a network the error says what could not be reached, and offers tiny") {
  for (const auto* line :
       {"Err:1 http://mirror.example/debian bookworm InRelease  Temporary failure resolving "
        "'mirror.example'",
        "W: Failed to fetch http://x  Could not resolve 'mirror.example'"}) {
    const auto f = after({line, "E: apt-get update failed"});
    CHECK(f.code == errc::unavailable);
    CHECK_THAT(f.why, Contains("mirror.example"));
    CHECK_THAT(f.remedy, Contains("--image tiny"));
  }
  const auto f = after({"Err:1 http://m:80 x", "W: Failed to fetch http://m/  Could not connect to "
                                               "m:80 (10.0.0.1), connection timed out"});
  CHECK(f.code == errc::unavailable);
  CHECK_THAT(f.why, Contains("Could not connect to m:80"));
}

TEST_CASE("any other failure is told in apt's words, a cancelled one as it is") {
  CHECK(after({"E: Unable to correct problems, you have held broken packages.",
               "E: mmdebstrap failed to run"})
            .why == "E: Unable to correct problems, you have held broken packages.");
  CHECK(after({}).why == "exit status 1");
  // What it says at the front of much output is not why it ended.
  CHECK(after({"Suggested packages:", "  git-svn", "tar: file changed as we read it"}).why ==
        "tar: file changed as we read it");
  const bootstrap_watch watch;
  CHECK(watch.explain({errc::timed_out, "x", {}, {}, {}}, "bookworm").code == errc::timed_out);
  CHECK_THAT(after({"E: write: No space left on device"}).why, Contains("no space"));
}

TEST_CASE("a process is of a bootstrap by what it was given and where it lives, not by words") {
  const std::string work = "/i/a/work.tmp";
  const auto with = [](std::string_view entries) {
    return process_traits{std::string(entries), "/", "/"};
  };
  using namespace std::string_view_literals;
  CHECK(is_of_bootstrap(with("A=b\0TMPDIR=/i/a/work.tmp\0"sv), work));
  CHECK(is_of_bootstrap(with("FAKECHROOT_BASE=/i/a/work.tmp/mmdebstrap.x\0"sv), work));
  CHECK(is_of_bootstrap({"", "/i/a/work.tmp/x", "/"}, work));
  CHECK(is_of_bootstrap({"", "/", "/i/a/work.tmp/x"}, work));
  for (const auto entries : {"A=TMPDIR=/i/a/work.tmp\0"sv, "TMPDIR=/i/a/work.tmp2\0"sv,
                             "TMPDIR=/i/a/work.tmp/x\0"sv, "OLDPWD=/i/a/work.tmp/x\0"sv, ""sv})
    CHECK_FALSE(is_of_bootstrap(with(entries), work));
  CHECK_FALSE(is_of_bootstrap({"", "/i/a/work.tmp2/x", "/i/a"}, work));
  CHECK_FALSE(is_of_bootstrap({"", "", "/i/a/work.tmp"}, work)); // somebody who looks at it
}

TEST_CASE("what belongs to one machine or to this host stays out of a Debian image") {
  for (const auto* path :
       {"etc/hostname", "etc/resolv.conf", "etc/machine-id", "etc/ssh/ssh_host_rsa_key",
        "etc/ssh/ssh_host_ed25519_key.pub", "etc/apt/sources.list.d/0.list",
        "etc/apt/apt.conf.d/99mmdebstrap", "dev/null", "run/x", "var/log/dpkg.log",
        "var/log/apt/term.log", "var/cache/apt/pkgcache.bin", "var/lib/dbus/machine-id",
        "var/lib/systemd/random-seed"})
    CHECK(is_unwanted_in_debian(path, false));
  for (const auto* path : {"etc/hosts.allow", "etc/ssh/sshd_config", "etc/apt/keyrings/x",
                           "etc/debian_version", "usr/bin/env", "", "devel", "var/lib/dpkg/status"})
    CHECK_FALSE(is_unwanted_in_debian(path, false));
  for (const auto* folder :
       {"dev", "run", "tmp", "var/log", "var/log/apt", "var/cache/apt/archives"})
    CHECK_FALSE(is_unwanted_in_debian(folder, true));
  CHECK(is_unwanted_in_debian("dev/pts", true));
  CHECK(is_unwanted_in_debian("var/log/journal", true));
}

TEST_CASE("the packages of an image are read from dpkg's status") {
  CHECK(installed_packages("Package: a\nStatus: install ok installed\nVersion: 1:2.0-1\n\n"
                           "Package: b\nStatus: deinstall ok config-files\nVersion: 3\n\n"
                           "Package: c\nVersion: 4\nStatus: install ok installed\n") ==
        std::vector<std::string>{"a 1:2.0-1", "c 4"});
  CHECK(installed_packages("").empty());
}

TEST_CASE("a guest's sources are those of its image, without keys and credentials of this host") {
  CHECK(guest_sources("deb [signed-by=/etc/apt/keyrings/m.gpg] http://m/debian bookworm main\n"
                      "deb http://m/debian bookworm-updates main\n") ==
        "deb http://m/debian bookworm main\ndeb http://m/debian bookworm-updates main\n");
  CHECK(guest_sources("deb https://me:secret@m:8443/debian bookworm main") ==
        "deb https://m:8443/debian bookworm main\n");
  CHECK(guest_sources("deb http://m/a@b/debian bookworm main\n") ==
        "deb http://m/a@b/debian bookworm main\n");
  CHECK(guest_sources("").empty());
}

TEST_CASE("folders that are added to Debian's are open to all, whatever the umask is") {
  const test::scratch tree;
  const auto mask = ::umask(022);
  REQUIRE(fs::create_directories(tree / "etc/apt"));
  std::ofstream(tree / "etc/apt/sources.list") << "deb http://deb.example bookworm main\n";
  ::umask(077);
  const auto dressed = dress_debian(tree.top());
  ::umask(mask);
  REQUIRE(dressed);
  int folders = 0;
  for (const auto& entry : fs::recursive_directory_iterator(tree.top()))
    if (entry.is_directory() && !entry.is_symlink()) {
      INFO(entry.path());
      CHECK((entry.status().permissions() & fs::perms::mask) == static_cast<fs::perms>(0755));
      ++folders;
    }
  CHECK(folders > 5);
}
