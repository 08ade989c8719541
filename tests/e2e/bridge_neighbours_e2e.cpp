// Two users of one machine, one of them with a root helper. With a scripted hypervisor.
#include "tests/e2e/bridge_scene.hpp"

#include "tests/support/catch.hpp"

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

using namespace banger::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

const words create{"vm", "create", "--image", "tiny", "--name", "a"};

/// A user with a stage and images of its own, on the host of a scene.
class neighbour {
public:
  explicit neighbour(bridge_scene& s, std::uint32_t uid = next_uid())
      : scene_(s), uid_(uid),
        stage_(fs::path(std::getenv("BANGER_TEST_SHARED")) / ("n-" + std::to_string(::getpid()))) {
    const auto warm = stage() / "warm";
    fs::create_directory(stage_);
    REQUIRE(scene_.host({"cp", "-r", "--sparse=always", warm, stage_ / "warm"}).status == 0);
    give();
    ::setenv("BANGER_TEST_STAGE", stage_.c_str(), 1);
    home_.emplace();
    home_->env.erase("BANGER_NETWORK_HELPER");
    home_->env["BANGER_QEMU"] = bin("scripted-vmm");
    home_->as_user = uid_;
    fs::create_directories(home_->top() / "k/banger");
  }
  neighbour(const neighbour&) = delete;
  neighbour& operator=(const neighbour&) = delete;
  ~neighbour() {
    home_.reset();
    helper_.reset();
    std::error_code ignored;
    fs::remove_all(stage_, ignored);
    fs::remove_all(own_folder(), ignored);
  }

  home& user() { return *home_; }
  std::uint32_t uid() const { return uid_; }
  fs::path own_folder() const { return scene_.helper_folder().string() + "-2"; }
  std::string show_network() { return home_->show("a").at("network").get<std::string>(); }

  /// From the next daemon on.
  void configure(const std::string& mode, const fs::path& helper, const std::string& more = {}) {
    std::ofstream(home_->top() / "k/banger/config.toml")
        << "[network]\nmode = \"" << mode << "\"\nhelper = " << helper << "\ndns_port = 5301\n"
        << more;
    give();
  }

  void start_helper() {
    program p;
    p.argv = {bin("banger-privhelper"), "--role",       "network",   "--owner-uid",
              std::to_string(uid_),     "--socket-dir", own_folder()};
    p.env = {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}};
    helper_.emplace(p);
    REQUIRE(helper_->until([&] { return helper_->err().find("\"serving\"") != std::string::npos; },
                           short_time));
  }

private:
  static std::uint32_t next_uid() {
    return static_cast<std::uint32_t>(std::stoul(std::getenv("BANGER_TEST_UID"))) + 1;
  }

  void give() {
    const auto all = std::to_string(uid_) + ":" + std::to_string(uid_);
    REQUIRE(scene_.host({"chown", "-hR", all, stage_}).status == 0);
  }

  bridge_scene& scene_;
  std::uint32_t uid_;
  fs::path stage_;
  std::optional<home> home_;
  std::optional<child> helper_;
};

} // namespace

TEST_CASE("a helper of another user leaves this one in user mode, with the reason",
          "[root][as-user][network][none]") {
  if (skipped_without_bridge())
    return;
  bridge_scene s(true, "auto");
  s.start_helper();
  s.user().good(create);
  CHECK_THAT(s.show_network("a"), Contains("bridge br-fc"));
  neighbour other(s);
  other.configure("auto", s.helper_folder());
  other.user().good(create);
  CHECK_THAT(other.show_network(), Contains("user-mode") && Contains("serves another user") &&
                                       Contains(s.helper_folder().string()));
  CHECK(s.taps() == 1);
}

TEST_CASE("root leaves the helper and the bridge of a user alone",
          "[root][as-user][network][none]") {
  if (skipped_without_bridge())
    return;
  bridge_scene s(true, "auto");
  s.start_helper();
  s.user().good(create);
  neighbour root(s, 0);
  root.configure("auto", s.helper_folder());
  root.user().good(create);
  CHECK_THAT(root.show_network(), Contains("user-mode") && Contains("serves another user"));
  CHECK(s.taps() == 1);
  CHECK_THAT(s.show_network("a"), Contains("bridge br-fc"));
}

TEST_CASE("mode bridge with a helper of another user fails and says what to do, which helps",
          "[root][as-user][network][none]") {
  if (skipped_without_bridge())
    return;
  bridge_scene s(true, "auto");
  s.start_helper();
  s.user().good(create);
  neighbour other(s);
  other.configure("bridge", s.helper_folder());
  auto& u = other.user();
  const auto refused = u.banger(create);
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, Contains("serves another user") && Contains("network.helper") &&
                              Contains("--owner-uid " + std::to_string(other.uid())) &&
                              Contains("network.mode = \"user\""));
  CHECK(u.list().empty());
  u.good({"daemon", "stop"});
  other.start_helper();
  other.configure("bridge", other.own_folder(), "bridge = \"br-fc-2\"\n");
  u.good(create);
  CHECK_THAT(other.show_network(), Contains("bridge br-fc-2"));
  CHECK(s.taps() == 2);
  u.good({"vm", "delete", "a"});
  u.good({"daemon", "stop"});
  CHECK_THAT(s.show_network("a"), Contains("bridge br-fc"));
  CHECK(s.taps() == 1);
  s.user().good({"vm", "restart", "a"});
}
