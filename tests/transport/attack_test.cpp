// What a hostile peer of the same user can try. Each attack is made on a real process, while
// another client is being served.
#include "tests/support/catch.hpp"
#include "tests/transport/client_side.hpp"
#include "tests/transport/peers.hpp"

using namespace banger;
using namespace banger::test;
using op = frames::operation;

namespace {

std::uint64_t atom(const std::string& text) {
  return static_cast<std::uint64_t>(caf::atom_from_string(text));
}

std::string atom_bytes(const char* text) { return bytes{}.number(atom(text), 8).data; }

/// An actor handle as CAF writes it: its id, and the node it lives on.
std::string handle(std::uint64_t id, std::string_view node) {
  return bytes{}.number(id, 8).raw(node).data;
}

const std::string kill_message =
    message("@<>+@exit", bytes{}
                             .raw(handle(7, node_of(1)))
                             .number(static_cast<std::uint64_t>(caf::exit_reason::kill), 1)
                             .number(atom("exit"), 8)
                             .raw(message("@<>", "").substr(1))
                             .data);

struct siege {
  folder home;
  std::filesystem::path socket = home.path / "d.sock";
  server_process server;
  client bystander;
  raw_peer attacker;
  std::uint64_t rss_before;

  explicit siege(std::vector<std::string> flags = {})
      : server(socket, std::move(flags)), bystander(socket), attacker(socket),
        rss_before(server.rss_kib()) {
    attacker.hear_greeting();
  }

  std::string own_node() const { return node_of(static_cast<std::uint32_t>(::getpid())); }
  std::string server_node() const { return {attacker.server.begin(), attacker.server.end()}; }

  std::string direct(std::uint64_t dest, std::string_view payload, std::uint64_t source = 7,
                     std::uint64_t id = one_way) const {
    return frame(op::direct_message, 0, id, source, dest, payload);
  }

  void survives() {
    CHECK(bystander.served());
    CHECK(server.alive());
    client newcomer(socket);
    CHECK(newcomer.served());
    const auto rss_now = server.rss_kib();
    INFO("resident before " << rss_before << " KiB, now " << rss_now << " KiB");
    CHECK((!size_tells || rss_now < rss_before + 16 * 1024));
    CHECK(server.stderr_text() == "");
  }

  /// After a handshake: the attack ends the attacker's connection and nothing else.
  void ends_with(std::string_view data, const std::string& why) {
    attacker.greet();
    attacker.say(data);
    CHECK(attacker.closed_within());
    CHECK(server.line("closed") == "closed " + why);
    survives();
  }

  /// As the first thing said.
  void refused(std::string_view data, const std::string& why) {
    attacker.say(data);
    CHECK(attacker.closed_within());
    CHECK(server.line("refused") == "refused " + why);
    survives();
  }

  /// The attack has no effect at all, not even on the attacker's connection.
  void ignored(std::string_view data) {
    attacker.greet();
    CHECK(attacker.say(data));
    CHECK(attacker.say(direct(server.system, status())));
    CHECK_FALSE(attacker.closed_within(200ms));
    survives();
  }

  std::string status() const { return message("@<>+@atom", atom_bytes("status")); }
};

} // namespace

TEST_CASE_METHOD(siege, "an exit message kills nobody") {
  for (const auto target : {server.gateway, server.vms, server.system}) {
    raw_peer killer(socket);
    killer.greet();
    killer.say(direct(target, kill_message));
    CHECK(killer.closed_within());
  }
  ends_with(direct(server.gateway, kill_message), "message outside the interface");
}

TEST_CASE_METHOD(siege, "an exit message without a handshake kills nobody") {
  refused(direct(server.gateway, kill_message), "no handshake");
}

TEST_CASE_METHOD(siege, "a forged down message reaches nobody") {
  const auto down =
      message("@<>+@down", bytes{}.raw(handle(7, own_node())).number(0, 1).number(0, 8).data);
  ends_with(direct(server.vms, down), "message outside the interface");
}

TEST_CASE_METHOD(siege, "a handshake without a payload crashes nothing") {
  SECTION("client handshake") {
    refused(frame(op::client_handshake, 0, 0, 0, 0, ""), "malformed handshake");
  }
  SECTION("server handshake") {
    refused(frame(op::server_handshake, 0, 4, 0, 0, ""), "no handshake");
  }
  SECTION("server handshake from a greeted peer") {
    ends_with(frame(op::server_handshake, 0, 4, 0, 0, ""), "not for a client to say");
  }
}

TEST_CASE_METHOD(siege, "messages within messages are not unpacked") {
  const auto nested = [](int depth) {
    std::string inside = bytes{}.number(0, 2).text("@<>").data;
    std::string prefix = bytes{}.number(0, 2).text("@<>+@message").data, all;
    for (int i = 0; i < depth; ++i)
      all += prefix;
    return bytes{}.number(0, 1).raw(all).raw(inside).data;
  };
  SECTION("500,000 deep, which is too large") {
    ends_with(direct(server.gateway, nested(500'000)), "frame too large");
  }
  SECTION("60,000 deep, which is not") {
    ends_with(direct(server.gateway, nested(60'000)), "message outside the interface");
  }
  SECTION("in the reason of a down") {
    const auto payload = bytes{}
                             .raw(own_node())
                             .raw(server_node())
                             .number(1, 1)
                             .number(atom("system"), 8)
                             .raw(nested(200).substr(1))
                             .data;
    ends_with(frame(op::down_message, 0, 0, 7, 0, payload), "malformed down");
  }
}

TEST_CASE_METHOD(siege, "links are not made") {
  const auto link_to = [&](std::uint64_t id, const std::string& node) {
    return message("@<>+@atom+@strong_actor_ptr",
                   bytes{}.raw(atom_bytes("LINK")).raw(handle(id, node)).data);
  };
  SECTION("of the receiver with itself") {
    std::string six;
    for (int i = 0; i < 6; ++i)
      six += direct(server.gateway, link_to(server.gateway, server_node()));
    ends_with(six, "message outside the interface");
  }
  SECTION("with the attacker, who then leaves") {
    ends_with(direct(server.gateway, link_to(7, own_node())), "message outside the interface");
  }
  SECTION("of two actors of the daemon") {
    ends_with(direct(server.vms, link_to(server.gateway, server_node())),
              "message outside the interface");
  }
}

TEST_CASE_METHOD(siege, "a claimed length is not believed") {
  SECTION("of a frame") {
    auto huge = frame(op::direct_message, 0, one_way, 7, server.gateway, "x");
    huge.replace(4, 4, "\xff\xff\xff\xff");
    ends_with(huge, "frame too large");
  }
  SECTION("of a byte buffer") {
    const auto buffer = message("@<>+@charbuf", bytes{}.length(0xffff'ffff).data);
    ends_with(direct(server.gateway, buffer), "message outside the interface");
  }
  SECTION("of a string that is in the interface") {
    const auto show =
        message("@<>+@atom+@str", bytes{}.raw(atom_bytes("show")).length(0xffff'ffff).data);
    ends_with(direct(server.vms, show), "message outside the interface");
  }
  SECTION("of a list that is in the interface") {
    const auto exec = message("@<>+@atom+banger::messages::exec_request",
                              bytes{}.raw(atom_bytes("exec")).text("vm").length(0xffff'ffff).data);
    ends_with(direct(server.vms, exec), "message outside the interface");
  }
  SECTION("written in more bytes than a number has") {
    const auto types = bytes{}.number(0, 3).raw(std::string(1'000'000, '\x80')).data;
    ends_with(direct(server.gateway, types), "malformed message");
  }
}

TEST_CASE_METHOD(siege, "a list of more elements than allowed is not built") {
  const auto exec =
      message("@<>+@atom+banger::messages::exec_request", bytes{}
                                                              .raw(atom_bytes("exec"))
                                                              .text("vm")
                                                              .length(900'000)
                                                              .raw(std::string(900'000, '\0'))
                                                              .length(0)
                                                              .text("")
                                                              .number(1, 1)
                                                              .data);
  ends_with(direct(server.vms, exec), "message outside the interface");
}

TEST_CASE_METHOD(siege, "CAF's own services are not there") {
  const auto by_name = [&](const char* name, std::string_view payload) {
    return frame(op::direct_message, frames::named_receiver, one_way, 7, atom(name), payload);
  };
  SECTION("a store of values for everybody") {
    std::string all;
    const auto put = message("@<>+@atom+@str+@message", std::string(10'000, 'x'));
    for (int i = 0; i < 2000; ++i)
      all += by_name("ConfigServ", put);
    ignored(all);
  }
  SECTION("spawning by name") {
    ignored(by_name("SpawnServ", message("@<>+@atom+@str+@message", "x")));
  }
  SECTION("any actor of the daemon, by its number") {
    std::string all;
    for (std::uint64_t id = 1; id < 200; ++id)
      if (id != server.gateway && id != server.vms && id != server.system &&
          id != server.operations && id != server.images)
        all += direct(id, kill_message);
    ignored(all);
  }
}

TEST_CASE_METHOD(siege, "inventing senders costs the daemon nothing") {
  attacker.greet();
  bool open = true;
  for (std::uint64_t id = 1; open && id <= 200'000; ++id)
    open = attacker.say(direct(server.system, status(), id));
  CHECK(attacker.closed_within());
  CHECK(server.line("closed") == "closed too many actors");
  survives();
}

TEST_CASE_METHOD(siege, "inventing nodes is not possible") {
  const auto payload = bytes{}.raw(node_of(4711)).raw(server_node()).raw(status()).data;
  SECTION("as the origin of a routed message") {
    ends_with(frame(op::routed_message, 0, one_way, 7, server.system, payload),
              "not for a client to say");
  }
  SECTION("as the origin of a monitor") {
    ends_with(frame(op::monitor_message, 0, 0, 0, server.system, node_of(4711) + server_node()),
              "monitor for another node");
  }
  SECTION("as the origin of a down") {
    ends_with(
        frame(op::down_message, 0, 0, 7, 0, node_of(4711) + server_node() + std::string(15, '\0')),
        "down for another node");
  }
}

TEST_CASE_METHOD(siege, "nobody can pass for another process") {
  refused(frame(op::client_handshake, frames::select_connection, 0, 0, 0, node_of(1)),
          "node of another process");
}

TEST_CASE_METHOD(siege, "nobody can pass for the daemon itself") {
  refused(frame(op::client_handshake, 0, 0, 0, 0, server_node()), "impossible node");
}

TEST_CASE_METHOD(siege, "a greeted peer cannot change its node") {
  ends_with(frame(op::client_handshake, frames::select_connection, 0, 0, 0, node_of(4711)),
            "changed its node");
}

TEST_CASE("where processes cannot be told apart, the first claimant of a node keeps it") {
  siege s({"--any-node"});
  const auto& node = s.bystander.system.node();
  std::vector<char> claimed;
  caf::binary_serializer sink(s.bystander.system, claimed);
  REQUIRE_FALSE(sink(node));
  s.refused(frame(op::client_handshake, frames::select_connection, 0, 0, 0,
                  std::string_view(claimed.data(), claimed.size())),
            "node already connected");
}

TEST_CASE_METHOD(siege, "a message outside the interface ends the connection and leaves no trace") {
  SECTION("unknown type") {
    ends_with(direct(server.gateway, message("@<>+\x1b[31mred", "x")),
              "message outside the interface");
  }
  SECTION("known type, wrong actor") {
    ends_with(direct(server.gateway, status()), "message outside the interface");
  }
  SECTION("known types, unknown atom") {
    ends_with(direct(server.system, message("@<>+@atom", atom_bytes("reboot"))),
              "message outside the interface");
  }
  SECTION("cut short") {
    const auto whole = message("@<>+@atom+@str", atom_bytes("show") + bytes{}.text("vm-1").data);
    ends_with(direct(server.vms, whole.substr(0, whole.size() - 2)),
              "message outside the interface");
  }
  SECTION("with something behind it") {
    ends_with(direct(server.system, status() + "more"), "message outside the interface");
  }
  SECTION("on behalf of others") {
    ends_with(direct(server.system, bytes{}.length(3).raw(status()).data), "malformed message");
  }
}

TEST_CASE_METHOD(siege, "answers to questions nobody asked are not delivered") {
  ends_with(direct(server.vms, message("@<>+@atom", atom_bytes("list")), 7, 0x9000'0000'0000'0001),
            "not a request");
}

TEST_CASE_METHOD(siege, "garbage ends the connection") {
  SECTION("noise") { refused(std::string(64, '\xee'), "not a frame"); }
  SECTION("HTTP") {
    refused("GET /vms HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n", "not a frame");
  }
  SECTION("half a frame, then nothing") {
    {
      raw_peer leaver(socket);
      leaver.greet();
      leaver.say(direct(server.vms, status()).substr(0, 40));
    }
    CHECK(server.line("closed") == "closed ");
    survives();
  }
}

// Few enough that a server under sanitizers gets there, too.
struct besieged_slowly : siege {
  besieged_slowly() : siege({"--frames-per-second", "2000"}) {}
};

TEST_CASE_METHOD(besieged_slowly, "a flood is cut off") {
  attacker.greet();
  std::string many;
  for (int i = 0; i < 1000; ++i)
    many += direct(server.system, status(), 0); // from nobody, so there are no answers
  bool open = true;
  for (int i = 0; open && i < 2000; ++i) {
    open = attacker.say(many);
    if (i % 5 == 0)
      CHECK(bystander.served());
  }
  CHECK(attacker.closed_within());
  CHECK(server.line("closed") == "closed too many frames");
  survives();
}

TEST_CASE_METHOD(siege, "a peer that does not read its answers is cut off") {
  attacker.greet();
  const auto show = message("@<>+@atom+@str", atom_bytes("show") + bytes{}.text("large").data);
  bool open = true;
  for (std::uint64_t i = 1; open && i < 1000; ++i)
    open = attacker.say(direct(server.vms, show, 7, one_way | i));
  CHECK(server.line("closed") == "closed does not read its answers");
  CHECK(bystander.served());
  CHECK(server.alive());
  // Not `survives()`: the 16 MiB that may wait are given back to the allocator, not always to the
  // system.
  CHECK((!size_tells || server.rss_kib() < rss_before + 64 * 1024));
}

TEST_CASE_METHOD(siege, "monitoring actors that are not published has no effect") {
  std::string all;
  for (std::uint64_t id = 1000; id < 11'000; ++id)
    all += frame(op::monitor_message, 0, 0, 0, id, own_node() + server_node());
  ignored(all);
}
