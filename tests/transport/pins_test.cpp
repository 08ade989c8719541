// The filter knows how CAF 0.17.6 writes things. This is where it would be noticed if that changed.
#include "tests/support/catch.hpp"
#include "tests/transport/client_side.hpp"

#include <caf/io/basp/header.hpp>
#include <caf/io/basp/version.hpp>

using namespace banger;
using namespace banger::messages;
using namespace banger::test;

namespace {

template <class... Ts>
std::vector<char> written(caf::actor_system& system, const Ts&... values) {
  std::vector<char> bytes;
  caf::binary_serializer sink(system, bytes);
  REQUIRE_FALSE(sink(values...));
  return bytes;
}

/// What follows the forwarding stack in a direct message: types, then content.
const frames::clause* clause_for(const std::vector<frames::clause>& known,
                                 const std::vector<char>& bytes) {
  frames::reader from(bytes);
  from.number(2);
  const auto types = from.text().value_or("");
  for (const auto& clause : known)
    if (clause.types == types &&
        frames::fits(clause.content, std::span(bytes).last(from.left()), 1000))
      return &clause;
  return nullptr;
}

struct pins : client_node {
  std::vector<frames::clause> vms = transport::admit(system, vms_facet{}).clauses;
  std::vector<frames::clause> gateway = transport::admit(system, gateway_actor{}).clauses;
  std::vector<frames::clause> facet = transport::admit(system, system_facet{}).clauses;

  template <class... Ts>
  bool fits(const std::vector<frames::clause>& known, const Ts&... values) {
    return clause_for(known, written(system, caf::make_message(values...))) != nullptr;
  }
};

} // namespace

TEST_CASE_METHOD(pins, "a header is read as CAF writes it") {
  static_assert(CAF_VERSION == 1706, "read messages/transport/README.md before changing this");
  static_assert(caf::io::basp::header_size == frames::header_size);
  const caf::io::basp::header theirs{caf::io::basp::message_type::monitor_message,
                                     0x03,
                                     0x01020304,
                                     0x1122334455667788,
                                     0x0a,
                                     0x0b0c};
  const auto bytes = written(system, theirs);
  REQUIRE(bytes.size() == frames::header_size);
  const auto ours = frames::decode(bytes);
  CHECK(ours.what == frames::operation::monitor_message);
  CHECK(ours.padding == 0);
  CHECK(ours.flags == 0x03);
  CHECK(ours.payload == 0x01020304);
  CHECK(ours.data == 0x1122334455667788);
  CHECK(ours.source == 0x0a);
  CHECK(ours.dest == 0x0b0c);
}

TEST_CASE("the kinds of frames have CAF's numbers") {
  using theirs = caf::io::basp::message_type;
  using ours = frames::operation;
  const auto same = [](ours a, theirs b) { return static_cast<int>(a) == static_cast<int>(b); };
  CHECK(same(ours::server_handshake, theirs::server_handshake));
  CHECK(same(ours::client_handshake, theirs::client_handshake));
  CHECK(same(ours::direct_message, theirs::direct_message));
  CHECK(same(ours::routed_message, theirs::routed_message));
  CHECK(same(ours::monitor_message, theirs::monitor_message));
  CHECK(same(ours::down_message, theirs::down_message));
  CHECK(same(ours::heartbeat, theirs::heartbeat));
  static_assert(frames::named_receiver == caf::io::basp::header::named_receiver_flag);
  static_assert(frames::select_connection == caf::io::basp::header::select_connection_flag);
}

TEST_CASE_METHOD(pins, "a node is read as CAF writes it") {
  const auto bytes = written(system, system.node());
  REQUIRE(bytes.size() == frames::node_size);
  frames::node node{};
  std::copy(bytes.begin(), bytes.end(), node.begin());
  CHECK(frames::is_default_node(node));
  CHECK(frames::process_of(node) == static_cast<std::uint32_t>(::getpid()));
}

TEST_CASE("plain messages have the ids that the filter lets pass") {
  CHECK(caf::make_message_id().integer_value() >> 60 == 1);
  CHECK(caf::make_message_id(7).integer_value() >> 60 == 1);
  CHECK(caf::make_message_id(7).response_id().integer_value() >> 60 != 1);
}

TEST_CASE_METHOD(pins, "every request of the interfaces has the shape that was derived for it") {
  exec_request exec{"vm", {"sh", "-c", ""}, {"A=b"}, "/", true};
  CHECK(fits(vms, begin_atom::value, create_request{"a", "tiny", 1, 256, 1, true, false}));
  CHECK(fits(vms, begin_atom::value,
             verb_request{.verb = "delete", .ref = "a", .only_at_rest = true}));
  CHECK(fits(vms, attach_atom::value, attach_request{"a", 1, 2, 3, true}));
  CHECK(fits(vms, begin_atom::value, set_request{"a", "b", 1, 2, 3, 1, -1}));
  CHECK(fits(vms, touch_atom::value, std::string("a")));
  CHECK(fits(vms, list_atom::value));
  CHECK(fits(vms, show_atom::value, std::string(70'000, 'x')));
  CHECK(fits(vms, exec_atom::value, exec));
  CHECK(fits(vms, logs_atom::value, logs_request{"a", true}));
  CHECK(fits(vms, stats_atom::value, std::string("a")));
  CHECK(fits(vms, ports_atom::value, std::string("a")));
  CHECK(fits(vms, health_atom::value, std::string("a")));
  CHECK(fits(vms, console_atom::value, std::string("a")));
  CHECK(fits(facet, status_atom::value));
  CHECK(fits(facet, halt_atom::value));
  CHECK(fits(facet, events_atom::value, events_request{true}));
  CHECK(fits(facet, actors_atom::value));
  CHECK(fits(vms, crash_atom::value, std::string("a")));
  CHECK(fits(gateway, hello_atom::value, hello_request{1, "0.2.0", "abc", 7}));
  CHECK(fits(gateway, retire_atom::value, hello_request{1, "0.2.0", "abc", 7}));
}

TEST_CASE_METHOD(pins, "what is not in the interface has no shape that fits") {
  CHECK_FALSE(fits(vms, status_atom::value));
  CHECK_FALSE(fits(vms, caf::exit_msg{nullptr, caf::exit_reason::kill}));
  CHECK_FALSE(fits(vms, caf::make_message(1)));
  CHECK_FALSE(fits(facet, caf::sys_atom::value, caf::get_atom::value, std::string("info")));
  CHECK(vms.size() == 16);
  CHECK(gateway.size() == 2);
  CHECK(facet.size() == 5);
}

TEST_CASE_METHOD(pins, "every type that travels can be named by CAF") {
  for (const auto& known : {vms, gateway, facet})
    for (const auto& clause : known)
      CHECK(clause.types.find('?') == std::string::npos);
}
