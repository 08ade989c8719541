#include "actors/vm/machine.hpp"

#include "actors/io/console_log.hpp"

#include "actors/vm/machine_state.hpp"

#include <algorithm>

namespace banger::vm {

using namespace std::chrono_literals;

// How long a stage may be silent, and how long it may take in all.
constexpr auto boot_quiet = 25s, boot_at_most = 90s;
constexpr auto configure_quiet = 25s, configure_at_most = 90s;
constexpr auto poweroff_budget = 10s, quit_budget = 3s;
constexpr auto kill_budget = 10s;
constexpr auto ended_unasked = "the hypervisor ended unexpectedly";
constexpr auto adopt_patience = 400ms, adopt_pause = 50ms;
constexpr int adopt_attempts = 25;

void machine_state::init(machine_actor::pointer self, const machine_room& room,
                         machine_listener owner) {
  self_ = self;
  room_ = room;
  owner_ = std::move(owner);
}

std::chrono::milliseconds machine_state::scaled(milliseconds t) const {
  return milliseconds(
      static_cast<std::int64_t>(static_cast<double>(t.count()) * room_.site.time_scale));
}

// -- one step at a time ---------------------------------------------------------------------------

caf::result<record_ptr> machine_state::act(const step_request& request) {
  take_up(request);
  auto answer = self_->make_response_promise<record_ptr>();
  answer_ = answer;
  if (aborted_)
    finish(fail(errc::cancelled, "cancelled before " + request.name));
  else
    dispatch(request.name);
  return answer;
}

void machine_state::take_up(const step_request& request) {
  if (op_ != request.op || !build_) {
    op_ = request.op;
    build_ = std::make_shared<build>(build{*request.vm, room_.site, {}, {}, {}, {}, {}});
    aborted_ = false;
    stop_ = {};
  }
  build_->vm = *request.vm;
}

void machine_state::dispatch(const std::string& step) {
  if (const auto* mine = find_host_step(step))
    return run_host_step(*mine);
  if (step == "image")
    return get_image();
  if (step == "launch")
    return launch();
  if (step == "hello") {
    if (hello_)
      return finish({});
    if (!link_)
      return finish_with_evidence(errc::operation_failed, ended_unasked);
    return await(waiting::hello, boot_quiet, boot_at_most);
  }
  if (step == "configure")
    return configure();
  if (step == "shutdown")
    return shut_down();
  if (step == "kill")
    return kill();
  if (step == "release")
    return release();
  if (step == "files")
    return remove_files();
  finish(fail(errc::unknown_method, "no machine knows the step '" + step + "'"));
}

caf::result<record_ptr> machine_state::undo(const step_request& request) {
  take_up(request);
  auto answer = self_->make_response_promise<record_ptr>();
  answer_ = answer;
  if (request.name == "launch") {
    kill();
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
  // What runs in the pool ends by itself, by the stop token; what waits for a guest ends here.
  if (waits_for_ == waiting::hello || waits_for_ == waiting::configured)
    finish(fail(errc::cancelled, "the start was cancelled"));
}

void machine_state::finish(expected<void> outcome) {
  waits_for_ = waiting::nothing;
  ++turn_;
  if (!answer_)
    return;
  auto answer = *std::exchange(answer_, std::nullopt);
  if (outcome)
    answer.deliver(std::make_shared<const record>(build_->vm));
  else
    answer.deliver(actor::to_error(outcome.error()));
}

// -- steps on the host ----------------------------------------------------------------------------

const host_step* machine_state::find_host_step(const std::string& step) const {
  for (const auto& c : room_.capabilities)
    for (const auto& s : c.prepare)
      if (s.what.name == step)
        return &s;
  return nullptr;
}

void machine_state::run_host_step(const host_step& step) {
  in_pool([b = build_, step, stop = stop_.get_token()] { return step.act(*b, stop); },
          [this](expected<void> outcome) { finish(std::move(outcome)); });
}

void machine_state::get_image() {
  actor::ask(self_, room_.images, 1h, image::ensure_atom::value, build_->vm.wanted.image.str(),
             caf::actor_cast<image::note_listener>(machine_actor(self_)))
      .then(
          [this, op = op_](const image::image_set_ptr& set) {
            if (op != op_)
              return;
            build_->image = set->image;
            build_->kernel = set->kernel;
            build_->vm.machine.kernel = set->kernel.version;
            if (aborted_)
              return finish(fail(errc::cancelled, "the start was cancelled"));
            finish({});
          },
          [this, op = op_](caf::error& why) {
            if (op == op_)
              finish(tl::unexpected(actor::from_error(why)));
          });
}

void machine_state::launch() {
  hello_.reset();
  stopping_ = false;
  in_pool(
      [b = build_, capabilities = room_.capabilities]() -> expected<hypervisor::running_machine> {
        shape(*b, capabilities);
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
  known.hypervisor = room_.site.driver->describe();
  connect(std::move(*machine));
  finish({});
}

void machine_state::connect(hypervisor::running_machine machine) {
  const machine_actor me = self_;
  const auto number = ++link_number_;
  link_ = io::open_link(*room_.loop, std::move(machine), build_->folder() / "console.log",
                        [this, me, number](io::link_event event) {
                          auto shared = std::make_shared<io::link_event>(std::move(event));
                          actor::tell_from_outside(me, work::thunk{[this, number, shared] {
                                                     if (number == link_number_)
                                                       heard(std::move(*shared));
                                                   }});
                        });
}

void machine_state::kill() {
  in_pool(
      [b = build_] {
        return hypervisor::kill_and_wait(b->vm.machine.process, milliseconds(kill_budget).count());
      },
      [this](expected<void> outcome) {
        if (outcome)
          build_->vm.machine.process = {};
        if (link_)
          link_->close();
        link_.reset();
        finish(std::move(outcome));
      });
}

void machine_state::release() {
  if (link_)
    link_->close();
  link_.reset();
  hello_.reset();
  build_->vm.machine.process = {};
  in_pool(
      [folder = build_->folder()] {
        std::error_code ignored;
        for (const auto* socket : {"qmp.sock", "agent.sock", "console.sock"})
          std::filesystem::remove(folder / socket, ignored);
        return 0;
      },
      [this](int) { finish({}); });
}

void machine_state::remove_files() {
  in_pool(
      [folder = build_->folder()]() -> expected<void> {
        std::error_code why;
        std::filesystem::remove_all(folder, why);
        if (why)
          return fail(errc::operation_failed, "cannot remove " + folder.string(), why.message());
        return {};
      },
      [this](expected<void> outcome) { finish(std::move(outcome)); });
}

// -- steps in the guest ---------------------------------------------------------------------------

void machine_state::configure() {
  if (!link_)
    return finish(fail(errc::not_running, "the hypervisor has ended"));
  link_->configure(build_->guest);
  await(waiting::configured, configure_quiet, configure_at_most);
}

void machine_state::shut_down() {
  if (!link_)
    return finish({});
  pressure_ = 0;
  press_on();
}

// The ladder of a stop: ask the guest, then QEMU, then take it away.
void machine_state::press_on() {
  switch (pressure_++) {
  case 0:
    if (!hello_)
      return press_on();
    link_->poweroff();
    return await(waiting::exit, poweroff_budget, poweroff_budget);
  case 1: link_->quit(); return await(waiting::exit, quit_budget, quit_budget);
  default: return kill();
  }
}

caf::result<void> machine_state::adopt(const record_ptr& vm) {
  take_up({"adopt", "adopt", verb::sweep, vm});
  return actor::answer(take_over(adopt_attempts));
}

// A guest that did not notice that the last daemon left would take our first words for the rest of
// its sentence. It is silent then; let go, so that it notices, and connect again.
expected<void> machine_state::take_over(int attempts) {
  auto machine = hypervisor::adopt(build_->folder(), build_->vm.machine.process);
  if (!machine)
    return tl::unexpected(machine.error());
  connect(std::move(*machine));
  actor::after(self_, adopt_patience, work::thunk{[this, attempts, number = link_number_] {
                 if (hello_ || number != link_number_ || attempts == 0)
                   return;
                 link_->close();
                 link_.reset();
                 actor::after(self_, adopt_pause, work::thunk{[this, attempts, number] {
                                if (number == link_number_)
                                  (void)take_over(attempts - 1);
                              }});
               }});
  return {};
}

caf::result<messages::stream_ticket> machine_state::open(const messages::exec_request& request) {
  if (!link_ || !hello_)
    return actor::to_error({errc::not_running,
                            "the guest's agent does not answer",
                            {},
                            "`banger vm logs` shows the console; stop and start the VM",
                            {}});
  guest::open_body command;
  command.argv = request.argv;
  command.env = request.env;
  command.cwd = request.cwd;
  command.has_stdin = request.has_stdin;
  return messages::stream_ticket{room_.streams->offer_exec(link_, std::move(command))};
}

// -- waiting --------------------------------------------------------------------------------------

void machine_state::await(waiting what, milliseconds quiet, milliseconds at_most) {
  waits_for_ = what;
  quiet_ = scaled(quiet);
  quiet_until_ = self_->clock().now() + quiet_;
  at_the_latest_ = self_->clock().now() + scaled(at_most);
  check_deadline(++turn_);
}

void machine_state::check_deadline(std::uint64_t turn) {
  if (turn != turn_ || waits_for_ == waiting::nothing)
    return;
  const auto until = std::min(quiet_until_, at_the_latest_);
  const auto now = self_->clock().now();
  if (now >= until)
    return out_of_time();
  const auto left = std::chrono::ceil<milliseconds>(until - now);
  actor::after(self_, left, work::thunk{[this, turn] { check_deadline(turn); }});
}

void machine_state::out_of_time() {
  if (waits_for_ == waiting::exit)
    return press_on();
  const auto seconds =
      std::to_string(std::chrono::duration_cast<std::chrono::seconds>(quiet_).count());
  const auto* stage =
      waits_for_ == waiting::hello ? "the guest did not boot" : "the guest did not mount its disks";
  finish_with_evidence(errc::timed_out, std::string(stage) + " within " + seconds + " s");
}

void machine_state::heard(io::link_event event) {
  if (auto* hello = std::get_if<io::event::hello>(&event))
    return heard_hello(std::move(hello->body));
  if (std::holds_alternative<io::event::console_grew>(event)) {
    quiet_until_ = self_->clock().now() + quiet_;
  } else if (std::holds_alternative<io::event::configured>(event)) {
    if (waits_for_ == waiting::configured)
      finish({});
  } else if (auto* refused = std::get_if<io::event::refused>(&event)) {
    if (waits_for_ == waiting::configured)
      finish(fail(errc::operation_failed, "the guest could not be configured", refused->body.text));
  } else if (std::holds_alternative<io::event::stopping>(event)) {
    stopping_ = true;
  } else if (std::holds_alternative<io::event::channel_lost>(event)) {
    hello_.reset();
  } else if (auto* ended = std::get_if<io::event::exited>(&event)) {
    heard_end(ended->last_lines);
  }
}

void machine_state::heard_hello(guest::hello_body body) {
  hello_ = std::move(body);
  if (waits_for_ == waiting::hello)
    finish({});
}

void machine_state::heard_end(const std::string& last_lines) {
  if (link_)
    link_->close();
  link_.reset();
  hello_.reset();
  if (waits_for_ == waiting::exit)
    return finish({});
  if (waits_for_ != waiting::nothing)
    return finish_with_evidence(errc::operation_failed, ended_unasked);
  actor::tell(self_, owner_, machine_ended{stopping_ ? "" : ended_unasked, last_lines});
}

// What the hypervisor said of itself, else what its guest said last.
void machine_state::finish_with_evidence(errc code, std::string what) {
  waits_for_ = waiting::nothing;
  ++turn_;
  in_pool(
      [folder = build_->folder()]() -> std::string {
        if (auto words = hypervisor::last_words(folder); !words.empty())
          return words;
        const auto console = io::console_log::open(folder / "console.log");
        const auto lines = console ? console->tail(5) : std::string{};
        return lines.empty() ? "its console is empty" : "last console lines:\n" + lines;
      },
      [this, code, what](const std::string& why) {
        finish(fail(code, what, why, "`banger vm logs` shows the console of a VM that was kept"));
      });
}

void machine_state::pass_on(const image::note& news) { actor::tell(self_, owner_, news); }

// -- the actor ------------------------------------------------------------------------------------

namespace {

machine_actor::behavior_type machine(machine_actor::stateful_pointer<machine_state> self,
                                     const machine_room& room, machine_listener owner) {
  static_assert(actor::sound_state<machine_state>);
  actor::make_sturdy(self);
  auto& m = self->state;
  m.init(self, room, std::move(owner));
  return {
      [&m](const image::note& news) { m.pass_on(news); },
      [&m](do_atom, const step_request& request) { return m.act(request); },
      [&m](undo_atom, const step_request& request) { return m.undo(request); },
      [&m](adopt_atom, const record_ptr& vm) { return m.adopt(vm); },
      [&m](abort_atom) { m.abort(); },
      [&m](open_atom, const messages::exec_request& request) { return m.open(request); },
      [](const work::thunk& t) { t.run(); },
  };
}

} // namespace

machine_actor spawn_machine(caf::actor_system& system, const machine_room& room,
                            machine_listener owner) {
  return system.spawn(machine, room, std::move(owner));
}

} // namespace banger::vm
