#include "actors/privileged/presence.hpp"
#include "actors/privileged/privileged.hpp"
#include "messages/actor/remote.hpp"
#include "messages/base/version.hpp"
#include "messages/handover/handover.hpp"
#include "messages/transport/transport.hpp"

namespace banger::privileged {

using namespace std::chrono_literals;
using namespace messages;

namespace {

constexpr auto reach_deadline = 2s;

// A connection that closes before the greeting may mean a full helper or another owner: a second
// look tells them apart.
failure not_reached(const std::filesystem::path& folder, failure why) {
  if (why.code == errc::busy || why.code == errc::unauthorized)
    if (const auto seen = look_for_helper(folder, reach_deadline);
        !seen && seen.error().code == errc::unauthorized)
      why = seen.error();
  why.what = "cannot reach the root helper in " + folder.string();
  if (why.code == errc::unauthorized)
    why.remedy = remedy_for_foreign(folder);
  if (why.code != errc::not_found)
    return why;
  why.code = errc::unavailable;
  why.remedy = "start banger-privhelper, or set network.mode = \"user\" in config.toml";
  return why;
}

expected<network_helper> greet(caf::actor_system& system, network_helper helper) {
  const auto& build = this_build();
  const auto about =
      actor::call<helper_about>(system, helper, reach_deadline, hello_atom::value,
                                hello_request{protocol_version, build.version, build.commit, 0});
  if (!about)
    return tl::unexpected(about.error());
  if (about->protocol != protocol_version)
    return fail(errc::bad_version, "the root helper is of another version",
                "it is " + about->version + ", this daemon is " + build.version,
                "start the banger-privhelper of this version");
  return helper;
}

expected<network_helper> reach(caf::actor_system& system, const std::filesystem::path& folder) {
  auto helper =
      transport::connect_to<network_helper>(system, folder / orders_socket, reach_deadline);
  if (!helper)
    return tl::unexpected(not_reached(folder, helper.error()));
  return greet(system, std::move(*helper));
}

} // namespace

line to_helper(caf::actor_system& system, const std::filesystem::path& folder) {
  return {[&system, folder] { return reach(system, folder); },
          [folder](const std::string& token, std::size_t count) {
            return handover::fetch(folder / "descriptors.sock", token, count, reach_deadline);
          }};
}

} // namespace banger::privileged
