// The part of a machine that has to do with its guest: what is asked of it, what is waited for,
// what is heard.
#include "actors/io/console_log.hpp"
#include "actors/log/log.hpp"
#include "actors/vm/machine_state.hpp"

#include <algorithm>

namespace banger::vm {

using namespace std::chrono_literals;

// How long a boot may be silent; how long it may take in all, its step says.
constexpr auto boot_quiet = 25s;
// An image's init stops its services one after the other, and its guest ends it after a minute.
constexpr auto poweroff_quiet = 10s, poweroff_at_most = 75s;
constexpr auto button_budget = 10s, quit_budget = 3s;
constexpr auto adopt_pause = 50ms, hang_pause = 5000ms;
constexpr int adopt_attempts = 16;
constexpr auto takeover_budget = 12s, return_budget = 5s;

std::chrono::milliseconds machine_state::scaled(milliseconds t) const {
  return milliseconds(
      static_cast<std::int64_t>(static_cast<double>(t.count()) * room_->site.time_scale));
}

namespace {

std::uint64_t wall_clock_ns() {
  return static_cast<std::uint64_t>(
      std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count());
}

} // namespace

// -- steps in the guest ---------------------------------------------------------------------------

void machine_state::greet() {
  if (hello_)
    return finish({});
  if (!link_)
    return finish_ended();
  await(waiting::hello, boot_quiet, at_most_);
}

void machine_state::configure() {
  if (!link_)
    return finish(fail(errc::not_running, "the hypervisor has ended"));
  // A guest whose clock is kept by round trips would be set twice.
  const bool kept = hello_ && hello_->protocol >= guest::clock_since;
  build_->guest.realtime_ns = kept ? 0 : wall_clock_ns();
  link_->configure(build_->guest);
  await(waiting::configured, boot_quiet, at_most_);
}

void machine_state::await_boot() {
  if (!link_)
    return finish_ended();
  link_->await_boot();
  await(waiting::booted, room_->site.boot_wait, room_->site.boot_wait);
}

void machine_state::shut_down() {
  pressure_ = 0;
  // A guest that was just taken over, or starts its agent again, may need a moment before it can
  // be asked to sync.
  if (expects_hello() && !paused_)
    return await(waiting::takeover, takeover_budget, takeover_budget);
  press_on();
}

// The ladder of a stop: ask the agent, press the power button, ask QEMU, take it away.
void machine_state::press_on() {
  if (!link_)
    return kill();
  const bool has_init = !build_->vm.machine.init.empty();
  // A guest that is halted hears neither of its first two rungs.
  if (paused_ && pressure_ < 2)
    pressure_ = 2;
  switch (pressure_++) {
  case 0:
    if (!hello_)
      return press_on();
    link_->poweroff();
    return await(waiting::exit, poweroff_quiet, has_init ? poweroff_at_most : poweroff_quiet);
  case 1:
    // Only an init listens to the button; one that said it goes down has had its time.
    if (!has_init || stopping_)
      return press_on();
    link_->acpi_powerdown();
    return await(waiting::exit, button_budget, button_budget);
  case 2: link_->quit(); return await(waiting::exit, quit_budget, quit_budget);
  default: return kill();
  }
}

caf::result<void> machine_state::adopt(const record_ptr& vm) {
  take_up({"adopt", "adopt", verb::sweep, vm});
  adopting_ = adopt_attempts;
  auto taken = take_over();
  if (taken)
    return actor::answer(std::move(taken));
  if (taken.error().code == errc::busy) {
    connect_again();
    return actor::answer(expected<void>{});
  }
  adopting_ = 0;
  return actor::answer(std::move(taken));
}

expected<void> machine_state::take_over() {
  auto machine = hypervisor::adopt(build_->folder(), build_->vm.machine.process);
  if (!machine)
    return tl::unexpected(machine.error());
  connect(std::move(*machine));
  later(adopt_patience, [this] { doubt(); });
  return {};
}

// A guest that did not notice that the last daemon left would take our first words for the rest of
// its sentence. It is silent then; let go, so that it notices, and connect again.
void machine_state::doubt() {
  if (hello_ || !link_ || returning_ || paused_)
    return;
  // It may yet speak, but nobody waits for that: they are told.
  if (--adopting_ == 0)
    return taken_over();
  link_->close();
  link_.reset();
  connect_again();
}

// A hypervisor that hangs takes no connection, and is not gone for that. Once it takes one, its
// guest has as many chances to speak as any.
void machine_state::connect_again() {
  later(adopting_ > 0 ? adopt_pause : hang_pause, [this] {
    const auto ok = take_over();
    if (ok && adopting_ <= 0)
      adopting_ = adopt_attempts;
    if (ok)
      return;
    if (ok.error().code == errc::busy) {
      if (adopting_ > 0 && --adopting_ == 0)
        taken_over();
      return connect_again();
    }
    actor::tell(self_, owner_,
                machine_ended{"the VM could not be taken over: " + describe(ok.error()), {}});
    taken_over();
  });
}

// Unless another link has taken the place of this one by then.
void machine_state::later(milliseconds delay, std::function<void()> act) {
  actor::after(self_, delay, work::thunk{[this, act = std::move(act), number = link_number_] {
                 if (number == link_number_)
                   act();
               }});
}

template <class Request>
caf::result<messages::stream_ticket> machine_state::open(const Request& request) {
  auto answer = self_->make_response_promise<messages::stream_ticket>();
  if (expects_hello())
    opens_.emplace_back([this, answer, request] { offer(answer, request); });
  else
    offer(answer, request);
  return answer;
}

template caf::result<messages::stream_ticket> machine_state::open(const messages::exec_request&);
template caf::result<messages::stream_ticket> machine_state::open(const messages::attach_request&);

template <class Request>
void machine_state::offer(ticket_promise answer, const Request& request) {
  if (!link_ || !hello_) {
    answer.deliver(
        actor::to_error({errc::not_running,
                         "the guest's agent does not answer",
                         {},
                         "`banger vm logs` shows the console; `banger vm restart` boots it again",
                         {}}));
    return;
  }
  answer.deliver(ticket(request));
}

messages::stream_ticket machine_state::ticket(const messages::exec_request& request) {
  guest::open_body command;
  command.argv = request.argv;
  command.env = request.env;
  command.cwd = request.cwd;
  command.has_stdin = request.has_stdin;
  command.tty = request.tty;
  command.rows = request.rows;
  command.cols = request.cols;
  const auto offered = room_->streams->offer_exec(link_, std::move(command));
  return {offered.token, build_->vm.id.str(), offered.session};
}

messages::stream_ticket machine_state::ticket(const messages::attach_request& request) {
  auto token = room_->streams->offer_attach(link_, request.session, {request.out, request.err});
  return {std::move(token), build_->vm.id.str(), request.session};
}

void machine_state::answer_opens() {
  adopting_ = 0;
  returning_ = false;
  for (const auto& open : std::exchange(opens_, {}))
    open();
}

void machine_state::taken_over() {
  answer_opens();
  if (waits_for_ == waiting::takeover)
    press_on();
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
  if (waits_for_ == waiting::exit || waits_for_ == waiting::takeover)
    return press_on();
  const auto seconds =
      std::to_string(std::chrono::duration_cast<std::chrono::seconds>(quiet_).count());
  if (waits_for_ == waiting::booted)
    return finish_with_evidence(
        errc::timed_out, "the image's init is not done after " + seconds + " s",
        "the VM runs all the same: `banger vm exec " + build_->vm.name.str() +
            " -- systemctl list-jobs` tells what it waits for; boot_wait in config.toml allows "
            "more");
  if (waits_for_ == waiting::flushed)
    return finish(fail(errc::timed_out,
                       "the host's disk did not take the VM's files within " + seconds + " s", {},
                       "is it busy, or failing?"));
  const auto* stage =
      waits_for_ == waiting::hello ? "the guest did not boot" : "the guest did not mount its disks";
  finish_with_evidence(errc::timed_out, std::string(stage) + " within " + seconds + " s");
}

void machine_state::heard(io::link_event event) {
  if (heard_answer(event))
    return;
  if (auto* hello = std::get_if<io::event::hello>(&event))
    return heard_hello(std::move(hello->body));
  if (std::holds_alternative<io::event::console_grew>(event)) {
    quiet_until_ = self_->clock().now() + quiet_;
  } else if (std::holds_alternative<io::event::configured>(event)) {
    if (waits_for_ == waiting::configured) {
      build_->port.reset(); // from here on the tap lives as long as its hypervisor
      finish({});
    }
  } else if (auto* booted = std::get_if<io::event::booted>(&event)) {
    heard_booted(booted->body.state);
  } else if (auto* refused = std::get_if<io::event::refused>(&event)) {
    if (waits_for_ == waiting::configured)
      finish(fail(errc::operation_failed, "the guest could not be configured", refused->body.text));
    else if (waits_for_ == waiting::booted)
      finish(fail(errc::operation_failed, "the guest cannot tell when it is booted",
                  refused->body.text));
  } else if (std::holds_alternative<io::event::stopping>(event)) {
    stopping_ = true;
    quiet_until_ = at_the_latest_; // it has synced; what is left may be silent
  } else if (std::holds_alternative<io::event::channel_lost>(event)) {
    hello_.reset();
    heard_use(false);
  } else if (std::holds_alternative<io::event::agent_left>(event)) {
    heard_agent_left();
  } else if (const auto* use = std::get_if<io::event::in_use>(&event)) {
    heard_use(use->now);
  } else if (auto* ended = std::get_if<io::event::exited>(&event)) {
    heard_end(*ended);
  } else if (const auto* pause = std::get_if<io::event::paused>(&event)) {
    heard_pause(pause->why);
  } else if (std::holds_alternative<io::event::resumed>(event)) {
    heard_resume();
  }
}

void machine_state::heard_use(bool now) {
  if (std::exchange(in_use_, now) && !now)
    actor::tell(self_, owner_, used_atom::value);
}

// PID 1 starts it again, if that is systemd.
void machine_state::heard_agent_left() {
  log::info({}, "agent_left", {{"vm", build_->vm.name.str()}});
  hello_.reset();
  if (std::exchange(returning_, true))
    return; // one budget, however often it leaves again
  actor::after(self_, scaled(return_budget), work::thunk{[this, which = ++departures_] {
                 if (returning_ && which == departures_)
                   taken_over();
               }});
  for (const auto& [number, q] : questions_)
    opens_.emplace_back([this, number = number] { put_question(number, build_->vm.name.str()); });
}

void machine_state::heard_hello(guest::hello_body body) {
  hello_ = std::move(body);
  taken_over();
  // The agent that was asked may be gone.
  if (waits_for_ == waiting::booted)
    link_->await_boot();
  if (waits_for_ == waiting::configured && !hello_->configured)
    link_->configure(build_->guest);
  if (waits_for_ == waiting::hello)
    finish({});
}

void machine_state::heard_booted(const std::string& state) {
  if (waits_for_ != waiting::booted)
    return;
  // "degraded" has booted, too: one unit of many failed. "unknown": this init does not tell.
  if (state == "running" || state == "degraded" || state == "unknown")
    return finish({});
  finish(fail(errc::operation_failed, "the guest did not boot to its default target",
              "its init says that the system is " + state,
              "the VM runs all the same: `banger vm exec " + build_->vm.name.str() +
                  " -- journalctl -b -p err` tells more"));
}

void machine_state::pass_on(const image::note& news) { actor::tell(self_, owner_, news); }

} // namespace banger::vm
