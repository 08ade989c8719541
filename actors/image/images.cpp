#include "actors/image/images.hpp"

#include "actors/image/images_state.hpp"
#include "actors/image/orders.hpp"
#include "actors/operations/ids.hpp"

#include <algorithm>

namespace banger::image {

using namespace messages;

failure cancelled() { return {errc::cancelled, "making the image was cancelled", {}, {}, {}}; }

failure leaving() {
  return {errc::busy, "the daemon is about to end", {}, "try again in a moment", {}};
}

namespace {

failure being_deleted(const std::string& name) {
  return {errc::busy, "the image " + name + " is being deleted", {}, {}, {}};
}

template <class Promise>
void pass_on(Promise answer, const expected<void>& outcome) {
  if (outcome)
    actor::done(answer);
  else
    answer.deliver(actor::to_error(outcome.error()));
}

} // namespace

void images_state::init(images_actor::pointer self, image_crew crew) {
  self_ = self;
  crew_ = std::move(crew);
  crew_.at_length([shop = crew_.shop] { shop->tidy(); });
}

// Files of earlier builds, whose last VM went in the days of another daemon.
void images_state::meet(const vms_facet& vms) {
  vms_ = vms;
  submit(
      crew_.briefly, [shop = crew_.shop] { return shop->list(); },
      [this](const std::vector<shelved>& here) {
        std::vector<std::string> names;
        names.reserve(here.size());
        for (const auto& image : here)
          names.push_back(image.name);
        prune(std::move(names));
      });
}

caf::result<void> images_state::drain() {
  draining_ = true;
  auto answer = self_->make_response_promise<void>();
  drained_.push_back(answer);
  auto why = cancelled();
  why.why = leaving().what;
  for (auto& [key, t] : tasks_) {
    if (!t.making)
      continue;
    for (auto& p : std::exchange(t.parties, {}))
      if (p.answer)
        end(p, &why);
      else
        t.leaving.push_back(std::move(p));
    t.stop.request_stop();
  }
  tell_drained();
  return answer;
}

// -- what VMs want --------------------------------------------------------------------------------

caf::result<image_set_ptr> images_state::ensure(const std::string& wanted,
                                                const note_listener& listener) {
  const auto parsed = image_name::parse(wanted);
  if (!parsed)
    return actor::to_error(parsed.error());
  if (deleting_.count(wanted) > 0)
    return actor::to_error(being_deleted(wanted));
  party vm;
  vm.image = wanted;
  vm.answer = self_->make_response_promise<image_set_ptr>();
  vm.listener = listener;
  auto answer = *vm.answer;
  join(the_kernel, std::move(vm));
  return answer;
}

void images_state::leave(const note_listener& listener) {
  for (auto& [key, t] : tasks_) {
    const auto gone = std::stable_partition(t.parties.begin(), t.parties.end(),
                                            [&](const auto& p) { return p.listener != listener; });
    for (auto at = gone; at != t.parties.end(); ++at)
      at->answer->deliver(actor::to_error(cancelled()));
    t.parties.erase(gone, t.parties.end());
    stop_if_alone(t);
  }
}

caf::result<void> images_state::known(const std::string& wanted) {
  const auto parsed = image_name::parse(wanted);
  if (!parsed)
    return actor::to_error(parsed.error());
  if (deleting_.count(wanted) > 0)
    return actor::to_error(being_deleted(wanted));
  // One that is being made for the first time is as good as there.
  const auto made = tasks_.find(wanted);
  const bool coming =
      made != tasks_.end() && made->second.build && !made->second.stop.stop_requested();
  if (coming || choose_recipe(*parsed, {}))
    return caf::unit;
  auto answer = self_->make_response_promise<void>();
  submit(
      crew_.briefly, [shop = crew_.shop] { return shop->list(); },
      [this, answer, wanted](const std::vector<shelved>& here) mutable {
        const auto is_it = [&](const auto& image) { return image.name == wanted; };
        if (deleting_.count(wanted) > 0)
          answer.deliver(actor::to_error(being_deleted(wanted)));
        else if (std::any_of(here.begin(), here.end(), is_it))
          actor::done(answer);
        else
          answer.deliver(actor::to_error(unknown_image(wanted, here)));
      });
  return answer;
}

// -- what clients want ----------------------------------------------------------------------------

caf::result<op_ticket> images_state::begin(const image_request& request) {
  const auto parsed = image_name::parse(request.name);
  if (!parsed)
    return actor::to_error(parsed.error());
  // A promise takes the sender away: it comes second.
  const auto asker = caf::actor_cast<client_actor>(self_->current_sender());
  auto answer = self_->make_response_promise<op_ticket>();
  submit(
      crew_.briefly, [shop = crew_.shop, name = *parsed] { return shop->look(name); },
      [this, request, name = *parsed, answer, asker](const expected<recipe>& present) mutable {
        const auto what = decide_build(request, name, present);
        const bool fresh = !present && present.error().code == errc::not_found;
        const auto ok = what ? check_free(*what, fresh) : tl::unexpected(what.error());
        if (ok)
          answer.deliver(order(*what, asker));
        else
          answer.deliver(actor::to_error(ok.error()));
      });
  return answer;
}

// What is being made may be joined by whoever wants the same. `fresh`: there is no such image yet,
// so that a VM's build makes it from its name alone.
expected<void> images_state::check_free(const recipe& what, bool fresh) const {
  if (draining_)
    return tl::unexpected(leaving());
  if (deleting_.count(what.name) > 0)
    return tl::unexpected(being_deleted(what.name));
  const auto it = tasks_.find(what.name);
  if (it == tasks_.end())
    return {};
  const auto& t = it->second;
  const bool same =
      t.build ? t.build->include == what.include : !t.fixed() || (fresh && what.include.empty());
  if (same)
    return {};
  return fail(errc::busy, "the image " + what.name + " is being made",
              "from another list of packages, or for a VM",
              "`banger operations` shows who waits for it");
}

op_ticket images_state::order(const recipe& what, const client_actor& asker) {
  party one;
  one.image = what.name;
  one.op = operations::new_operation_id();
  one.began = self_->clock().now();
  op_ticket ticket{one.op, ""};
  actor::tell(self_, crew_.operations, operations::opening_atom::value,
              operations::opening{one.op, "image.build", what.name, asker,
                                  caf::actor_cast<operations::runner_actor>(images_actor(self_))});
  if (auto& t = tasks_[what.name]; !t.build && !t.fixed())
    t.build = what;
  join(what.name, std::move(one));
  return ticket;
}

caf::result<bool> images_state::cancel(const std::string& op) {
  for (auto& [key, t] : tasks_) {
    const auto it =
        std::find_if(t.parties.begin(), t.parties.end(), [&](const auto& p) { return p.op == op; });
    if (it == t.parties.end())
      continue;
    auto who = std::move(*it);
    t.parties.erase(it);
    // Others want it: then there is nothing to undo.
    if (!t.parties.empty()) {
      const auto why = cancelled();
      end(who, &why);
    } else {
      t.leaving.push_back(std::move(who));
      stop_if_alone(t);
    }
    return true;
  }
  return false;
}

caf::result<std::vector<image_view>> images_state::list() {
  auto answer = self_->make_response_promise<std::vector<image_view>>();
  submit(
      crew_.briefly, [shop = crew_.shop] { return shop->list(); },
      [this, answer](const std::vector<shelved>& here) mutable {
        with_vms([answer, here](const expected<std::vector<vm_view>>& vms) mutable {
          answer.deliver(to_views(here, vms.value_or(std::vector<vm_view>{})));
        });
      });
  return answer;
}

// From here on nobody gets it; then the VMs are asked for: one that got it before is among them.
caf::result<void> images_state::remove(const std::string& wanted) {
  const auto parsed = image_name::parse(wanted);
  if (!parsed)
    return actor::to_error(parsed.error());
  if (is_wanted(wanted))
    return actor::to_error({errc::busy,
                            "the image " + wanted + " is being made, or a VM is about to use it",
                            {},
                            {},
                            {}});
  if (!deleting_.insert(wanted).second)
    return actor::to_error(being_deleted(wanted));
  auto answer = self_->make_response_promise<void>();
  const auto finish = [this, answer, wanted](const expected<void>& gone) {
    deleting_.erase(wanted);
    pass_on(answer, gone);
  };
  with_vms([this, finish, name = *parsed](const expected<std::vector<vm_view>>& vms) mutable {
    const auto ok = vms ? check_unused(name.str(), *vms) : tl::unexpected(vms.error());
    if (!ok)
      return finish(ok);
    submit(
        crew_.briefly, [shop = crew_.shop, name] { return shop->remove(name); }, finish);
  });
  return answer;
}

bool images_state::is_wanted(const std::string& image) const {
  return std::any_of(tasks_.begin(), tasks_.end(), [&](const auto& entry) {
    const auto& parties = entry.second.parties;
    return entry.first == image || std::any_of(parties.begin(), parties.end(),
                                               [&](const auto& p) { return p.image == image; });
  });
}

namespace {

images_actor::behavior_type images(images_actor::stateful_pointer<images_state> self,
                                   image_crew crew) {
  static_assert(actor::sound_state<images_state>);
  actor::make_sturdy(self);
  auto& s = self->state;
  s.init(self, std::move(crew));
  return {
      [&s](begin_atom, const image_request& request) { return s.begin(request); },
      [&s](list_atom) { return s.list(); },
      [&s](delete_atom, const std::string& name) { return s.remove(name); },
      [&s](cancel_atom, const std::string& op) { return s.cancel(op); },
      [&s](known_atom, const std::string& name) { return s.known(name); },
      [&s](ensure_atom, const std::string& wanted, const note_listener& listener) {
        return s.ensure(wanted, listener);
      },
      [&s](leave_atom, const note_listener& listener) { s.leave(listener); },
      [&s](drain_atom) { return s.drain(); },
      [&s](meet_atom, const vms_facet& vms) { s.meet(vms); },
      [](const work::thunk& t) { t.run(); },
  };
}

} // namespace

images_actor spawn_images(caf::actor_system& system, image_crew crew) {
  return system.spawn(images, std::move(crew));
}

} // namespace banger::image
