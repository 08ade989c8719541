#include "actors/image/images.hpp"

#include "actors/image/images_state.hpp"
#include "actors/image/orders.hpp"
#include "actors/operations/ids.hpp"

#include <algorithm>

namespace banger::image {

using namespace std::chrono_literals;
using namespace messages;

namespace {

constexpr auto list_deadline = 10s;
const std::string the_kernel;

failure cancelled() { return {errc::cancelled, "making the image was cancelled", {}, {}, {}}; }

} // namespace

void images_state::init(images_actor::pointer self, image_crew crew) {
  self_ = self;
  crew_ = std::move(crew);
  crew_.at_length([shop = crew_.shop] { shop->tidy(); });
}

template <class Job, class Then>
void images_state::submit(const run_fn& where, Job job, Then then) {
  const images_actor me = self_;
  where([me, job = std::move(job), then = std::move(then)]() mutable {
    auto result = std::make_shared<decltype(job())>(job());
    actor::tell_from_outside(
        me, work::thunk{[result, then = std::move(then)]() mutable { then(std::move(*result)); }});
  });
}

// The VMs that there are; none as long as nobody knows any.
template <class Then>
void images_state::with_vms(Then then) {
  if (!vms_)
    return then(expected<std::vector<vm_view>>(std::vector<vm_view>{}));
  actor::ask(self_, vms_, list_deadline, list_atom::value)
      .then([then](const std::vector<vm_view>& vms) mutable { then(vms); },
            [then](caf::error& why) mutable { then(tl::unexpected(actor::from_error(why))); });
}

// -- what VMs want --------------------------------------------------------------------------------

caf::result<image_set_ptr> images_state::ensure(const std::string& wanted,
                                                const note_listener& listener) {
  const auto parsed = image_name::parse(wanted);
  if (!parsed)
    return actor::to_error(parsed.error());
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
  if (choose_recipe(*parsed, {}))
    return caf::unit;
  auto answer = self_->make_response_promise<void>();
  submit(
      crew_.briefly, [shop = crew_.shop] { return shop->list(); },
      [answer, wanted](const std::vector<shelved>& here) mutable {
        const auto is_it = [&](const auto& image) { return image.name == wanted; };
        if (std::any_of(here.begin(), here.end(), is_it))
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
        const auto running = tasks_.find(name.str());
        if (!what)
          answer.deliver(actor::to_error(what.error()));
        else if (running != tasks_.end() &&
                 (!running->second.build || running->second.build->include != what->include))
          answer.deliver(actor::to_error({errc::busy,
                                          "the image " + name.str() + " is being made",
                                          "from another list of packages, or for a VM",
                                          "`banger operations` shows who waits for it",
                                          {}}));
        else
          answer.deliver(order(*what, asker));
      });
  return answer;
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
  if (tasks_.count(what.name) == 0)
    tasks_[what.name].build = what;
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

caf::result<void> images_state::remove(const std::string& wanted) {
  const auto parsed = image_name::parse(wanted);
  if (!parsed)
    return actor::to_error(parsed.error());
  if (tasks_.count(wanted) > 0)
    return actor::to_error({errc::busy, "the image " + wanted + " is being made", {}, {}, {}});
  auto answer = self_->make_response_promise<void>();
  with_vms([this, answer, name = *parsed](const expected<std::vector<vm_view>>& vms) mutable {
    if (const auto ok = vms ? check_unused(name.str(), *vms) : tl::unexpected(vms.error()); !ok) {
      answer.deliver(actor::to_error(ok.error()));
      return;
    }
    submit(
        crew_.briefly, [shop = crew_.shop, name] { return shop->remove(name); },
        [answer](const expected<void>& gone) mutable {
          if (gone)
            actor::done(answer);
          else
            answer.deliver(actor::to_error(gone.error()));
        });
  });
  return answer;
}

// -- tasks ----------------------------------------------------------------------------------------

void images_state::join(const std::string& key, party who) {
  auto& t = tasks_[key];
  const bool first = t.parties.empty() && t.leaving.empty() && !t.stop.stop_requested();
  t.parties.push_back(std::move(who));
  if (first)
    start(key);
}

// In the pool: quick when all is there, since the builders look before they build.
void images_state::start(const std::string& key) {
  const images_actor me = self_;
  auto& t = tasks_.at(key);
  const auto progress = [me, key, this](std::string_view stage, std::string_view detail) {
    note news{std::string(stage), std::string(detail)};
    actor::tell_from_outside(me, work::thunk{[this, key, news] { spread(key, news); }});
  };
  const auto make = [shop = crew_.shop, key, progress, build = t.build,
                     stop = t.stop.get_token()]() -> expected<product> {
    if (key == the_kernel)
      return shop->kernel(progress, stop).map([](boot::boot_set set) {
        return product{std::make_shared<const boot::boot_set>(std::move(set)), {}};
      });
    auto image = build ? shop->build(*build, progress, stop)
                       : shop->ensure(*image_name::parse(key), progress, stop);
    return std::move(image).map([](image_info info) { return product{{}, std::move(info)}; });
  };
  submit(crew_.at_length, make, [this, key](const expected<product>& made) { settle(key, made); });
}

void images_state::spread(const std::string& key, const note& news) {
  const auto it = tasks_.find(key);
  if (it == tasks_.end())
    return;
  const auto now = self_->clock().now();
  for (const auto& p : it->second.parties)
    if (p.op.empty()) {
      actor::tell(self_, p.listener, news);
    } else {
      const auto since = std::chrono::duration_cast<std::chrono::microseconds>(now - p.began);
      actor::tell(self_, crew_.operations,
                  messages::progress{p.op, news.stage, news.detail,
                                     static_cast<std::uint64_t>(since.count())});
    }
}

void images_state::settle(const std::string& key, const expected<product>& made) {
  auto t = std::move(tasks_.at(key));
  tasks_.erase(key);
  for (auto& p : t.leaving)
    conclude(std::move(p), made);
  // Those who came while it was being ended have it made anew.
  const bool ended = t.stop.stop_requested() && !made;
  if (ended && t.build && !t.parties.empty())
    tasks_[key].build = t.build;
  for (auto& p : t.parties)
    if (ended)
      join(key, std::move(p));
    else
      conclude(std::move(p), made);
  if (made && t.build)
    prune(key);
}

void images_state::conclude(party who, const expected<product>& made) {
  if (!made)
    return end(who, &made.error());
  if (!who.op.empty())
    return end(who, nullptr);
  if (made->kernel) {
    who.kernel = made->kernel;
    const auto image = who.image;
    return join(image, std::move(who));
  }
  who.answer->deliver(std::make_shared<const image_set>(image_set{*made->image, *who.kernel}));
}

void images_state::end(const party& who, const failure* why) {
  if (who.answer) {
    auto answer = *who.answer;
    answer.deliver(actor::to_error(*why));
    return;
  }
  finished news;
  news.op = who.op;
  if (why != nullptr)
    news.error = {static_cast<std::uint8_t>(why->code), why->what, why->why, why->remedy, who.op};
  actor::tell(self_, crew_.operations, news);
}

void images_state::stop_if_alone(task& t) {
  if (t.parties.empty())
    t.stop.request_stop();
}

// The files of earlier builds live as long as a VM may stand on one of them.
void images_state::prune(const std::string& image) {
  with_vms([this, image](const expected<std::vector<vm_view>>& vms) {
    if (vms && standing_on(image, *vms).empty() && tasks_.count(image) == 0)
      crew_.briefly([shop = crew_.shop, name = *image_name::parse(image)] { shop->prune(name); });
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
      [&s](meet_atom, const vms_facet& vms) { s.meet(vms); },
      [](const work::thunk& t) { t.run(); },
  };
}

} // namespace

images_actor spawn_images(caf::actor_system& system, image_crew crew) {
  return system.spawn(images, std::move(crew));
}

} // namespace banger::image
