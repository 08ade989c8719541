// The part of the directory that looks after VM actors: one that dies of a bug is made again from
// its record, as a daemon start would make it, and takes over what runs. Its VM goes on meanwhile.
#include "actors/log/log.hpp"
#include "actors/operations/ids.hpp"
#include "actors/vms/vms_state.hpp"

namespace banger::vms {

using namespace std::chrono_literals;
using namespace messages;

constexpr std::size_t most_held = 64;

namespace {

error_info to_info(const failure& f, const std::string& op = {}) {
  return {static_cast<std::uint8_t>(f.code), f.what, f.why, f.remedy, op};
}

failure actor_died() {
  return {errc::operation_failed,
          "the VM's actor failed",
          "a bug ended it; it is started again",
          "please report it, with `banger daemon logs`",
          {}};
}

failure given_up(const std::string& why) {
  return {errc::operation_failed,
          "the VM's actor failed",
          why,
          "this is a bug, please report it; the next operation on the VM tries once more",
          {}};
}

} // namespace

// -- who is lost ---------------------------------------------------------------------------------

void vms_state::gone(const caf::down_msg& down) {
  if (owners_.erase(down.source) > 0)
    return lost_client(down.source);
  const auto it = actors_.find(down.source);
  if (it == actors_.end())
    return;
  const auto id = it->second;
  actors_.erase(it);
  died(id, down.reason);
}

void vms_state::lost_client(const caf::actor_addr& who) {
  for (auto& [id, e] : vms_) {
    if (!e.owner || e.owner != who)
      continue;
    // Its stream may have been cut by a restart: then it comes back on another connection.
    if (e.stands == standing::there && e.deaths.restarts() == 0)
      abandon(id);
    else
      actor::after(self_, around_.orphan_life, orphan_atom::value, id);
    e.owner = {};
  }
}

// Its client had an earlier daemon, and had time to find this one.
void vms_state::look_after(const std::string& id) {
  const auto it = vms_.find(id);
  if (it != vms_.end() && !it->second.owner && it->second.stands != standing::over)
    abandon(id);
}

// Nobody waits for it any more: what was made for a client alone goes.
void vms_state::abandon(const std::string& id) {
  auto& e = vms_.at(id);
  log::info({.vm = id}, "client_lost", {{"text", "deleting the VM that lived for it"}});
  e.owner = {};
  for (const auto& [op, vm] : operations_)
    if (vm == id)
      actor::ask(self_, e.actor, 10s, cancel_atom::value, op).then([](bool) {}, [](caf::error&) {});
  announce(id, {operations::new_operation_id(), vm::verb::remove}, {});
}

// -- a VM actor that died
// --------------------------------------------------------------------------

void vms_state::died(const std::string& id, const caf::error& reason) {
  const auto it = vms_.find(id);
  // It ends by itself after it said that its VM is gone; any other end is a bug.
  if (it == vms_.end())
    return end_operations(id, was_deleted());
  auto& e = it->second;
  const auto text = self_->system().render(reason);
  log::error({.vm = id}, "vm_actor_died", {{"text", text}});
  tell_event({"actor", e.view.name, "died", to_info(actor_died())});
  e.view.operation.clear();
  e.view.queued = 0;
  if (!around_.recall)
    return give_up(id, "it ended by " + text);
  if (!e.deaths.allow(self_->clock().now()))
    return give_up(id, "it died " + std::to_string(vm::most_restarts + 1) + " times within " +
                           std::to_string(vm::restart_span.count()) + " minutes");
  const bool unborn = !e.creating.empty();
  end_operations(id, actor_died());
  bring_back(id, unborn);
}

void vms_state::bring_back(const std::string& id, bool unborn) {
  auto& e = vms_.at(id);
  e.stands = standing::returning;
  e.view.operation = "restarting";
  // However long: a job of the dead actor may still copy an image.
  actor::ask_kin(self_, around_.recall, recall_atom::value, id)
      .then([this, id, unborn](const found_vm_ptr& found) { revive(id, *found, unborn); },
            [this, id](caf::error& why) { not_revived(id, actor::from_error(why)); });
}

// Whatever was still on its way to it gets its answer here.
void vms_state::end_operations(const std::string& id, const failure& why) {
  const auto it = vms_.find(id);
  const auto last = it == vms_.end() ? vm_view{} : it->second.view;
  for (auto at = operations_.begin(); at != operations_.end();) {
    const auto op = at++;
    if (op->second == id) {
      const auto ended_op = op->first;
      ended({ended_op, to_info(why, ended_op), last, {}});
    }
  }
}

// A create that failed leaves no VM, also where it has not come to its first step.
void vms_state::revive(const std::string& id, found_vm found, bool unborn) {
  const auto it = vms_.find(id);
  if (it == vms_.end())
    return;
  auto& e = it->second;
  if (unborn && found.then == vm::recovery::keep)
    found.then = vm::recovery::remove;
  log::info({.vm = id}, "vm_actor_restarted");
  e.stands = standing::there;
  e.view = vm::to_view(found.record);
  spawn(e, std::move(found.record), found.then);
  tell_event({"actor", e.view.name, "restarted", {}});
  if (e.view.ephemeral && !e.owner)
    actor::after(self_, around_.orphan_life, orphan_atom::value, id);
  for (const auto& held : std::exchange(e.held, {}))
    held(e);
}

void vms_state::not_revived(const std::string& id, const failure& why) {
  const auto it = vms_.find(id);
  if (it == vms_.end())
    return;
  if (why.code != errc::not_found)
    return give_up(id, describe(why));
  // It died before its first step: nothing was made.
  auto gone = std::move(it->second);
  gone.trouble = why;
  vms_.erase(it);
  tell_event({"state", gone.view.name, "deleted", {}});
  end_operations(id, why);
  for (const auto& held : gone.held)
    held(gone);
}

void vms_state::give_up(const std::string& id, const std::string& why) {
  auto& e = vms_.at(id);
  e.stands = standing::over;
  e.trouble = given_up(why);
  e.view.state = "error";
  e.view.operation.clear();
  log::failed({.vm = id}, "vm_actor_given_up", e.trouble);
  tell_event({"actor", e.view.name, "gone", to_info(e.trouble)});
  end_operations(id, e.trouble);
  for (const auto& held : std::exchange(e.held, {}))
    held(e);
}

expected<void> vms_state::hold(entry& e, std::function<void(entry&)> then) {
  if (e.held.size() >= most_held)
    return fail(errc::busy, "the VM's actor is being restarted, and too many wait for it", {},
                "try again in a moment");
  e.held.push_back(std::move(then));
  return {};
}

vm_detail vms_state::known_of(const entry& e) const {
  vm_detail d;
  d.view = e.view;
  d.last_error = describe(e.stands == standing::over ? e.trouble : actor_died());
  return d;
}

caf::result<void> vms_state::crash(const std::string& ref) {
  if (!around_.debug_verbs)
    return actor::to_error({errc::unknown_method,
                            "this daemon has no verbs for tests",
                            {},
                            "start it with BANGER_DEBUG_VERBS=1",
                            {}});
  const auto id = find(ref);
  if (!id)
    return actor::to_error(id.error());
  log::warn({.vm = *id}, "vm_actor_crashed", {{"text", "as it was asked to"}});
  self_->send_exit(vms_.at(*id).actor, caf::exit_reason::unhandled_exception);
  return caf::unit;
}

// -- for whoever looks for what is stuck
// -----------------------------------------------------------

roster vms_state::call_the_roll() const {
  roster all;
  all.operations = static_cast<std::uint32_t>(operations_.size());
  for (const auto& [id, e] : vms_) {
    roster_entry one{e.view, e.actor, {}, "ok", e.deaths.restarts(), {}};
    if (e.stands != standing::there) {
      one.state = e.stands == standing::over ? "gone" : "restarting";
      one.last_error = known_of(e).last_error;
    }
    for (const auto& [op, vm] : operations_)
      if (vm == id)
        one.operations.push_back(op);
    all.vms.push_back(std::move(one));
  }
  return all;
}

void vms_state::tell_event(const events::change& what) {
  if (around_.events)
    actor::tell(self_, around_.events, what);
}

} // namespace banger::vms
