#include "guest/agent.hpp"

#include "guest/cgroups.hpp"
#include "guest/files.hpp"
#include "guest/spawn.hpp"
#include "guest/survey.hpp"
#include "messages/base/version.hpp"

#include <csignal>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <sys/wait.h>

namespace banger::guest {

namespace {

constexpr std::size_t most_sessions = 64;
constexpr int last_words_ms = 500;
// Longer than any service of the image should take to stop; the host has a deadline of its own.
constexpr std::uint64_t init_grace_ms = 60'000;

// As PID 1 of a small system has it: busybox's `reboot` and Ctrl-Alt-Del send these.
finale finale_of(std::uint32_t signal) {
  return signal == SIGTERM || signal == SIGINT ? finale::reboot : finale::power_off;
}

} // namespace

agent::agent(loop& events, std::vector<std::string> modules, notes said)
    : events_(events), setup_(events, std::move(modules)), boot_(events) {
  for (auto& line : said)
    setup_.note(std::move(line));
}

void agent::succeed(inheritance left, unique_fd alone) {
  setup_.resume(std::move(left.order), std::move(left.outcome));
  alone_ = std::move(alone);
  configured_ = true;
  resume_cgroups();
}

void agent::serve(unique_fd port) {
  // A command that writes in small pieces is not interrupted for each of them: we read what has
  // come together when it waits.
  const sched_param no_priority{};
  ::sched_setscheduler(0, SCHED_BATCH, &no_priority);
  if (auto ok = watch_signals().and_then([&] { return channel_.open(events_, std::move(port)); });
      !ok) {
    klog_error(ok.error().text);
    end_now();
  }
  events_.run([this] { return turn(); });
  end_now();
}

bool agent::turn() {
  if (channel_.host_came())
    say_hello();
  const bool more = channel_.receive([this](const frame_view& f) { hear(f); });
  if (!channel_.connected() || ending_) {
    if (ending_)
      end();
    for (auto& [id, s] : sessions_)
      s->detach();
  }
  // Each round is bounded by the windows: only the host can make room, and it is heard above.
  for (bool moved = true; moved;) {
    moved = false;
    for (auto& [id, s] : sessions_)
      moved = s->move() || moved;
    channel_.flush([this](std::string& out, std::size_t room) { return next_frame(out, room); });
  }
  return more;
}

// Each session in turn, so that none has to wait for another's flood to end.
bool agent::next_frame(std::string& out, std::size_t room) {
  auto at = sessions_.upper_bound(last_served_);
  for (std::size_t i = 0; i < sessions_.size(); ++i, ++at) {
    if (at == sessions_.end())
      at = sessions_.begin();
    if (at->second->next_frame(out, room)) {
      last_served_ = at->first;
      return true;
    }
  }
  return false;
}

void agent::hear(const frame_view& f) {
  if (f.head.type >= frame_type::open)
    hear_session(f);
  else
    hear_channel(f);
}

void agent::hear_channel(const frame_view& f) {
  switch (f.head.type) {
  case frame_type::sync:
    if (const auto body = decode<sync_body>(f.payload)) {
      epoch_ = body->epoch;
      for (auto& [id, s] : sessions_)
        s->detach();
      return say_hello();
    }
    break;
  case frame_type::configure:
    if (const auto body = decode<configure_body>(f.payload))
      return configure(*body);
    break;
  case frame_type::reidentify:
    if (const auto body = decode<configure_body>(f.payload))
      return reidentify(f, *body);
    break;
  case frame_type::ping:
    if (f.payload.size() <= 64)
      return channel_.send(frame_type::pong, 0, f.payload);
    break;
  case frame_type::grow:
    if (const auto body = decode<disk_body>(f.payload))
      return grow(*body);
    break;
  case frame_type::await_boot: return await_boot();
  case frame_type::ask_ports:
  case frame_type::ask_health:
    if (const auto body = decode<question_body>(f.payload))
      return answer(f.head.type, body->number);
    break;
  case frame_type::ask_clock:
    if (const auto body = decode<question_body>(f.payload))
      return channel_.send(frame_type::clock, 0, encode(clock_.answer(body->number)));
    break;
  case frame_type::correct_clock: return correct_clock(f);
  case frame_type::poweroff: return go_down(finale::power_off);
  default: break;
  }
  fail(f, {EPROTO, "a frame that cannot be read, or is not for the guest"});
}

void agent::reidentify(const frame_view& f, const configure_body& order) {
  if (auto ok = clock_.set_forward(order.realtime_ns).and_then([&] { return setup_.again(order); });
      !ok)
    return fail(f, ok.error());
  channel_.send(frame_type::reidentified, 0, {});
}

void agent::grow(const disk_body& disk) {
  setup_.grow_later(disk, [this](const result<std::uint64_t>& bytes) {
    if (!bytes)
      return fail(frame_type::grow, 0, bytes.error());
    channel_.send(frame_type::grown, 0, encode(grown_body{*bytes}));
  });
}

void agent::await_boot() {
  boot_.begin(::getpid() == 1 ? std::string() : setup_.order().init, [this](std::string state) {
    channel_.send(frame_type::booted, 0, encode(booted_body{std::move(state)}));
  });
}

void agent::answer(frame_type asked, std::uint64_t number) {
  if (asked == frame_type::ask_ports)
    channel_.send(frame_type::ports, 0, encode(survey_ports(number)));
  else
    channel_.send(frame_type::health, 0, encode(survey_health(number)));
}

void agent::correct_clock(const frame_view& f) {
  const auto body = decode<correction_body>(f.payload);
  if (!body)
    return fail(f, {EPROTO, "a correction that cannot be read"});
  if (auto ok = clock_.correct(*body); !ok)
    fail(f, ok.error());
}

void agent::hear_session(const frame_view& f) {
  if (f.head.type == frame_type::open)
    return open(f);
  if (f.head.type == frame_type::part)
    return parts_.take(f);
  const auto found = sessions_.find(f.head.session);
  if (f.head.type == frame_type::close) {
    if (found != sessions_.end())
      sessions_.erase(found);
    return;
  }
  // What was under way when the host closed a session is nobody's fault.
  if (found == sessions_.end()) {
    if (f.head.type == frame_type::attach)
      fail(f, {ESRCH, "there is no such session"});
    return;
  }
  if (auto ok = found->second->receive(f); !ok)
    fail(f, ok.error());
}

void agent::open(const frame_view& f) {
  const auto order = parts_.order(f);
  const auto id = f.head.session;
  if (!order || id == 0)
    return fail(f, {EPROTO, "an open that cannot be read"});
  if (!configured_)
    return fail(f, {ENXIO, "the machine is not configured"});
  if (sessions_.count(id) != 0)
    return fail(f, {EEXIST, "the session exists"});
  if (sessions_.size() >= most_sessions)
    return fail(f, {EAGAIN, "too many commands run at once: " + std::to_string(most_sessions)});
  auto s = std::make_unique<session>(events_, id);
  if (auto ok = s->open(*order); !ok)
    return fail(f, ok.error());
  sessions_.emplace(id, std::move(s));
}

void agent::say_hello() {
  utsname kernel{};
  ::uname(&kernel);
  hello_body hello;
  hello.agent = this_build().version + ' ' + this_build().commit;
  hello.kernel = kernel.release;
  hello.epoch = epoch_;
  hello.configured = configured_;
  hello.uptime_us = monotonic_us();
  for (const auto& [id, s] : sessions_)
    hello.sessions.push_back(id);
  channel_.send(frame_type::hello, 0, encode(hello));
}

void agent::fail(const frame_view& f, const problem& p) { fail(f.head.type, f.head.session, p); }

void agent::fail(frame_type request, std::uint32_t session, const problem& p) {
  const failed_body body{request, static_cast<std::uint32_t>(p.number), p.text};
  channel_.send(frame_type::failed, session, encode(body));
}

void agent::configure(const configure_body& order) {
  if (configured_)
    return channel_.send(frame_type::configured, 0, encode(setup_.outcome()));
  if (setup_.begun())
    return fail(frame_type::configure, 0, {EALREADY, "already configuring"});
  if (auto ok = clock_.set_forward(order.realtime_ns); !ok)
    setup_.note(std::move(ok.error().text));
  setup_.begin(order, [this](done ok) { configured(std::move(ok)); });
}

void agent::configured(done ok) {
  if (ok && !setup_.order().init.empty())
    if (auto handed = hand_over(); !handed)
      setup_.note(std::move(handed.error().text));
  if (!ok) {
    // A half-made machine is of no use to anyone.
    klog_error(ok.error().text);
    fail(frame_type::configure, 0, ok.error());
    channel_.drain(last_words_ms);
    ending_ = true;
    return;
  }
  configured_ = true;
  channel_.send(frame_type::configured, 0, encode(setup_.outcome()));
}

// The image's init becomes PID 1, we live on as its child.
done agent::hand_over() {
  const auto path = setup_.order().init;
  if (::access(path.c_str(), X_OK) != 0)
    return failed_to("init " + path);
  if (auto ok = prepare_successor(setup_.order(), setup_.outcome()); !ok)
    setup_.note(std::move(ok.error().text));
  const auto pid = ::fork();
  if (pid < 0)
    return failed_to("fork");
  if (pid == 0) {
    ::setsid();
    // systemd does not end, or wait for, those who are called like this.
    program_invocation_name[0] = '@';
    if (auto ok = write_into("/proc/self/oom_score_adj", "-1000"); !ok)
      setup_.note(std::move(ok.error().text));
    if (auto alone = become_the_agent())
      alone_ = std::move(*alone);
    else
      setup_.note(std::move(alone.error().text));
    return events_.open();
  }
  reset_inherited();
  ::execl(path.c_str(), path.c_str(), nullptr);
  klog_error("cannot execute " + path);
  for (;;)
    ::waitpid(-1, nullptr, 0);
}

done agent::watch_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGPWR, SIGUSR1, SIGUSR2})
    ::sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_)
    return failed_to("watch signals");
  return events_.watch(signals_.get(), EPOLLIN, [this](std::uint32_t) {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info))
      // Where the image has an init, the end of the machine is its affair.
      if (info.ssi_signo != SIGCHLD && ::getpid() == 1)
        go_down(finale_of(info.ssi_signo));
    reap();
  });
}

void agent::go_down(finale how) {
  ending_ = true;
  finale_ = how;
}

void agent::reap() {
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;)
    if (!boot_.child_ended(pid))
      for (auto& [id, s] : sessions_)
        if (s->pid() == pid)
          s->child_ended(status);
}

void agent::end() {
  if (::getpid() == 1 || !ask_init_to_power_off())
    end_now();
  ending_ = false;
  ::sync();
  channel_.send(frame_type::stopping, 0, {});
  events_.after_ms(init_grace_ms, [this] { end_now(); });
}

void agent::end_now() {
  end_machine(finale_, [this] {
    channel_.send(frame_type::stopping, 0, {});
    channel_.drain(last_words_ms);
  });
}

} // namespace banger::guest
