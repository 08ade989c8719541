#include "privhelper/program/options.hpp"

#include "privhelper/install.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <optional>
#include <pwd.h>

namespace banger::helper {

namespace {

constexpr id_range usual_ids{1879048192, 65536};

struct words {
  std::string role;
  std::optional<std::uint32_t> owner;
  std::filesystem::path state;
};

std::vector<role> roles_of(const std::string& word) {
  if (word == "both")
    return {role::network, role::machine};
  return {word == "network" ? role::network : role::machine};
}

// A user need not be in any list of users: then there is nothing below his home.
std::filesystem::path home_of(std::uint32_t owner) {
  const auto* entry = ::getpwuid(owner);
  return entry == nullptr ? std::filesystem::path("/nonexistent") : entry->pw_dir;
}

// A daemon of root does the helper's work in its own process.
std::string refuse_root(const std::string& text) {
  if (text != "0")
    return {};
  return "a daemon of root needs no helper; set network.mode = \"bridge\" in root's config.toml";
}

expected<bounds> find_bounds(const words& told) {
  bounds b;
  b.host = limits_of_host();
  std::filesystem::path home;
  if (told.owner) {
    b.owner = *told.owner;
    b.ids = usual_ids;
    home = home_of(b.owner);
  } else {
    const auto installed = load_install();
    if (!installed)
      return tl::unexpected(installed.error());
    b.owner = installed->uid;
    b.ids = installed->ids;
    home = installed->home;
  }
  b.state = told.state.empty() ? (home / ".local/state/banger").string() : told.state.string();
  return b;
}

} // namespace

options parse_options(int argc, char** argv) {
  options o;
  words told;
  CLI::App app{"banger-privhelper: what banger needs root for. Obeys the bangerd of one user, the "
               "owner, and root; every order is checked. Started by systemd, or by hand:\n"
               "  sudo banger-privhelper --role network --owner-uid 1000",
               "banger-privhelper"};
  app.add_option("--role", told.role, "network, machine, or both (two processes)")
      ->check(CLI::IsMember({"network", "machine", "both"}));
  app.add_option("--owner-uid", told.owner, "The owner, in place of install.toml's")
      ->check(refuse_root)
      ->check(CLI::Range(1U, 0xfffffffeU));
  app.add_option("--socket-dir", o.socket_dir, "Folder of the sockets; root's, closed to writing")
      ->capture_default_str();
  app.add_option("--state-dir", told.state, "The owner's state folder [HOME/.local/state/banger]");
  app.add_flag("--version", o.version, "Print the version");
  try {
    app.parse(argc, argv);
    if (o.version)
      return o;
    if (told.role.empty())
      throw CLI::RequiredError("--role");
    o.roles = roles_of(told.role);
    const auto limits = find_bounds(told);
    if (!limits)
      throw CLI::ValidationError(describe(limits.error()));
    o.limits = *limits;
  } catch (const CLI::ParseError& why) {
    o.exit_code = app.exit(why) == 0 ? 0 : 2;
  }
  return o;
}

} // namespace banger::helper
