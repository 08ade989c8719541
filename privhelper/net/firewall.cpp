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

expected<void> firewall::add_guest(const bridge_name& bridge, const ipv4_net& net, const guest& g) {
  if (auto ok = check({policy{bridge, net, {g}}}); !ok)
    return ok;
  auto ok = nft_.run(admission(bridge, g, where_));
  if (!ok && ok.error().code == errc::not_found) {
    ok.error().what = "the firewall tables of banger are not there";
    ok.error().remedy = "something removed them (`nft flush ruleset`?); start the VM again";
  }
  if (!ok || !g.nat)
    return ok;
  return turn_on_forwarding(bridge);
}

expected<void> firewall::remove_guest(const bridge_name& bridge, const guest& g) {
  auto ok = nft_.run(expulsion(bridge, g, where_));
  if (!ok && ok.error().code == errc::not_found)
    return {};
  return ok;
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
  const auto table = nft_.list("list table inet banger");
  if (!table && table.error().code == errc::not_found)
    return std::vector<policy>{};
  if (!table)
    return tl::unexpected(table.error());
  return policies_in(*table);
}

expected<std::vector<std::string>> firewall::cooperate(const bridge_name& bridge) {
  const auto chains = nft_.list("list chains");
  if (!chains)
    return tl::unexpected(chains.error());
  std::vector<std::string> obstacles;
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
