#include "privhelper/net/cooperation.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>

namespace banger::net {

namespace {

using json = nlohmann::json;

constexpr std::string_view docker_chain = "DOCKER-USER";

bool is_plain(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

std::string string_in(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : "";
}

/// All things of one kind: "chain", "rule".
std::vector<json> things(const json& listing, const char* kind) {
  std::vector<json> found;
  const auto at = listing.find("nftables");
  if (at != listing.end() && at->is_array())
    for (const auto& thing : *at)
      if (thing.is_object() && thing.contains(kind))
        found.push_back(thing[kind]);
  return found;
}

std::vector<json> rules_of(const json& table, std::string_view chain) {
  auto rules = things(table, "rule");
  std::erase_if(rules, [&](const json& r) { return string_in(r, "chain") != chain; });
  return rules;
}

bool has_chain(const json& table, std::string_view name) {
  const auto chains = things(table, "chain");
  return std::any_of(chains.begin(), chains.end(),
                     [&](const json& c) { return string_in(c, "name") == name; });
}

/// "drop", "reject", or the same by a target of iptables.
bool refuses(const json& statement) {
  return statement.contains("drop") || statement.contains("reject") ||
         (statement.contains("xt") && string_in(statement["xt"], "name") == "REJECT");
}

// firewalld's way: the policy accepts, and the last rule refuses whatever comes to it.
bool ends_in_refusal(const json& table, const std::string& chain) {
  const auto rules = rules_of(table, chain);
  if (rules.empty())
    return false;
  const auto statements = rules.back().value("expr", json::array());
  bool any = false;
  for (const auto& statement : statements) {
    if (!refuses(statement) && !statement.contains("counter"))
      return false;
    any = any || refuses(statement);
  }
  return any;
}

/// A string anywhere in it is the bridge's name.
bool mentions(const json& where, const std::string& bridge) {
  if (where.is_string())
    return where.get_ref<const std::string&>() == bridge;
  return std::any_of(where.begin(), where.end(), [&](const json& inner) {
    return inner.is_structured() || inner.is_string() ? mentions(inner, bridge) : false;
  });
}

std::string comment_of(const bridge_name& bridge) { return "banger " + bridge.str(); }

// As they stand in the chain. Only what iptables can print itself: it would refuse the whole table
// because of anything else.
std::array<std::string, 4> docker_rules(const bridge_name& bridge) {
  const auto from = "iifname \"" + bridge.str() + "\" ", to = "oifname \"" + bridge.str() + "\" ";
  const auto end = " comment \"" + comment_of(bridge) + "\"";
  return {from + "oifname \"docker0\" return" + end, from + "oifname \"br-*\" return" + end,
          from + "accept" + end, to + "accept" + end};
}

std::string docker_name(const forward_chain& chain) {
  return chain.table_name() + " " + std::string(docker_chain);
}

std::vector<std::uint64_t> our_handles(const json& table, const bridge_name& bridge) {
  std::vector<std::uint64_t> handles;
  for (const auto& rule : rules_of(table, docker_chain))
    if (string_in(rule, "comment") == comment_of(bridge))
      handles.push_back(rule.value("handle", std::uint64_t{0}));
  return handles;
}

// Behind rules of other bridges of ours is front enough: no two of them want the same packet.
bool at_front(const json& table, const bridge_name& bridge) {
  std::size_t found = 0;
  for (const auto& rule : rules_of(table, docker_chain)) {
    const auto comment = string_in(rule, "comment");
    if (!comment.starts_with("banger "))
      break;
    found += comment == comment_of(bridge) ? 1 : 0;
  }
  return found == docker_rules(bridge).size() && found == our_handles(table, bridge).size();
}

std::string remedy(const forward_chain& chain, const std::string& bridge) {
  if (chain.table == "firewalld")
    return "`firewall-cmd --permanent --zone=trusted --add-interface=" + bridge +
           " && firewall-cmd --reload`";
  if (chain.chain == "FORWARD")
    return "accept packets from and to " + bridge + " there (with ufw: `ufw route allow in on " +
           bridge + "`; else `iptables -I FORWARD -i " + bridge +
           " -j ACCEPT`, and the same with -o)";
  return "accept packets from and to " + bridge + " there";
}

} // namespace

std::string forward_chain::table_name() const { return family + " " + table; }

std::vector<forward_chain> forward_chains(const json& chains) {
  std::vector<forward_chain> found;
  for (const auto& c : things(chains, "chain")) {
    forward_chain chain{string_in(c, "family"), string_in(c, "table"), string_in(c, "name"),
                        string_in(c, "policy") == "drop"};
    const bool sees_ipv4 = chain.family == "ip" || chain.family == "inet";
    if (string_in(c, "hook") == "forward" && sees_ipv4 && chain.table != "banger" &&
        is_plain(chain.table) && is_plain(chain.chain))
      found.push_back(chain);
  }
  return found;
}

arrangement arrange(const forward_chain& chain, const json& table, const bridge_name& bridge) {
  if (has_chain(table, docker_chain)) {
    if (at_front(table, bridge))
      return {};
    auto commands = withdrawal(chain, table, bridge);
    const auto rules = docker_rules(bridge);
    for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule)
      commands += "insert rule " + docker_name(chain) + " " + *rule + "\n";
    return {commands, std::nullopt};
  }
  const bool blocks = chain.drops || ends_in_refusal(table, chain.chain);
  if (!blocks || mentions(table, bridge.str()))
    return {};
  return {"", "the firewall table '" + chain.table_name() + "' drops forwarded packets (chain " +
                  chain.chain + "); " + remedy(chain, bridge.str())};
}

std::string withdrawal(const forward_chain& chain, const json& table, const bridge_name& bridge) {
  std::string commands;
  for (const auto handle : our_handles(table, bridge))
    commands += "delete rule " + docker_name(chain) + " handle " + std::to_string(handle) + "\n";
  return commands;
}

} // namespace banger::net
