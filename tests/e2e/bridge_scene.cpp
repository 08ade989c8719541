#include "tests/e2e/bridge_scene.hpp"
#include "tests/support/catch.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sched.h>
#include <sstream>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace banger::test {

namespace fs = std::filesystem;

namespace {

const std::map<std::string, std::string> usual{{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

fs::path shared() { return variable("BANGER_TEST_SHARED"); }

/// The user's own stage, where his images are.
std::unique_ptr<home> home_of_user() {
  ::setenv("BANGER_TEST_STAGE", (shared() / "user").c_str(), 1);
  return std::make_unique<home>();
}

} // namespace

bool skipped_without_bridge() {
  if (may_make_namespaces() && ::access("/dev/net/tun", R_OK | W_OK) == 0)
    return false;
  skip("needs root, network namespaces and /dev/net/tun");
  return true;
}

bridge_scene::bridge_scene(bool scripted, const std::string& mode, whose owner)
    : mode_(mode), uid_(static_cast<std::uint32_t>(std::stoul(variable("BANGER_TEST_UID")))) {
  cable({inside, "up0", std::string(uplink) + "/24"},
        {outside, "eth0", std::string(server) + "/24"});
  add_route(inside, "0.0.0.0/0", server);
  here_.emplace(inside);
  home_ = owner == whose::users ? home_of_user() : std::make_unique<home>();
  home_->env.erase("BANGER_NETWORK_HELPER");
  if (scripted)
    home_->env["BANGER_QEMU"] = bin("scripted-vmm");
  fs::create_directories(home_->top() / "k/banger");
  write_config();
  if (owner == whose::users) {
    home_->as_user = uid_;
    give_to_user();
  }
  open_web_server();
}

bridge_scene::~bridge_scene() {
  web_.reset();
  home_.reset(); // ends the VMs, which needs the helper
  if (helper_ && helper_->running()) {
    helper_->signal(SIGTERM);
    CHECK(helper_->wait(short_time) == 0);
  }
  std::error_code ignored;
  fs::remove_all(helper_folder(), ignored);
}

fs::path bridge_scene::helper_folder() const { return "/run/bgr-" + std::to_string(::getpid()); }

void bridge_scene::write_config(const std::string& more) {
  std::ofstream(home_->top() / "k/banger/config.toml")
      << "[network]\nmode = \"" << mode_ << "\"\nhelper = " << helper_folder()
      << "\ndns_port = " << dns_port_ << "\n"
      << more;
}

void bridge_scene::change_mode(const std::string& mode) {
  mode_ = mode;
  write_config();
}

// Folders and what is written now; files of images are the user's already.
void bridge_scene::give_to_user() {
  const auto give = [this](const fs::path& what) {
    struct stat info {};
    if (::lstat(what.c_str(), &info) == 0 && info.st_uid == 0)
      REQUIRE(::lchown(what.c_str(), uid_, uid_) == 0);
  };
  give(home_->top());
  for (const auto& entry : fs::recursive_directory_iterator(home_->top()))
    give(entry.path());
}

void bridge_scene::open_web_server() {
  const auto site = home_->top() / "site";
  fs::create_directories(site);
  std::ofstream(site / "index.html") << page;
  program httpd;
  httpd.argv = {"busybox", "httpd", "-f", "-p", std::string(server) + ":80", "-h", site};
  httpd.env = usual;
  web_ = outside.in([&] { return std::make_unique<child>(httpd); });
}

void bridge_scene::ask_daemon_for_names() {
  const auto servers = home_->top() / "resolv.conf";
  std::ofstream(servers) << "nameserver 127.0.0.1\n";
  REQUIRE(::unshare(CLONE_NEWNS) == 0);
  REQUIRE(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
  REQUIRE(::mount(servers.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) == 0);
  std::ofstream("/proc/sys/net/ipv4/ip_unprivileged_port_start") << "0\n";
  dns_port_ = 53;
  write_config();
}

void bridge_scene::start_helper(const std::string& failpoint, const std::string& notify) {
  program p;
  p.argv = {bin("banger-privhelper"), "--role",       "network",      "--owner-uid",
            std::to_string(uid_),     "--socket-dir", helper_folder()};
  p.env = usual;
  if (!failpoint.empty())
    p.env["BANGER_FAILPOINT"] = failpoint;
  if (!notify.empty())
    p.env["NOTIFY_SOCKET"] = notify;
  helper_ = std::make_unique<child>(p);
  REQUIRE(helper_->until(
      [&] {
        return helper_->err().find("\"serving\"") != std::string::npos || !helper_->running();
      },
      short_time));
  INFO(helper_->err());
  REQUIRE(helper_->running());
}

void bridge_scene::kill_helper() {
  helper_->signal(SIGKILL);
  helper_->wait(short_time);
}

outcome bridge_scene::host(const words& argv) { return run({argv, usual}, {}, short_time); }

bool bridge_scene::pings(const std::string& address) {
  return host({"ping", "-c", "3", "-i", "0.2", "-W", "5", address}).status == 0;
}

std::string bridge_scene::address(const std::string& vm) {
  const auto with_prefix = home_->show(vm).at("address").get<std::string>();
  return with_prefix.substr(0, with_prefix.find('/'));
}

std::size_t bridge_scene::elements(const std::string& set) {
  const auto told = host({"nft", "-j", "list", "set", "inet", "banger", set});
  if (told.status != 0)
    return 0;
  const auto parsed = json::parse(told.out);
  for (const auto& part : parsed.at("nftables"))
    if (part.contains("set"))
      return part.at("set").value("elem", json::array()).size();
  return 0;
}

std::size_t bridge_scene::taps() {
  const auto links = host({"ip", "-o", "link"}).out;
  std::size_t count = 0;
  for (auto at = links.find(": tap-fc-"); at != links.npos; at = links.find(": tap-fc-", at + 1))
    ++count;
  return count;
}

words bridge_scene::left() {
  words found;
  for (const auto& looked : {host({"ip", "-o", "link"}), host({"nft", "list", "ruleset"})}) {
    std::istringstream lines(looked.out);
    for (std::string line; std::getline(lines, line);)
      if (line.find("-fc") != line.npos || line.find("banger") != line.npos)
        found.push_back(line);
  }
  return found;
}

std::string bridge_scene::show_network(const std::string& vm) {
  return home_->show(vm).at("network").get<std::string>();
}

} // namespace banger::test
