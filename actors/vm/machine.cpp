#include "actors/vm/machine.hpp"

#include "actors/hypervisor/process.hpp"
#include "actors/io/reactor.hpp"
#include "actors/vm/machine_state.hpp"
#include "actors/vm/vm_file.hpp"

#include <algorithm>
#include <csignal>

namespace banger::vm {

using namespace std::chrono_literals;

constexpr auto kill_budget = 10s;
constexpr auto signal_patience = 5s; ///< of a kill with another signal, before SIGKILL

void machine_state::init(machine_actor::pointer self, const machine_room& room,
                         machine_listener owner, std::shared_ptr<void> presence) {
  self_ = self;
  room_ = &room;
  owner_ = std::move(owner);
  presence_ = std::move(presence);
}

// Whoever takes the VM over comes when all of this is done.
machine_state::~machine_state() {
  stop_.request_stop();
  if (waits_for_ == waiting::image)
    actor::tell_from_outside(room_->images, image::leave_atom::value,
                             caf::actor_cast<image::note_listener>(machine_actor(self_)));
  if (!link_)
    return;
  link_->cut();
  room_->loop->post([keep = std::move(presence_)] {});
}

// -- one step at a time ---------------------------------------------------------------------------

caf::result<record_ptr> machine_state::act(const step_request& request) {
  take_up(request);
  auto answer = self_->make_response_promise<record_ptr>();
  answer_ = answer;
  if (aborted_)
    finish(fail(errc::cancelled, "cancelled before " + request.name));
  else if (auto ok = pass(request, work::moment::before, work::moment::after); !ok)
    finish(std::move(ok));
  else
    dispatch(request.name);
  return answer;
}

expected<void> machine_state::pass(const step_request& request, work::moment here,
                                   work::moment afterwards) {
  leaving_ = {std::string(to_string(request.for_verb)), request.name, afterwards};
  return work::pass(leaving_.verb, leaving_.step, here);
}

void machine_state::take_up(const step_request& request) {
  if (op_ != request.op || !build_) {
    op_ = request.op;
    build_ = std::make_shared<build>(build{*request.vm, room_->site, {}, {}, {}, {}, {}, {}});
    aborted_ = false;
    stop_ = {};
    flushed_.reset();
  }
  build_->vm = *request.vm;
  signal_ = request.signal;
  at_most_ = request.at_most;
}

void machine_state::dispatch(const std::string& step) {
  if (const auto* mine = find_host_step(step))
    return run_host_step(*mine);
  if (step == "image")
    return get_image();
  if (step == "launch")
    return launch();
  if (step == "hello")
    return greet();
  if (step == "configure")
    return configure();
  if (step == "flush")
    return await_flush();
  if (step == "boot")
    return await_boot();
  if (step == "shutdown")
    return shut_down();
  if (step == "kill")
    return kill();
  if (step == "release")
    return release();
  if (step == "files")
    return remove_files();
  if (step == "connect")
    return connect_network();
  if (step == "disconnect")
    return disconnect_network();
  if (step == "network")
    return change_network();
  finish(fail(errc::unknown_method, "no machine knows the step '" + step + "'"));
}

caf::result<record_ptr> machine_state::undo(const step_request& request) {
  take_up(request);
  auto answer = self_->make_response_promise<record_ptr>();
  answer_ = answer;
  // An undo never fails, so this one can only be where the daemon dies.
  static_cast<void>(pass(request, work::moment::before_undo, work::moment::after_undo));
  if (request.name == "launch") {
    kill();
  } else if (request.name == "connect") {
    disconnect_network(request.for_verb == verb::create);
  } else if (request.name == "network") {
    change_network();
  } else if (const auto* mine = find_host_step(request.name)) {
    in_pool(
        [b = build_, step = *mine] {
          step.undo(*b);
          return 0;
        },
        [this](int) { finish({}); });
  } else {
    finish({});
  }
  return answer;
}

void machine_state::abort() {
  aborted_ = true;
  stop_.request_stop();
  // What runs in the pool ends by itself, by the stop token; an image, if nobody else waits for it.
  if (waits_for_ == waiting::image)
    actor::tell(self_, room_->images, image::leave_atom::value,
                caf::actor_cast<image::note_listener>(machine_actor(self_)));
  if (waits_for_ != waiting::nothing)
    finish(fail(errc::cancelled, "cancelled"));
}

void machine_state::finish(expected<void> outcome) {
  waits_for_ = waiting::nothing;
  ++turn_;
  if (!answer_)
    return;
  auto answer = *std::exchange(answer_, std::nullopt);
  if (outcome)
    outcome = work::pass(leaving_.verb, leaving_.step, leaving_.at);
  if (outcome)
    answer.deliver(std::make_shared<const record>(build_->vm));
  else
    answer.deliver(actor::to_error(outcome.error()));
}

// -- steps on the host ----------------------------------------------------------------------------

const host_step* machine_state::find_host_step(const std::string& step) const {
  for (const auto& c : room_->capabilities)
    for (const auto* steps : {&c.prepare, &c.change})
      for (const auto& s : *steps)
        if (s.what.name == step)
          return &s;
  return nullptr;
}

void machine_state::run_host_step(const host_step& step) {
  const auto turn = ++turn_;
  auto late = std::make_shared<bool>(false);
  actor::after(self_, scaled(at_most_), work::thunk{[this, turn, late] {
                 if (turn != turn_)
                   return;
                 *late = true;
                 stop_.request_stop();
               }});
  in_pool([b = build_, step, stop = stop_.get_token()] { return step.act(*b, stop); },
          [this, late, name = step.what.name](expected<void> outcome) {
            if (!outcome && *late)
              outcome = fail(errc::timed_out, "the step " + name + " took too long",
                             "it had " + std::to_string(at_most_.count()) + " s",
                             "is the disk busy, or full?");
            finish(std::move(outcome));
          });
}

void machine_state::get_image() {
  waits_for_ = waiting::image;
  const auto turn = ++turn_;
  actor::ask_kin(self_, room_->images, image::ensure_atom::value, build_->vm.wanted.image.str(),
                 caf::actor_cast<image::note_listener>(machine_actor(self_)))
      .then(
          [this, turn](const image::image_set_ptr& set) {
            if (turn != turn_)
              return;
            build_->image = set->image;
            build_->kernel = set->kernel;
            build_->vm.machine.kernel = set->kernel.version;
            finish({});
          },
          [this, turn](caf::error& why) {
            if (turn == turn_)
              finish(tl::unexpected(actor::from_error(why)));
          });
}

namespace {

int ms(std::chrono::milliseconds t) { return static_cast<int>(t.count()); }

// Also one that a launch began and could not tell of.
expected<void> end_process(const build& b, int signal = SIGKILL) {
  auto process = b.vm.machine.process;
  if (process.pid == 0)
    process = hypervisor::recorded_process(b.folder()).value_or(hypervisor::process_id{});
  if (process.pid == 0)
    return {};
  return hypervisor::signal_and_wait(process, signal, ms(signal_patience), ms(kill_budget));
}

} // namespace

void machine_state::launch() {
  drop_link();
  stopping_ = false;
  how_ended_.clear();
  in_pool(
      [b = build_, capabilities = room_->capabilities]() -> expected<hypervisor::running_machine> {
        // What a stop that failed has left behind.
        if (auto gone = end_process(*b); !gone)
          return tl::unexpected(gone.error());
        shape(*b, capabilities);
        if (auto admitted = admit_keys(*b); !admitted)
          return tl::unexpected(admitted.error());
        // A VM that is new has all of its files brought to the disk while it boots.
        if (auto written =
                write_vm_file(b->vm, b->folder(), hypervisor::host_boot_id(), b->made.empty());
            !written)
          return tl::unexpected(written.error());
        auto planned = b->site.driver->plan(b->machine);
        if (!planned)
          return tl::unexpected(planned.error());
        return b->site.launcher->launch(std::move(*planned));
      },
      [this](expected<hypervisor::running_machine> machine) { launched(std::move(machine)); });
}

void machine_state::launched(expected<hypervisor::running_machine> machine) {
  if (!machine)
    return finish(tl::unexpected(machine.error()));
  auto& known = build_->vm.machine;
  known.process = machine->process;
  known.confinement = machine->confinement;
  known.hypervisor = room_->site.driver->describe();
  if (auto notice = room_->site.driver->notice(); !notice.empty())
    pass_on({"notice", std::move(notice)});
  connect(std::move(*machine));
  flush();
  finish({});
}

void machine_state::connect(hypervisor::running_machine machine) {
  const machine_actor me = self_;
  const auto number = ++link_number_;
  link_ = io::open_link(*room_->loop, std::move(machine), build_->folder() / "console.log",
                        [this, me, number](io::link_event event) {
                          auto shared = std::make_shared<io::link_event>(std::move(event));
                          actor::tell_from_outside(me, work::thunk{[this, number, shared] {
                                                     if (number == link_number_)
                                                       heard(std::move(*shared));
                                                   }});
                        });
}

void machine_state::kill() {
  const int signal = signal_ == 0 ? SIGKILL : signal_;
  const auto turn = ++turn_;
  in_pool([b = build_, signal] { return end_process(*b, signal); },
          [this, turn](expected<void> outcome) {
            if (turn != turn_)
              return; // its end was heard before, and its step is over
            if (outcome)
              build_->vm.machine.process = {};
            let_go([this, outcome = std::move(outcome)] { finish(outcome); });
          });
}

// What it still says is of a machine that is gone.
void machine_state::drop_link() {
  if (link_)
    link_->close();
  link_.reset();
  ++link_number_;
  hello_.reset();
  in_use_ = false;
  forget_pause();
}

// The link opens its log in the reactor's thread: when this calls, it does so no more, and the
// folder can go.
void machine_state::let_go(std::function<void()> then) {
  const bool linked = link_ != nullptr;
  drop_link();
  answer_opens();
  if (!linked)
    return then();
  room_->loop->post([me = machine_actor(self_), then = std::move(then)] {
    actor::tell_from_outside(me, work::thunk{then});
  });
}

void machine_state::release() {
  build_->vm.machine.process = {};
  let_go([this] { remove_sockets(); });
}

// -- the actor ------------------------------------------------------------------------------------

namespace {

machine_actor::behavior_type machine(machine_actor::stateful_pointer<machine_state> self,
                                     const machine_room* room, machine_listener owner,
                                     std::shared_ptr<void> presence) {
  static_assert(actor::sound_state<machine_state>);
  actor::make_sturdy(self);
  auto& m = self->state;
  m.init(self, *room, std::move(owner), std::move(presence));
  return {
      [&m](const image::note& news) { m.pass_on(news); },
      [&m](do_atom, const step_request& request) { return m.act(request); },
      [&m](undo_atom, const step_request& request) { return m.undo(request); },
      [&m](adopt_atom, const record_ptr& vm) { return m.adopt(vm); },
      [&m](abort_atom) { m.abort(); },
      [&m](open_atom, const messages::exec_request& request) { return m.open(request); },
      [&m](open_atom, const messages::attach_request& request) { return m.open(request); },
      [](const work::thunk& t) { t.run(); },
      [&m](messages::stats_atom, const record_ptr& vm) { return m.stats(vm); },
      [&m](messages::ports_atom, const record_ptr& vm) { return m.ports(vm); },
      [&m](messages::health_atom, const record_ptr& vm) { return m.health(vm); },
      [&m](messages::console_atom, const record_ptr& vm) { return m.console(vm); },
      [&m](in_use_atom) { return m.in_use(); },
  };
}

} // namespace

machine_actor spawn_machine(caf::actor_system& system, const machine_room& room,
                            machine_listener owner, std::shared_ptr<void> presence) {
  return system.spawn(machine, &room, std::move(owner), std::move(presence));
}

} // namespace banger::vm
