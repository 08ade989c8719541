#include "actors/vms/vms.hpp"

#include "actors/log/log.hpp"
#include "actors/operations/ids.hpp"
#include "actors/vms/vms_state.hpp"

#include <algorithm>

namespace banger::vms {

using namespace std::chrono_literals;
using namespace messages;

constexpr auto catalogue_deadline = 10s;

failure was_deleted() { return {errc::not_found, "the VM was deleted", {}, {}, {}}; }

void vms_state::init(vms_actor::pointer self, std::vector<found_vm> found, surroundings around) {
  self_ = self;
  around_ = std::move(around);
  orphans_ = std::move(around_.orphans.found);
  actor::on_down(self_, [this](const caf::down_msg& down) { gone(down); });
  for (auto& f : found)
    adopt(std::move(f.record), f.then);
  if (around_.stale_after > 0ms)
    stop_stale();
}

// -- what clients say -----------------------------------------------------------------------------

caf::result<op_ticket> vms_state::begin(const create_request& request) {
  if (auto ok = check(request); !ok)
    return actor::to_error(ok.error());
  // A promise takes the sender away: it comes second.
  const auto asker = self_->current_sender();
  auto answer = self_->make_response_promise<op_ticket>();
  actor::ask(self_, around_.images, catalogue_deadline, image::known_atom::value, request.image)
      .then(
          [this, request, answer, asker]() mutable {
            if (auto made = make(request, asker))
              answer.deliver(std::move(*made));
            else
              answer.deliver(actor::to_error(made.error()));
          },
          [answer](caf::error& why) mutable { answer.deliver(std::move(why)); });
  return answer;
}

// Checked once more: another one may have taken the name while the image was looked for.
expected<op_ticket> vms_state::make(const create_request& request,
                                    const caf::strong_actor_ptr& asker) {
  auto record = check(request);
  if (!record)
    return tl::unexpected(record.error());
  const auto id = record->id.str();
  adopt(std::move(*record), vm::recovery::keep);
  tell_event({"state", vms_.at(id).view.name, "created", {}});
  if (request.ephemeral)
    own(vms_.at(id), asker);
  vm::order create{{}, vm::verb::create, request.until_booted};
  create.boot = request.boot;
  auto begun = order(id, create, asker);
  if (begun)
    vms_.at(id).creating = begun->op;
  return begun;
}

caf::result<op_ticket> vms_state::begin(const verb_request& request) {
  if (auto open = check_open(); !open)
    return actor::to_error(open.error());
  const auto what = vm::parse_verb(request.verb);
  if (!what || *what == vm::verb::create || *what == vm::verb::set || *what == vm::verb::sweep ||
      *what == vm::verb::reboot)
    return actor::to_error(
        {errc::unknown_method, "unknown verb '" + request.verb.substr(0, 32) + "'", {}, {}, {}});
  const auto signal = request.signal.empty() ? expected<int>(0) : parse_signal(request.signal);
  if (!signal)
    return actor::to_error(signal.error());
  const auto id = find(request.ref);
  if (!id)
    return actor::to_error(id.error());
  return actor::answer(
      order(*id, {{}, *what, request.until_booted, *signal, request.force, request.only_at_rest},
            self_->current_sender()));
}

expected<void> vms_state::check_open() const {
  if (drained_.empty())
    return {};
  return fail(errc::busy, "the daemon is about to end", {}, "try again in a moment");
}

caf::result<bool> vms_state::cancel(const std::string& op) {
  const auto it = operations_.find(op);
  const auto vm = it == operations_.end() ? vms_.end() : vms_.find(it->second);
  if (vm == vms_.end())
    return false;
  return self_->delegate(vm->second.actor, cancel_atom::value, op);
}

std::vector<vm_view> vms_state::list() const {
  std::vector<vm_view> views;
  views.reserve(vms_.size());
  for (const auto& [id, e] : vms_)
    views.push_back(e.view);
  std::sort(views.begin(), views.end(), [](const auto& a, const auto& b) {
    return std::tie(a.created_ms, a.id) < std::tie(b.created_ms, b.id);
  });
  return views;
}

caf::result<vm_detail> vms_state::show(const std::string& ref) {
  const auto id = find(ref);
  if (!id)
    return actor::to_error(id.error());
  const auto& e = vms_.at(*id);
  if (e.stands != standing::there)
    return known_of(e);
  auto answer = self_->make_response_promise<vm_detail>();
  reach(*id, answer, show_atom::value);
  return answer;
}

// A VM that is deleted takes its actor with it, at times before that has heard of this.
template <class Answer, class... Words>
void vms_state::reach(const std::string& id, caf::typed_response_promise<Answer> answer,
                      const Words&... words) {
  actor::ask_kin(self_, vms_.at(id).actor, words...)
      .then([answer](const Answer& got) mutable { answer.deliver(got); },
            [this, id, answer](caf::error& why) mutable {
              answer.deliver(vms_.count(id) > 0 ? std::move(why) : actor::to_error(was_deleted()));
            });
}

// To a VM's actor; once it is there again, if it is being made again.
template <class Answer, class Word, class... Words>
caf::result<Answer> vms_state::hand_on(const std::string& id, Word word, const Words&... words) {
  auto& e = vms_.at(id);
  if (e.stands == standing::over)
    return actor::to_error(e.trouble);
  auto answer = self_->make_response_promise<Answer>();
  if (e.stands == standing::there) {
    reach(id, answer, word, words...);
    return answer;
  }
  const auto then = [this, id, answer, word, words...](entry& now) mutable {
    if (now.stands == standing::there)
      reach(id, answer, word, words...);
    else
      answer.deliver(actor::to_error(now.trouble));
  };
  if (auto ok = hold(e, then); !ok)
    answer.deliver(actor::to_error(ok.error()));
  return answer;
}

caf::result<stream_ticket> vms_state::exec(const exec_request& request) {
  const auto id = find(request.ref);
  if (!id)
    return actor::to_error(id.error());
  // Without any word it is the login shell, which wants a terminal.
  if (request.argv.empty() ? !request.tty : request.argv.front().empty())
    return actor::to_error({errc::bad_request, "there is no command to execute", {}, {}, {}});
  return hand_on<stream_ticket>(*id, exec_atom::value, request);
}

caf::result<stream_ticket> vms_state::attach(const attach_request& request) {
  const auto id = find(request.vm);
  if (!id)
    return actor::to_error(id.error());
  auto& e = vms_.at(*id);
  if (request.owner && e.view.ephemeral)
    own(e, self_->current_sender());
  return hand_on<stream_ticket>(*id, attach_atom::value, request);
}

caf::result<stream_ticket> vms_state::logs(const logs_request& request) {
  const auto id = find(request.ref);
  if (!id)
    return actor::to_error(id.error());
  return stream_ticket{around_.offer_log(*id, request.follow), *id, 0};
}

caf::result<void> vms_state::drain() {
  auto answer = self_->make_response_promise<void>();
  drained_.push_back(answer);
  if (operations_.empty())
    actor::done(answer);
  return answer;
}

census vms_state::count() const {
  const auto runs = [](const auto& vm) { return has_machine(vm.second.view); };
  return {static_cast<std::uint32_t>(vms_.size()),
          static_cast<std::uint32_t>(std::count_if(vms_.begin(), vms_.end(), runs)), orphans_};
}

// -- what VMs say
// -----------------------------------------------------------------------------------

namespace {

error_info why_paused(const vm_view& view) {
  if (view.paused.empty())
    return {};
  return {static_cast<std::uint8_t>(errc::unavailable), view.paused, {}, {}, {}};
}

} // namespace

void vms_state::changed(const vm_view& view) {
  if (view.state == "deleted") {
    vms_.erase(view.id);
    tell_event({"state", view.name, view.state, {}});
  } else if (const auto it = vms_.find(view.id); it != vms_.end()) {
    if (it->second.view.touched_ms != view.touched_ms)
      it->second.used = self_->clock().now();
    if (it->second.view.state != view.state)
      tell_event({"state", view.name, view.state, why_paused(view)});
    it->second.view = view;
  }
}

void vms_state::heard(const vm::own_operation& own) {
  if (const auto it = vms_.find(own.vm); it != vms_.end())
    open_operation(it->second, own.op, own.what, {});
}

void vms_state::heard(const progress& news) { actor::tell(self_, around_.operations, news); }

void vms_state::ended(const finished& end) {
  const auto it = operations_.find(end.op);
  if (it == operations_.end())
    return;
  promised_.erase(end.op);
  if (const auto vm = vms_.find(it->second); vm != vms_.end() && vm->second.creating == end.op)
    vm->second.creating.clear();
  operations_.erase(it);
  actor::tell(self_, around_.operations, end);
  if (operations_.empty())
    for (auto& waiting : drained_)
      actor::done(waiting);
}

// -- who is there
// -----------------------------------------------------------------------------------

// Without a copy of all names: this is asked at every request.
std::vector<known_vm> vms_state::known() const {
  std::vector<known_vm> all;
  all.reserve(vms_.size());
  for (const auto& [id, e] : vms_)
    all.push_back({id, e.view.name});
  return all;
}

expected<std::string> vms_state::find(std::string_view ref) const { return resolve(known(), ref); }

void vms_state::adopt(vm::record record, vm::recovery then) {
  const auto id = record.id.str();
  auto& e = vms_[id];
  e.view = vm::to_view(record);
  spawn(e, std::move(record), then);
  if (e.view.ephemeral && then == vm::recovery::adopt)
    actor::after(self_, around_.orphan_life, orphan_atom::value, id);
}

void vms_state::spawn(entry& e, vm::record record, vm::recovery then) {
  const auto me = caf::actor_cast<vm::vm_listener>(vms_actor(self_));
  e.used = self_->clock().now();
  e.actor = around_.make_vm(std::move(record), me, then);
  self_->monitor(e.actor);
  actors_[e.actor.address()] = e.view.id;
}

expected<op_ticket> vms_state::order(const std::string& id, vm::order what,
                                     const caf::strong_actor_ptr& from) {
  auto& e = vms_.at(id);
  if (e.stands == standing::over && !around_.recall)
    return tl::unexpected(e.trouble);
  if (e.stands == standing::over)
    bring_back(id, {}); // somebody wants something of it: it gets another chance
  what.op = operations::new_operation_id();
  const auto asker = caf::actor_cast<client_actor>(from);
  return op_ticket{announce(id, what, asker), id};
}

std::string vms_state::announce(const std::string& id, const vm::order& what,
                                const client_actor& asker) {
  auto& e = vms_.at(id);
  open_operation(e, what.op, what.what, asker);
  const auto tell = [this, what](entry& to) {
    if (to.stands == standing::there)
      actor::tell(self_, to.actor, vm::order_atom::value, what);
  };
  if (e.stands != standing::returning)
    tell(e);
  else if (auto ok = hold(e, tell); !ok)
    ended({what.op,
           {static_cast<std::uint8_t>(ok.error().code),
            ok.error().what,
            {},
            ok.error().remedy,
            what.op},
           e.view,
           {}});
  return what.op;
}

void vms_state::open_operation(const entry& e, const std::string& op, vm::verb what,
                               const client_actor& asker) {
  operations_[op] = e.view.id;
  actor::tell(self_, around_.operations, operations::opening_atom::value,
              operations::opening{op, "vm." + std::string(vm::to_string(what)), e.view.name, asker,
                                  caf::actor_cast<operations::runner_actor>(vms_actor(self_))});
}

void vms_state::own(entry& e, const caf::strong_actor_ptr& who) {
  e.owner = caf::actor_cast<caf::actor_addr>(who);
  if (owners_.insert(e.owner).second)
    self_->monitor(who);
}

namespace {

vms_actor::behavior_type behave(vms_state& s) {
  return {
      [&s](begin_atom, const create_request& request) { return s.begin(request); },
      [&s](begin_atom, const verb_request& request) { return s.begin(request); },
      [&s](begin_atom, const set_request& request) { return s.begin(request); },
      [&s](touch_atom, const std::string& ref) { return s.touch(ref); },
      [&s](list_atom) { return s.list(); },
      [&s](show_atom, const std::string& ref) { return s.show(ref); },
      [&s](exec_atom, const exec_request& request) { return s.exec(request); },
      [&s](attach_atom, const attach_request& request) { return s.attach(request); },
      [&s](logs_atom, const logs_request& request) { return s.logs(request); },
      [&s](stats_atom what, const std::string& ref) { return s.read<vm_stats>(what, ref); },
      [&s](ports_atom what, const std::string& ref) { return s.read<vm_ports>(what, ref); },
      [&s](health_atom what, const std::string& ref) { return s.read<vm_health>(what, ref); },
      [&s](console_atom what, const std::string& ref) { return s.read<stream_ticket>(what, ref); },
      [&s](reclaim_atom, const reclaim_request& request) { return s.reclaim(request); },
      [&s](discard_atom, const std::string& ref) { return s.discard(ref); },
      [&s](crash_atom, const std::string& ref) { return s.crash(ref); },
      [&s](const vm_view& view) { s.changed(view); },
      [&s](const vm::own_operation& own) { s.heard(own); },
      [&s](const progress& news) { s.heard(news); },
      [&s](const finished& end) { s.ended(end); },
      [&s](census_atom) { return s.count(); },
      [&s](drain_atom) { return s.drain(); },
      [&s](cancel_atom, const std::string& op) { return s.cancel(op); },
      [&s](orphan_atom, const std::string& id) { s.look_after(id); },
      [&s](stale_atom) { s.stop_stale(); },
      [&s](roster_atom) { return s.call_the_roll(); },
      [](const work::thunk& t) { t.run(); },
  };
}

vms_actor::behavior_type vms(vms_actor::stateful_pointer<vms_state> self,
                             std::vector<found_vm> found, surroundings around) {
  static_assert(actor::sound_state<vms_state>);
  actor::make_sturdy(self);
  self->state.init(self, std::move(found), std::move(around));
  return behave(self->state);
}

} // namespace

vms_actor spawn_vms(caf::actor_system& system, std::vector<found_vm> found, surroundings around) {
  return system.spawn(vms, std::move(found), std::move(around));
}

} // namespace banger::vms
