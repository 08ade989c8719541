#include "messages/guest/protocol.hpp"

#include <tuple>

// What the bodies hold, in the order in which it travels. Before wire.hpp, which looks it up.
namespace banger::guest {

namespace {

template <class T, class Body>
concept like = std::is_same_v<std::remove_const_t<T>, Body>;

auto fields(like<hello_body> auto& b) {
  return std::tie(b.protocol, b.agent, b.kernel, b.epoch, b.configured, b.uptime_us, b.sessions);
}
auto fields(like<sync_body> auto& b) { return std::tie(b.epoch); }
auto fields(like<disk_body> auto& b) { return std::tie(b.index, b.role); }
auto fields(like<configure_body> auto& b) {
  return std::tie(b.hostname, b.machine_id, b.seed, b.realtime_ns, b.disks, b.mac, b.address,
                  b.gateway, b.dns, b.authorized_keys, b.init);
}
auto fields(like<configured_body> auto& b) {
  return std::tie(b.uptime_us, b.root_us, b.work_bytes, b.notes);
}
auto fields(like<grown_body> auto& b) { return std::tie(b.bytes); }
auto fields(like<booted_body> auto& b) { return std::tie(b.state); }
auto fields(like<question_body> auto& b) { return std::tie(b.number); }
auto fields(like<listener_body> auto& b) {
  return std::tie(b.protocol, b.address, b.port, b.pid, b.process);
}
auto fields(like<ports_body> auto& b) { return std::tie(b.number, b.listeners, b.left_out); }
auto fields(like<health_body> auto& b) {
  return std::tie(b.number, b.uptime_us, b.load_1, b.load_5, b.load_15, b.memory_bytes,
                  b.memory_free_bytes);
}
auto fields(like<clock_body> auto& b) { return std::tie(b.number, b.realtime_ns, b.keeper); }
auto fields(like<correction_body> auto& b) { return std::tie(b.how, b.delta_ns); }
auto fields(like<failed_body> auto& b) { return std::tie(b.request, b.error_number, b.text); }
auto fields(like<open_body> auto& b) {
  return std::tie(b.argv, b.env, b.cwd, b.has_stdin, b.tty, b.rows, b.cols);
}
auto fields(like<opened_body> auto& b) { return std::tie(b.pid); }
auto fields(like<signal_body> auto& b) { return std::tie(b.number); }
auto fields(like<resize_body> auto& b) { return std::tie(b.rows, b.cols); }
auto fields(like<exited_body> auto& b) { return std::tie(b.kind, b.value); }
auto fields(like<attach_body> auto& b) { return std::tie(b.out, b.err); }

} // namespace

} // namespace banger::guest

#include "messages/guest/wire.hpp"

namespace banger::guest {

template <class Body>
std::string encode(const Body& body) {
  wire::writer w;
  w.put(body);
  return w.take();
}

template <class Body>
std::optional<Body> decode(std::string_view payload) {
  wire::reader r(payload);
  Body body;
  if (!r.get(body) || !r.at_end())
    return std::nullopt;
  return body;
}

#define BANGER_BODY(type)                                                                          \
  template std::string encode(const type&);                                                        \
  template std::optional<type> decode(std::string_view);

BANGER_BODY(hello_body)
BANGER_BODY(sync_body)
BANGER_BODY(disk_body)
BANGER_BODY(configure_body)
BANGER_BODY(configured_body)
BANGER_BODY(grown_body)
BANGER_BODY(booted_body)
BANGER_BODY(question_body)
BANGER_BODY(ports_body)
BANGER_BODY(health_body)
BANGER_BODY(clock_body)
BANGER_BODY(correction_body)
BANGER_BODY(failed_body)
BANGER_BODY(open_body)
BANGER_BODY(opened_body)
BANGER_BODY(signal_body)
BANGER_BODY(resize_body)
BANGER_BODY(exited_body)
BANGER_BODY(attach_body)

} // namespace banger::guest
