// What all guests stand on: bridge, policy and names as they are to be, and nothing of ours
// besides.
#include "actors/log/log.hpp"
#include "actors/network/network_state.hpp"

namespace banger::network {

using namespace messages;

void network_state::look_around() {
  actor::ask(self_, privileged_, deadline, inventory_atom::value)
      .then(
          [this](const network_inventory& found) {
            if (!found.links.empty() || !found.guests.empty())
              lay_ground({}, [](const expected<void>&) {});
          },
          [](const caf::error&) {}); // whoever comes first is told
}

// Taps of our bridge that no VM has. Other bridges are another daemon's.
network_sweep network_state::strangers(const network_inventory& found) const {
  auto sweep = network_sweep{};
  for (const auto& [vm, g] : guests_)
    sweep.taps.push_back(tap_of(g.address).str());
  for (const auto& link : found.links)
    if (link.kind == "bridge")
      sweep.bridges.push_back(link.name);
    else if (!link.bridge.empty() && link.bridge != around_->bridge.str())
      sweep.taps.push_back(link.name);
  return sweep;
}

void network_state::lay_ground(const std::string& op, then done) {
  if (ground_)
    return done({});
  waiting_.push_back(std::move(done));
  if (waiting_.size() == 1)
    ground_step(op);
}

// Once: nobody but us makes taps on our bridge afterwards.
void network_state::sweep_ground(const std::string& op, const std::function<void()>& next) {
  if (swept_)
    return next();
  const auto failed = [this](const failure& why) { ground_laid(tl::unexpected(why)); };
  actor::ask(self_, privileged_, deadline, inventory_atom::value)
      .then(
          [this, op, next, failed](const network_inventory& found) {
            auto sweep = strangers(found);
            sweep.op = op;
            say(
                sweep_atom::value, sweep,
                [this, op, next](const sweep_reply& swept) {
                  for (const auto& what : swept.removed)
                    log::info({.op = op}, "network_swept", {{"text", what}});
                  swept_ = true;
                  next();
                },
                failed);
          },
          [failed](const caf::error& why) { failed(actor::from_error(why)); });
}

// Bridge, then the whole policy in place of whatever there was, then whom the host asks for names.
void network_state::ground_step(const std::string& op) {
  const auto failed = [this](const failure& why) { ground_laid(tl::unexpected(why)); };
  const auto policy = [this, op, failed] {
    auto order = about<policy_order>(op);
    for (const auto& [vm, g] : guests_)
      order.guests.push_back(order_of(g));
    say(
        policy_atom::value, order,
        [this, op](const policy_reply&) { sweep_ground(op, [this, op] { route_names(op); }); },
        failed);
  };
  const auto made = [this, policy] {
    ours_ = true;
    policy();
  };
  say(bridge_atom::value, about<bridge_order>(op), made, failed);
}

void network_state::route_names(const std::string& op) {
  auto order = about<resolver_order>(op);
  order.server = around_->names.server;
  order.present = !order.server.empty(); // else somebody else has the port that it was sent to
  say(
      resolver_atom::value, order,
      [this] {
        names_fail(around_->names.why_not);
        ground_laid({});
      },
      [this](const failure& why) { // names are a comfort, not a condition
        log::warn({}, "names_not_routed", {{"text", describe(why)}});
        names_fail(around_->names.why_not.empty() ? describe(why) : around_->names.why_not);
        ground_laid({});
      });
}

void network_state::names_fail(const std::string& why) {
  if (why == no_names_)
    return;
  no_names_ = why;
  if (around_->names.trouble)
    around_->names.trouble(why);
}

std::vector<std::string> network_state::told(std::vector<std::string> obstacles) const {
  if (!no_names_.empty())
    obstacles.push_back("its name is not known: " + no_names_);
  return obstacles;
}

void network_state::ground_laid(const expected<void>& outcome) {
  ground_ = outcome.has_value();
  if (!outcome)
    log::failed({}, "network_failed", outcome.error());
  for (const auto& done : std::exchange(waiting_, {}))
    done(outcome);
}

} // namespace banger::network
