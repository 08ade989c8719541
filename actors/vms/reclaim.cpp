// Orphans (orphans.hpp) become VMs again, or go.
#include "actors/log/log.hpp"
#include "actors/vms/vms_state.hpp"
#include "messages/base/duration.hpp"

#include <algorithm>

namespace banger::vms {

using namespace messages;

namespace {

failure no_orphan(const std::string& id) {
  return {errc::not_found,
          "there is no folder of a VM " + id + " without a record",
          {},
          "`banger daemon status` shows those there are",
          {}};
}

failure not_usable(const orphan& found) {
  const auto& id = found.view.id;
  return {errc::corrupted,
          "the folder of " + id + " cannot be taken back",
          found.view.problem,
          "its disks are in " + found.view.folder + "; `banger vm prune --orphans " + id +
              "` removes them",
          {}};
}

} // namespace

// The id of an orphan, or its beginning; of one that came since the daemon started, the whole id.
expected<std::string> vms_state::find_orphan(const std::string& ref) const {
  if (auto open = check_open(); !open)
    return tl::unexpected(open.error());
  const auto& all = orphans_;
  const auto fits = [&](const orphan_view& o) { return o.id.starts_with(ref); };
  const auto count = ref.empty() ? 0 : std::count_if(all.begin(), all.end(), fits);
  const auto id = count == 1 ? std::find_if(all.begin(), all.end(), fits)->id : ref;
  if (count > 1)
    return fail(errc::ambiguous, "several folders without a record begin with " + ref, {},
                "write more of the id");
  if (const auto ok = vm_id::parse(id); !ok)
    return tl::unexpected(no_orphan("'" + ref.substr(0, 80) + "'"));
  if (vms_.count(id) > 0)
    return fail(errc::already_exists, "the folder of " + id + " is that of a VM",
                vms_.at(id).view.name, "`banger vm show " + id + "`");
  if (around_.orphans.set_aside.count(id) > 0)
    return fail(errc::corrupted, "the VM " + id + " has a row in the database that cannot be read",
                {}, "`banger daemon logs` tells what is wrong with it");
  if (handled_.count(id) > 0)
    return fail(errc::busy, "the folder of " + id + " is being worked on", {},
                "try again in a moment");
  return id;
}

caf::result<vm_view> vms_state::reclaim(const reclaim_request& request) {
  const auto id = find_orphan(request.id);
  if (!id)
    return actor::to_error(id.error());
  std::optional<vm_name> called;
  if (!request.name.empty()) {
    auto wished = vm_name::parse(request.name);
    if (!wished)
      return actor::to_error(wished.error());
    called = std::move(*wished);
  }
  auto answer = self_->make_response_promise<vm_view>();
  handled_.insert(*id);
  work::submit(
      around_.orphans.workers, vms_actor(self_),
      [folder = around_.orphans.vms / *id, images = around_.orphans.images] {
        return look_at_orphan(folder, images);
      },
      [this, id = *id, called, answer](orphan found) mutable {
        if (const auto ok = check_open().and_then([&] { return check(id, found, called); }); ok)
          return bring_in(std::move(*found.vm), answer);
        else
          answer.deliver(actor::to_error(ok.error()));
        handled_.erase(id);
      });
  return answer;
}

expected<void> vms_state::check(const std::string& id, orphan& found,
                                const std::optional<vm_name>& called) const {
  if (found.view.folder.empty())
    return tl::unexpected(no_orphan(id));
  if (!found.vm)
    return tl::unexpected(not_usable(found));
  if (called)
    found.vm->name = *called;
  const auto wished = found.vm->name.str();
  if (check_name(wished))
    return {};
  return fail(errc::already_exists, "there is a VM " + wished + " already", {},
              "take it back under another name: `banger vm adopt " + id + " --name NAME`");
}

// It is a VM once its record is on the disk.
void vms_state::bring_in(vm::record vm, caf::typed_response_promise<vm_view> answer) {
  vm.touched_ms = unix_ms();
  const auto id = vm.id.str();
  promised_[id] = vm.name.str();
  const auto kept = std::make_shared<const vm::record>(std::move(vm));
  const auto release = [this, id] {
    promised_.erase(id);
    handled_.erase(id);
  };
  actor::ask_kin(self_, around_.orphans.store, store::settle_atom::value, kept)
      .then(
          [this, kept, release, answer, id]() mutable {
            release();
            forget_orphan(id);
            log::info({.vm = id}, "vm_adopted", {{"text", kept->name.str()}});
            const bool runs = kept->now == vm::state::running;
            adopt(*kept, runs ? vm::recovery::adopt : vm::recovery::keep);
            const auto& view = vms_.at(id).view;
            tell_event({"state", view.name, view.state, {}});
            answer.deliver(view);
          },
          [release, answer](caf::error& why) mutable {
            release();
            answer.deliver(std::move(why));
          });
}

caf::result<void> vms_state::discard(const std::string& ref) {
  const auto id = find_orphan(ref);
  if (!id)
    return actor::to_error(id.error());
  auto answer = self_->make_response_promise<void>();
  handled_.insert(*id);
  work::submit(
      around_.orphans.workers, vms_actor(self_),
      [folder = around_.orphans.vms / *id] { return remove_orphan(folder); },
      [this, id = *id, answer](const expected<void>& gone) mutable {
        handled_.erase(id);
        if (!gone) {
          answer.deliver(
              actor::to_error(gone.error().code == errc::not_found ? no_orphan(id) : gone.error()));
          return;
        }
        log::info({.vm = id}, "orphan_removed");
        forget_orphan(id);
        actor::done(answer);
      });
  return answer;
}

void vms_state::forget_orphan(const std::string& id) {
  std::erase_if(orphans_, [&](const orphan_view& o) { return o.id == id; });
}

} // namespace banger::vms
