// VMs by their names, as programs of the host find them; and what the helper says to systemd.
#include "tests/e2e/bridge_scene.hpp"
#include "tests/support/catch.hpp"

#include <cstring>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

using namespace banger::test;
using Catch::Contains;

TEST_CASE("a running VM has its name, a stopped one has none, a renamed one the new one",
          "[root][as-user][network][none]") {
  if (skipped_without_bridge())
    return;
  bridge_scene s(true);
  s.start_helper();
  s.ask_daemon_for_names();
  auto& u = s.user();
  const auto address_of = [&](const std::string& name) {
    const auto told = s.host({"getent", "ahostsv4", name});
    return told.status == 0 ? told.out.substr(0, told.out.find(' ')) : "";
  };
  u.good({"vm", "create", "--image", "tiny", "--name", "a"});
  CHECK(address_of("a.vm") == s.address("a"));
  CHECK(address_of("api.a.vm") == s.address("a"));
  CHECK(address_of("b.vm").empty());
  u.good({"vm", "rename", "a", "b"});
  CHECK(address_of("b.vm") == s.address("b"));
  CHECK(address_of("a.vm").empty());
  u.good({"daemon", "stop"});
  u.good({"vm", "list"});
  CHECK(address_of("b.vm") == s.address("b"));
  u.good({"vm", "stop", "b"});
  CHECK(address_of("b.vm").empty());
  u.good({"vm", "start", "b"});
  CHECK(address_of("b.vm") == s.address("b"));
}

TEST_CASE("the helper tells systemd when it serves", "[root][as-user][network][none]") {
  if (skipped_without_bridge())
    return;
  bridge_scene s(true);
  // In a folder that the helper may enter: it is user 0 without the right to pass by modes.
  const auto path = s.helper_folder().string() + ".notify";
  const banger::unique_fd heard(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un place{};
  place.sun_family = AF_UNIX;
  std::strncpy(place.sun_path, path.c_str(), sizeof place.sun_path - 1);
  REQUIRE(::bind(heard.get(), reinterpret_cast<const sockaddr*>(&place), sizeof place) == 0);
  const timeval patience{15, 0};
  ::setsockopt(heard.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  s.start_helper({}, path);
  std::string text(64, '\0');
  const auto size = ::recv(heard.get(), text.data(), text.size(), 0);
  REQUIRE(size > 0);
  CHECK(text.substr(0, static_cast<std::size_t>(size)) == "READY=1");
  ::unlink(path.c_str());
}
