#include "actors/io/machine_link.hpp"

#include "actors/io/agent_channel.hpp"
#include "actors/io/console_log.hpp"
#include "actors/io/guest_clock.hpp"
#include "actors/io/qmp.hpp"
#include "actors/io/reactor.hpp"
#include "actors/io/session.hpp"
#include "actors/log/log.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <sys/epoll.h>
#include <sys/syscall.h>

namespace banger::io {

namespace {

using guest::frame_type;
using std::chrono::milliseconds;

constexpr std::size_t console_read = std::size_t{64} * 1024;
constexpr auto console_pace = milliseconds(100);
// The sockets of a process close before its pidfd tells its end: the true reason may be a moment
// away.
constexpr auto exit_grace = milliseconds(200);
// Freeing the memory of a large guest may take a while.
constexpr auto exit_patience = std::chrono::seconds(5);

class link final : public session_link {
public:
  link(reactor& loop, hypervisor::running_machine machine, std::filesystem::path console_log,
       link_listener listener)
      : loop_(loop), machine_(std::move(machine)), log_file_(std::move(console_log)),
        listener_(std::move(listener)), qmp_([this](const std::string& line) { send_qmp(line); }),
        clock_(loop, machine_.process.pid, [this](frame_type type, std::string_view payload) {
          agent_->request(type, payload);
        }) {
    agent_channel::callbacks on;
    on.on_event = [this](link_event e) { hear(std::move(e)); };
    on.on_clock = [this](const guest::clock_body& body) { clock_.answered(body); };
    on.on_log = [this](std::string_view line) { log_line(line); };
    on.on_lost = [this](bool garbage, const std::string& why) { on_agent_lost(garbage, why); };
    agent_ = std::make_shared<agent_channel>(loop_, std::move(machine_.agent), std::move(on));
  }

  void start();

  void configure(guest::configure_body body) override {
    request(frame_type::configure, guest::encode(body));
  }
  void grow(guest::disk_body disk) override { request(frame_type::grow, guest::encode(disk)); }
  void await_boot() override { request(frame_type::await_boot, {}); }
  void ask(frame_type what, std::uint64_t number) override {
    request(what, guest::encode(guest::question_body{number}));
  }
  void poweroff() override { request(frame_type::poweroff, {}); }
  void acpi_powerdown() override { command("system_powerdown"); }
  void quit() override { command("quit"); }
  void resume() override { command("cont"); }
  void kill() override;
  void close() override;
  void cut() override;

  expected<void> open_session(std::uint32_t session, const guest::open_body& command,
                              std::shared_ptr<session_sink> sink) override {
    return agent_->open_session(session, command, std::move(sink));
  }
  expected<void> attach_session(std::uint32_t session, const guest::attach_body& from,
                                std::shared_ptr<session_sink> sink) override {
    return agent_->attach_session(session, from, std::move(sink));
  }
  void send(const guest::header& h, std::string_view payload) override { agent_->send(h, payload); }
  bool congested() const override { return agent_->congested(); }
  std::uint32_t protocol() const override { return agent_->protocol(); }
  void close_session(std::uint32_t session) override { agent_->close_session(session); }
  std::size_t queued_bytes() const override { return agent_->queued_bytes(); }

private:
  std::shared_ptr<link> self() { return std::static_pointer_cast<link>(shared_from_this()); }
  void tell(link_event e) {
    if (listener_)
      listener_(std::move(e));
  }

  void hear(link_event e);
  void request(frame_type type, std::string payload);
  void refuse(frame_type type, int error_number, std::string why);
  void command(const char* name);
  void send_qmp(const std::string& line);
  void on_qmp();
  void heard(const qmp::message& event);
  void look_at_status();
  void drop_qmp();
  void on_console();
  got read_console(std::size_t& bytes);
  void log_line(std::string_view line);
  void console_grew();
  void on_agent_lost(bool garbage, const std::string& why);
  void on_agent_port(bool open);
  void unless_it_ends(std::function<void()> act);
  void on_exit();
  void hear_ending();
  void finish_exit();
  void let_go(const std::string& why, bool cut = false);

  reactor& loop_;
  hypervisor::running_machine machine_;
  std::filesystem::path log_file_;
  link_listener listener_;
  qmp::conversation qmp_;
  std::shared_ptr<agent_channel> agent_;
  guest_clock clock_;
  expected<console_log> console_ = fail(errc::unavailable, "the console log is not open");
  reactor::timer_id console_timer_ = 0;
  reactor::timer_id lost_timer_ = 0;
  reactor::timer_id qmp_timer_ = 0;
  reactor::timer_id ending_timer_ = 0;
  std::string how_ended_;
  reactor::clock::time_point console_told_{};
  std::string disk_error_;         ///< the last that a disk met with
  ending ending_ = ending::unsaid; ///< by the hypervisor's last words
  bool open_ = true;
};

void link::start() {
  console_ = console_log::open(log_file_);
  if (!console_)
    log::failed({}, "console_log_failed", console_.error());
  qmp_.on_event = [this](const qmp::message& m) { heard(m); };
  // This handler keeps the link alive; the others are never there without it.
  loop_.watch(machine_.pidfd.get(), EPOLLIN, [me = self()](std::uint32_t) { me->on_exit(); });
  if (machine_.qmp)
    loop_.watch(machine_.qmp.get(), EPOLLIN, [this](std::uint32_t) { on_qmp(); });
  else
    qmp_.end("there is no QMP connection");
  look_at_status(); // it may stand still since before we came
  if (machine_.console)
    loop_.watch(machine_.console.get(), EPOLLIN, [this](std::uint32_t) { on_console(); });
  agent_->start();
}

// What is about the clock stays here, and a guest is configured once its clock is right.
void link::hear(link_event e) {
  if (const auto* refused = std::get_if<event::refused>(&e)) {
    const auto what = refused->body.request;
    if (what == frame_type::ask_clock || what == frame_type::correct_clock)
      return log::debug({}, "guest_clock_refused",
                        {{"pid", machine_.process.pid}, {"text", refused->body.text}});
  }
  if (std::holds_alternative<event::configured>(e))
    return clock_.when_settled([this, e = std::move(e)] { tell(e); });
  if (std::holds_alternative<event::agent_left>(e))
    clock_.lost();
  const auto* hello = std::get_if<event::hello>(&e);
  if (hello != nullptr)
    clock_.greet(hello->body);
  tell(std::move(e));
}

void link::request(frame_type type, std::string payload) {
  loop_.post([me = self(), type, payload = std::move(payload)] {
    if (!me->open_)
      return;
    if (payload.size() > guest::max_payload)
      me->refuse(type, EMSGSIZE, "the request is longer than 64 KiB");
    else if (!me->agent_->request(type, payload))
      me->refuse(type, ENOTCONN, "there is no connection to the guest's agent");
  });
}

void link::refuse(frame_type type, int error_number, std::string why) {
  tell(event::refused{{type, static_cast<std::uint32_t>(error_number), std::move(why)}});
}

void link::command(const char* name) {
  loop_.post([me = self(), name] {
    if (!me->open_)
      return;
    me->qmp_.command(name, "", [pid = me->machine_.process.pid, name](const auto& reply) {
      if (!reply)
        log::warn({}, "qmp_failed",
                  {{"pid", pid}, {"command", name}, {"text", describe(reply.error())}});
    });
  });
}

// Commands are short and few: a peer whose socket is full has stopped reading.
void link::send_qmp(const std::string& line) {
  iovec piece{const_cast<char*>(line.data()), line.size()};
  if (!machine_.qmp || send_some(machine_.qmp.get(), &piece, 1).value_or(0) != line.size())
    qmp_.end("the hypervisor does not take QMP commands");
}

void link::on_qmp() {
  std::array<char, 16384> buffer;
  std::size_t bytes = 0;
  const auto state = read_some(machine_.qmp.get(), buffer.data(), buffer.size(), bytes);
  qmp_.feed({buffer.data(), bytes});
  if (state == got::end)
    qmp_.end("the hypervisor closed the QMP connection");
  if (qmp_.dead())
    drop_qmp();
}

void link::heard(const qmp::message& event) {
  log::debug({}, "qmp_event",
             {{"pid", machine_.process.pid}, {"name", event.name}, {"data", event.body}});
  if (event.name == "SHUTDOWN") {
    ending_ = ending_of(event.body);
    // A guest that switches itself off without its agent, such as by `poweroff -f`.
    if (ending_ == ending::power_off)
      tell(event::stopping{});
  } else if (event.name == "STOP") {
    look_at_status();
  } else if (event.name == "RESUME") {
    clock_.jumped();
    tell(event::resumed{});
  } else if (event.name == "BLOCK_IO_ERROR") {
    if (auto error = disk_error(event.body); std::exchange(disk_error_, error) != error)
      log::warn({}, "disk_failed", {{"pid", machine_.process.pid}, {"text", error}});
  } else if (event.name == "VSERPORT_CHANGE") {
    if (const auto open = port_open(event.body, "agent-port"))
      on_agent_port(*open);
  }
}

// The port closes when the agent ends, or the whole machine does.
void link::on_agent_port(bool open) {
  if (open)
    return agent_->guest_came();
  agent_->guest_left();
  unless_it_ends([this] { agent_->tell_left("the guest's agent ended"); });
}

void link::unless_it_ends(std::function<void()> act) {
  loop_.cancel(lost_timer_);
  lost_timer_ = loop_.at(reactor::clock::now() + exit_grace, [this, act = std::move(act)] {
    lost_timer_ = 0;
    act();
  });
}

void link::look_at_status() {
  qmp_.command("query-status", "", [this](const expected<std::string>& status) {
    if (!status || !pause_of(*status, "", ""))
      return;
    qmp_.command("query-block", "", [this, status = *status](const expected<std::string>& disks) {
      if (disks)
        tell(event::paused{*pause_of(status, *disks, disk_error_)});
    });
  });
}

// A hypervisor that ends closes this connection first: that is no loss to report, unless it lives.
void link::drop_qmp() {
  qmp_timer_ = loop_.at(reactor::clock::now() + exit_patience, [this] {
    qmp_timer_ = 0;
    log::warn({}, "qmp_lost", {{"pid", machine_.process.pid}, {"text", qmp_.why_dead()}});
  });
  loop_.unwatch(machine_.qmp.get());
  machine_.qmp.reset();
}

void link::on_console() {
  std::size_t bytes = 0;
  if (read_console(bytes) == got::end) {
    loop_.unwatch(machine_.console.get());
    machine_.console.reset();
  }
  console_grew();
}

got link::read_console(std::size_t& bytes) {
  auto* buffer = scratch::get();
  const auto state = read_some(machine_.console.get(), buffer, console_read, bytes);
  if (console_)
    console_->append({buffer, bytes});
  return state;
}

void link::log_line(std::string_view line) {
  if (!console_)
    return;
  console_->append("banger-init: " + harmless(line.substr(0, 1024)) + "\n");
  console_grew();
}

void link::console_grew() {
  if (console_timer_ != 0 || !console_)
    return;
  const auto next = console_told_ + console_pace;
  const auto now = reactor::clock::now();
  if (now >= next) {
    console_told_ = now;
    return tell(event::console_grew{console_->total_bytes()});
  }
  console_timer_ = loop_.at(next, [this] {
    console_timer_ = 0;
    console_told_ = reactor::clock::now();
    tell(event::console_grew{console_->total_bytes()});
  });
}

void link::on_agent_lost(bool garbage, const std::string& why) {
  clock_.lost();
  const auto lost = [this, why] {
    agent_->end(why);
    tell(event::channel_lost{why});
  };
  garbage ? lost() : unless_it_ends(lost);
}

// How it ended comes from the process that waits for it, a moment later.
void link::on_exit() {
  if (!machine_.ending)
    return finish_exit();
  loop_.watch(machine_.ending.get(), EPOLLIN, [me = self()](std::uint32_t) { me->hear_ending(); });
  loop_.unwatch(machine_.pidfd.get());
  ending_timer_ = loop_.at(reactor::clock::now() + exit_grace, [me = self()] {
    me->ending_timer_ = 0;
    me->hear_ending();
  });
}

void link::hear_ending() {
  how_ended_ = hypervisor::read_ending(machine_.ending.get());
  finish_exit();
}

void link::finish_exit() {
  agent_->drain();
  for (int i = 0; machine_.qmp && i < 16; ++i)
    on_qmp();
  std::size_t bytes = 1;
  for (int i = 0; machine_.console && bytes > 0 && i < 64; ++i)
    read_console(bytes);
  clock_.lost();
  auto last = console_ ? console_->tail(60) : std::string();
  const auto listener = listener_;
  const auto how = ending_;
  let_go("the machine ended");
  if (listener)
    listener(event::exited{std::move(last), how, how_ended_});
}

void link::let_go(const std::string& why, bool cut) {
  if (!std::exchange(open_, false))
    return;
  loop_.post([me = self()] {}); // the handler of the pidfd may hold the last reference
  clock_.stop();
  agent_->end(why, cut);
  qmp_.end(why);
  loop_.cancel(std::exchange(console_timer_, 0));
  loop_.cancel(std::exchange(lost_timer_, 0));
  loop_.cancel(std::exchange(qmp_timer_, 0));
  loop_.cancel(std::exchange(ending_timer_, 0));
  for (auto* fd : {&machine_.pidfd, &machine_.qmp, &machine_.console, &machine_.ending}) {
    loop_.unwatch(fd->get());
    fd->reset();
  }
  listener_ = nullptr;
}

void link::kill() {
  loop_.post([me = self()] {
    if (me->open_)
      ::syscall(SYS_pidfd_send_signal, me->machine_.pidfd.get(), SIGKILL, nullptr, 0);
  });
}

void link::close() {
  loop_.post([me = self()] { me->let_go("the daemon let go of the machine"); });
}

void link::cut() {
  loop_.post([me = self()] { me->let_go("the daemon let go of the machine", true); });
}

} // namespace

std::shared_ptr<machine_link> open_link(reactor& loop, hypervisor::running_machine machine,
                                        std::filesystem::path console_log, link_listener listener) {
  auto l =
      std::make_shared<link>(loop, std::move(machine), std::move(console_log), std::move(listener));
  loop.post([l] { l->start(); });
  return l;
}

} // namespace banger::io
