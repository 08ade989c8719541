#include "tests/vmm/guest.hpp"

#include <utility>

namespace banger::scripted {

using banger::guest::exit_kind;
using banger::guest::frame;
using banger::guest::frame_type;
using banger::guest::stream_id;

void guest::say(frame_type type, std::string_view body, std::uint32_t id, stream_id stream,
                std::uint64_t offset) {
  banger::guest::encode(words_, {type, stream, id, 0, offset}, body);
}

void guest::host_came() {
  if (deserted_)
    return;
  if (how_ == behaviour::boots_late && !configured_) {
    awake_ = false;
    return later(300, &guest::wake_up);
  }
  if (how_ != behaviour::never_boots)
    say_hello();
}

void guest::wake_up() {
  awake_ = true;
  say_hello();
}

void guest::host_went() {
  deserted_ = how_ == behaviour::forgets_its_host;
  parser_ = banger::guest::parser{frame_type::sync};
  words_.clear();
}

void guest::hear(std::string_view bytes) {
  if (deserted_)
    return;
  parser_.feed(bytes);
  while (const auto f = parser_.next())
    take(*f);
}

void guest::later(int ms, void (guest::*act)()) {
  due_ = clock::now() + std::chrono::milliseconds(ms);
  act_ = act;
}

int guest::wait_ms() const {
  if (!due_)
    return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*due_ - clock::now());
  return static_cast<int>(std::max<std::int64_t>(0, left.count()));
}

void guest::on_time() {
  if (!due_ || clock::now() < *due_)
    return;
  due_.reset();
  (this->*act_)();
}

void guest::take(const frame& f) {
  if (f.head.session == 0)
    take_channel(f);
  else
    take_session(f);
}

void guest::take_channel(const frame& f) {
  switch (f.head.type) {
  case frame_type::sync:
    epoch_ = banger::guest::decode<banger::guest::sync_body>(f.payload).value().epoch;
    if (how_ == behaviour::dies_in_boot)
      return end(1);
    if (how_ != behaviour::never_boots && awake_)
      say_hello();
    return;
  case frame_type::configure: return configure();
  case frame_type::await_boot:
    if (how_ != behaviour::never_is_booted)
      say(frame_type::booted, banger::guest::encode(banger::guest::booted_body{"running"}));
    return;
  case frame_type::ask_ports:
  case frame_type::ask_health: return answer(f);
  case frame_type::ask_clock: return tell_time(f);
  case frame_type::ping: return say(frame_type::pong, f.payload);
  case frame_type::grow:
    return say(frame_type::grown, banger::guest::encode(banger::guest::grown_body{1 << 30}));
  case frame_type::poweroff:
    if (how_ == behaviour::ignores_stop || how_ == behaviour::ignores_quit)
      return;
    say(frame_type::stopping, {});
    return later(1, &guest::leave);
  default: return;
  }
}

void guest::answer(const frame& f) {
  using namespace banger::guest;
  const auto number = decode<question_body>(f.payload).value().number;
  if (how_ == behaviour::answers_nothing)
    return;
  if (how_ == behaviour::is_of_old)
    return end(1); // as a real one would lose its place
  if (f.head.type == frame_type::ask_health)
    return say(frame_type::health,
               encode(health_body{number, 5'000'000, 12, 8, 4, 256u << 20, 200u << 20}));
  ports_body ports;
  ports.number = number;
  ports.listeners = {{transport_protocol::tcp, "0.0.0.0", 22, 7, "sshd"},
                     {transport_protocol::tcp, "127.0.0.1", 5432, 9, "postgres"},
                     {transport_protocol::udp, "::", 68, 0, ""}};
  say(frame_type::ports, encode(ports));
}

void guest::tell_time(const frame& f) {
  using namespace banger::guest;
  const auto number = decode<question_body>(f.payload).value().number;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  say(frame_type::clock,
      encode(clock_body{number,
                        static_cast<std::uint64_t>(
                            std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()),
                        clock_keeper::host}));
}

void guest::say_hello() {
  banger::guest::hello_body hello;
  if (how_ == behaviour::is_of_old)
    hello.protocol = 1;
  hello.agent = "scripted";
  hello.kernel = "scripted";
  hello.epoch = epoch_;
  hello.configured = configured_;
  for (const auto& [id, s] : sessions_)
    hello.sessions.push_back(id);
  say(frame_type::hello, banger::guest::encode(hello));
}

void guest::configure() {
  switch (how_) {
  case behaviour::hangs_in_configure: return;
  case behaviour::dies_in_configure: return end(1);
  case behaviour::refuses_configure:
    return say(frame_type::failed, banger::guest::encode(banger::guest::failed_body{
                                       frame_type::configure, 5, "as the script says"}));
  case behaviour::leaves_by_itself: later(200, &guest::leave); break;
  case behaviour::crashes: later(200, &guest::crash); break;
  default: break;
  }
  if (how_ == behaviour::leaves_by_itself)
    say(frame_type::stopping, {});
  configured_ = true;
  say(frame_type::configured, banger::guest::encode(banger::guest::configured_body{}));
}

void guest::take_session(const frame& f) {
  if (f.head.type == frame_type::open)
    return open(f);
  const auto found = sessions_.find(f.head.session);
  if (found == sessions_.end())
    return;
  const auto id = f.head.session;
  auto& s = found->second;
  switch (f.head.type) {
  case frame_type::data:
    s.in = f.head.offset + f.payload.size();
    if (s.name == "cat") {
      say(frame_type::data, f.payload, id, stream_id::out, s.out);
      s.out += f.payload.size();
    }
    return say(frame_type::ack, {}, id, stream_id::in, s.in);
  case frame_type::eof:
    if (s.name == "cat")
      exit(id, exit_kind::exited, 0);
    return;
  case frame_type::signal:
    return exit(id, exit_kind::signalled,
                banger::guest::decode<banger::guest::signal_body>(f.payload).value().number);
  case frame_type::close: sessions_.erase(found); return;
  default: return;
  }
}

void guest::open(const frame& f) {
  const auto order = banger::guest::decode<banger::guest::open_body>(f.payload).value();
  const auto id = f.head.session;
  auto& s = sessions_[id];
  s.name = order.argv.empty() ? "" : order.argv.front();
  say(frame_type::opened, banger::guest::encode(banger::guest::opened_body{1}), id);
  if (s.name == "sleep" || s.name == "cat")
    return;
  std::string text;
  if (s.name == "echo") {
    for (std::size_t i = 1; i < order.argv.size(); ++i)
      text += (i > 1 ? " " : "") + order.argv[i];
    text += '\n';
    say(frame_type::data, text, id, stream_id::out, 0);
    s.out = text.size();
  }
  exit(id, exit_kind::exited, 0);
}

void guest::exit(std::uint32_t id, exit_kind kind, std::uint32_t value) {
  say(frame_type::eof, {}, id, stream_id::out, sessions_[id].out);
  say(frame_type::eof, {}, id, stream_id::err, 0);
  say(frame_type::exited, banger::guest::encode(banger::guest::exited_body{kind, value}), id);
}

} // namespace banger::scripted
