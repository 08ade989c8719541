#include "tests/hostile/raw_attacks.hpp"

#include "messages/helper.hpp"
#include "tests/transport/peers.hpp"

#include <unistd.h>

namespace banger::hostile {

using test::bytes;
using test::frame;
using test::message;
using test::node_of;
using test::one_way;
using op = frames::operation;

namespace {

using once = std::function<std::string(const target&)>;

std::uint64_t atom(const std::string& text) {
  return static_cast<std::uint64_t>(caf::atom_from_string(text));
}
std::string atom_bytes(const std::string& text) { return bytes{}.number(atom(text), 8).data; }
std::string handle(std::uint64_t id, std::string_view node) {
  return bytes{}.number(id, 8).raw(node).data;
}
std::string own_node() { return node_of(static_cast<std::uint32_t>(::getpid())); }

std::string direct(std::uint64_t to, std::string_view payload, std::uint64_t from = 7,
                   std::uint64_t id = one_way) {
  return frame(op::direct_message, 0, id, from, to, payload);
}

std::string inventory() { return message("@<>+@atom", atom_bytes("inventory")); }
std::string order_of(const char* verb, std::string_view type, std::string_view fields) {
  return message("@<>+@atom+banger::messages::" + std::string(type),
                 bytes{}.raw(atom_bytes(verb)).raw(fields).data);
}
std::string kill_message() {
  return message("@<>+@exit", bytes{}
                                  .raw(handle(7, node_of(1)))
                                  .number(static_cast<std::uint64_t>(caf::exit_reason::kill), 1)
                                  .number(atom("exit"), 8)
                                  .raw(message("@<>", "").substr(1))
                                  .data);
}
std::string nested(int depth) {
  std::string all;
  for (int i = 0; i < depth; ++i)
    all += bytes{}.number(0, 2).text("@<>+@message").data;
  return bytes{}.number(0, 1).raw(all).number(0, 2).text("@<>").data;
}

constexpr auto foreign = "message outside the interface";

class table {
public:
  std::vector<raw_attack> all;

  void refused(const std::string& name, const std::string& why, once say) {
    add(name, false, ending::cut, why, std::move(say));
  }
  void cut(const std::string& name, const std::string& why, once say) {
    add(name, true, ending::cut, why, std::move(say));
  }
  void ignored(const std::string& name, once say) {
    add(name, true, ending::lives, {}, std::move(say));
  }
  /// A message for the published actor, after which the connection is cut.
  void said(const std::string& name, const std::string& payload, const std::string& why = foreign) {
    cut(name, why, [payload](const target& t) { return direct(t.actor, payload); });
  }

private:
  void add(const std::string& name, bool greets, ending then, const std::string& why, once say) {
    all.push_back({name, greets, then, why, [say](const target& t, std::uint64_t turn) {
                     return turn == 0 ? say(t) : std::string();
                   }});
  }
};

void handshakes(table& t) {
  const auto greeting = [](std::uint8_t flags, std::string_view node) {
    return frame(op::client_handshake, flags, 0, 0, 0, node);
  };
  t.refused("an exit message without a handshake", "no handshake",
            [](const target& to) { return direct(to.actor, kill_message()); });
  t.refused("an order without a handshake", "no handshake",
            [](const target& to) { return direct(to.actor, inventory()); });
  t.refused("a handshake without a payload", "malformed handshake",
            [=](const target&) { return greeting(0, ""); });
  t.refused("a server's handshake", "no handshake",
            [](const target&) { return frame(op::server_handshake, 0, 4, 0, 0, ""); });
  t.cut("a server's handshake from a greeted peer", "not for a client to say",
        [](const target&) { return frame(op::server_handshake, 0, 4, 0, 0, ""); });
  t.refused("the node of another process", "node of another process",
            [=](const target&) { return greeting(frames::select_connection, node_of(1)); });
  t.refused("the node of the helper", "impossible node",
            [=](const target& to) { return greeting(0, to.node); });
  t.cut("another node after the handshake", "changed its node",
        [=](const target&) { return greeting(frames::select_connection, node_of(4711)); });
  t.cut("three handshakes", "too many handshakes", [=](const target&) {
    return greeting(0, own_node()) + greeting(0, own_node()) + greeting(0, own_node());
  });
  t.refused("noise", "not a frame", [](const target&) { return std::string(64, '\xee'); });
  t.refused("HTTP", "not a frame", [](const target&) {
    return std::string("GET /vms HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n");
  });
}

void system_messages(table& t) {
  t.said("an exit message", kill_message());
  t.cut("a forged down message", foreign, [](const target& to) {
    const auto down = bytes{}.raw(handle(7, own_node())).number(0, 1).number(0, 8).data;
    return direct(to.actor, message("@<>+@down", down));
  });
  const auto link_to = [](std::uint64_t id, const std::string& node) {
    return message("@<>+@atom+@strong_actor_ptr",
                   bytes{}.raw(atom_bytes("LINK")).raw(handle(id, node)).data);
  };
  t.cut("a link of the role with itself", foreign,
        [=](const target& to) { return direct(to.actor, link_to(to.actor, to.node)); });
  t.cut("a link of the role with the attacker", foreign,
        [=](const target& to) { return direct(to.actor, link_to(7, own_node())); });
  t.said("messages nested 500,000 deep", nested(500'000), "frame too large");
  t.said("messages nested 60,000 deep", nested(60'000));
  t.cut("messages nested in the reason of a down", "malformed down", [](const target& to) {
    const auto head = bytes{}.raw(own_node()).raw(to.node).number(1, 1).number(atom("system"), 8);
    return frame(op::down_message, 0, 0, 7, 0, head.data + nested(200).substr(1));
  });
  t.said("a thunk, which is for the process itself", message("@<>+thunk", "x"));
  t.said("a visitor, who is for the process itself",
         message("@<>+@atom+@u32+@u32+bool",
                 bytes{}.raw(atom_bytes("visitor")).number(1, 4).number(0, 4).number(1, 1).data));
}

void lengths(table& t) {
  t.cut("a frame that claims 4 GiB", "frame too large", [](const target& to) {
    auto huge = direct(to.actor, "x");
    huge.replace(4, 4, "\xff\xff\xff\xff");
    return huge;
  });
  t.said("a byte buffer that claims 4 GiB",
         message("@<>+@charbuf", bytes{}.length(0xffff'ffff).data));
  for (const auto* verb : {"bridge", "cleanup"})
    t.said("a string of a " + std::string(verb) + " order that claims 4 GiB",
           order_of(verb, verb + std::string("_order"), bytes{}.length(0xffff'ffff).data));
  for (const auto* type : {"network_sweep", "machine_sweep"}) {
    const auto list = bytes{}.text("").length(0xffff'ffff).data;
    t.said("a list of a " + std::string(type) + " that claims 4 G", order_of("sweep", type, list));
    const auto items = bytes{}.text("").length(900'000).raw(std::string(900'000, '\0')).data;
    t.said("a list of 900,000 in a " + std::string(type), order_of("sweep", type, items));
  }
  t.said("a number of a million bytes",
         bytes{}.number(0, 3).raw(std::string(1'000'000, '\x80')).data, "malformed message");
}

void interface(table& t) {
  t.said("an unknown type", message("@<>+\x1b[31mred", "x"));
  t.said("an unknown verb", message("@<>+@atom", atom_bytes("reboot")));
  t.said("an order of neither role", message("@<>+@atom", atom_bytes("status")));
  t.said("an order cut short", inventory().substr(0, inventory().size() - 2));
  t.said("an order with something behind it", inventory() + "more");
  t.said("an order on behalf of others", bytes{}.length(3).raw(inventory()).data,
         "malformed message");
  t.cut("an answer to a question nobody asked", "not a request",
        [](const target& to) { return direct(to.actor, inventory(), 7, 0x9000'0000'0000'0001); });
  t.cut("a routed message of an invented node", "not for a client to say", [](const target& to) {
    const auto payload = bytes{}.raw(node_of(4711)).raw(to.node).raw(inventory()).data;
    return frame(op::routed_message, 0, one_way, 7, to.actor, payload);
  });
  t.cut("a monitor of an invented node", "monitor for another node", [](const target& to) {
    return frame(op::monitor_message, 0, 0, 0, to.actor, node_of(4711) + to.node);
  });
  t.cut("a down of an invented node", "down for another node", [](const target& to) {
    return frame(op::down_message, 0, 0, 7, 0, node_of(4711) + to.node + std::string(15, '\0'));
  });
}

void services(table& t) {
  const auto by_name = [](const char* name, std::string_view payload) {
    return frame(op::direct_message, frames::named_receiver, one_way, 7, atom(name), payload);
  };
  t.ignored("values for everybody", [=](const target&) {
    std::string all;
    for (int i = 0; i < 2000; ++i)
      all += by_name("ConfigServ", message("@<>+@atom+@str+@message", std::string(1000, 'x')));
    return all;
  });
  t.ignored("spawning by name", [=](const target&) {
    return by_name("SpawnServ", message("@<>+@atom+@str+@message", "x"));
  });
  t.ignored("exit messages to all other actors", [](const target& to) {
    std::string all;
    for (std::uint64_t id = 1; id < 500; ++id)
      if (id != to.actor)
        all += direct(id, kill_message());
    return all;
  });
  t.ignored("monitors of actors that are not published", [](const target& to) {
    std::string all;
    for (std::uint64_t id = 1000; id < 11'000; ++id)
      all += frame(op::monitor_message, 0, 0, 0, id, own_node() + to.node);
    return all;
  });
}

void floods(table& t) {
  t.all.push_back({"200,000 invented senders", true, ending::cut, "too many actors",
                   [](const target& to, std::uint64_t turn) {
                     return turn < 200'000 ? inventory_question(to, turn + 1, 1) : std::string();
                   }});
  t.all.push_back({"two million orders", true, ending::cut, "too many frames",
                   [](const target& to, std::uint64_t turn) {
                     std::string many;
                     for (int i = 0; turn < 2000 && i < 1000; ++i)
                       many +=
                           direct(to.actor, inventory(), 0); // from nobody, so there are no answers
                     return many;
                   }});
  t.all.push_back({"questions whose answers are not read",
                   true,
                   ending::cut,
                   {},
                   [](const target& to, std::uint64_t turn) {
                     return turn < 200'000 ? inventory_question(to, 7, turn + 1) : std::string();
                   }});
}

} // namespace

std::string inventory_question(const target& of, std::uint64_t sender, std::uint64_t id) {
  return direct(of.actor, inventory(), sender, one_way | id);
}

std::vector<raw_attack> raw_attacks() {
  table t;
  handshakes(t);
  system_messages(t);
  lengths(t);
  interface(t);
  services(t);
  floods(t);
  return std::move(t.all);
}

} // namespace banger::hostile
