#include "privhelper/net/firewall.hpp"

#include "messages/base/unique_fd.hpp"
#include "privhelper/net/cooperation.hpp"
#include "privhelper/net/forwarding.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fcntl.h>

namespace banger::net {

namespace {

constexpr auto bridge_probe = R"(
add table bridge banger-probe
add chain bridge banger-probe p { type filter hook prerouting priority dstnat; }
)";

// The old iptables are beside nftables, and cannot be seen through it.
bool has_old_iptables() {
  const unique_fd names(::open("/proc/thread-self/net/ip_tables_names", O_RDONLY | O_CLOEXEC));
  std::string text(256, '\0');
  const auto size = names ? ::read(names.get(), text.data(), text.size()) : 0;
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return text.starts_with("filter\n") || text.find("\nfilter\n") != text.npos;
}

void put(std::vector<policy>& policies, const policy& p) {
  std::erase_if(policies, [&](const policy& other) { return other.bridge == p.bridge; });
  policies.push_back(p);
}

} // namespace

expected<firewall> firewall::open(std::optional<layers> where) {
  auto context = nft::open();
  if (!context)
    return tl::unexpected(context.error());
  if (!where)
    where = context->try_out(bridge_probe) ? layers::bridge_and_inet : layers::inet;
  return firewall(std::move(*context), *where);
}

expected<void> firewall::apply(const policy& p) {
  auto all = inventory();
  if (!all)
    return tl::unexpected(all.error());
  put(*all, p);
  if (auto ok = check(*all); !ok)
    return ok;
  if (auto ok = nft_.run(ruleset(*all, where_)); !ok)
    return ok;
  const bool nat = std::any_of(p.guests.begin(), p.guests.end(), [](auto& g) { return g.nat; });
  return nat ? turn_on_forwarding(p.bridge) : expected<void>{};
}

expected<void> firewall::must_hold(const bridge_name& bridge, const std::string& commands) {
  auto ok = nft_.run(commands);
  if (ok || ok.error().code != errc::not_found)
    return ok;
  return fail(errc::not_found, "the packet filter has no rules for " + bridge.str(),
              "they were never made, or something removed them (`nft flush ruleset`?)",
              "start the VM again");
}

expected<void> firewall::check_policy(const bridge_name& bridge) {
  return must_hold(bridge, proof(bridge, where_));
}

expected<void> firewall::add_guest(const bridge_name& bridge, const ipv4_net& net, const guest& g) {
  if (auto ok = check({policy{bridge, net, {g}}}); !ok)
    return ok;
  if (auto ok = must_hold(bridge, admission(bridge, g, where_)); !ok || !g.nat)
    return ok;
  return turn_on_forwarding(bridge);
}

// All in one; but a transaction that misses one table does nothing in the other either.
expected<void> firewall::remove_guest(const bridge_name& bridge, const guest& g) {
  const auto is_done = [](const expected<void>& done) {
    return done || done.error().code == errc::not_found;
  };
  auto ok = nft_.run(expulsion(bridge, g, where_));
  if (ok || ok.error().code != errc::not_found)
    return ok;
  if (ok = nft_.run(expulsion(bridge, g, layers::inet)); !is_done(ok))
    return ok;
  if (where_ == layers::bridge_and_inet)
    if (ok = nft_.run(expulsion_from_bridge(g)); !is_done(ok))
      return ok;
  return {};
}

expected<void> firewall::keep(const std::vector<policy>& policies) {
  return nft_.run(ruleset(policies, where_));
}

expected<void> firewall::remove(const bridge_name& bridge) {
  auto all = inventory();
  if (!all)
    return tl::unexpected(all.error());
  const auto had = std::erase_if(*all, [&](const policy& p) { return p.bridge == bridge; });
  if (had > 0 || all->empty())
    if (auto ok = nft_.run(ruleset(*all, where_)); !ok)
      return ok;
  return withdraw(bridge);
}

expected<std::vector<policy>> firewall::inventory() {
  const auto table = list_if_there("list table inet banger");
  if (!table)
    return tl::unexpected(table.error());
  return contents_of(*table, {}).policies;
}

expected<contents> firewall::everything() {
  const auto table = list_if_there("list table inet banger");
  if (!table)
    return tl::unexpected(table.error());
  auto set = expected<nlohmann::json>(nlohmann::json());
  if (where_ == layers::bridge_and_inet)
    set = list_if_there("list set bridge banger guests");
  if (!set)
    return tl::unexpected(set.error());
  return contents_of(*table, *set);
}

expected<nlohmann::json> firewall::list_if_there(const std::string& command) {
  auto listed = nft_.list(command);
  if (!listed && listed.error().code == errc::not_found)
    return nlohmann::json::object();
  return listed;
}

std::optional<std::string> firewall::weakness() const {
  if (where_ == layers::bridge_and_inet)
    return std::nullopt;
  return "this kernel cannot filter frames on a bridge (nftables' bridge family is missing): that "
         "a guest does not take MAC and address of another one, and does not lie in ARP, is not "
         "checked; `modprobe nf_tables_bridge`, or a kernel with CONFIG_NF_TABLES_BRIDGE";
}

expected<std::vector<std::string>> firewall::cooperate(const bridge_name& bridge) {
  const auto chains = nft_.list("list chains");
  if (!chains)
    return tl::unexpected(chains.error());
  std::vector<std::string> obstacles;
  if (const auto weak = weakness())
    obstacles.push_back(*weak);
  for (const auto& chain : forward_chains(*chains)) {
    const auto table = nft_.list("list table " + chain.table_name());
    if (!table)
      continue; // gone since
    const auto what = arrange(chain, *table, bridge);
    if (!what.commands.empty())
      if (auto ok = nft_.run(what.commands); !ok)
        obstacles.push_back("Docker's chain DOCKER-USER could not be changed: " + ok.error().why);
    if (what.obstacle)
      obstacles.push_back(*what.obstacle);
  }
  if (has_old_iptables())
    obstacles.push_back("there are rules of the old iptables, which banger does not see; look with "
                        "`iptables-legacy -S FORWARD` whether they accept " +
                        bridge.str());
  return obstacles;
}

expected<void> firewall::withdraw(const bridge_name& bridge) {
  const auto chains = nft_.list("list chains");
  if (!chains)
    return tl::unexpected(chains.error());
  for (const auto& chain : forward_chains(*chains)) {
    const auto table = nft_.list("list table " + chain.table_name());
    const auto commands = table ? withdrawal(chain, *table, bridge) : "";
    if (commands.empty())
      continue;
    if (auto ok = nft_.run(commands); !ok && ok.error().code != errc::not_found)
      return ok;
  }
  return {};
}

} // namespace banger::net
