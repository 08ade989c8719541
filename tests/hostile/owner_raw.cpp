#include "tests/hostile/owner.hpp"
#include "tests/hostile/raw_attacks.hpp"

#include <algorithm>
#include <poll.h>
#include <random>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace banger::hostile {

using test::bytes;
using test::frame;
using test::raw_peer;

namespace {

// The server's handshake: its node, the names of its protocols, and the actor that is published.
target welcome_of(raw_peer& peer) {
  const auto head = peer.hear(frames::header_size);
  if (head.size() != frames::header_size)
    return {};
  const auto text = peer.hear(frames::decode(head).payload);
  frames::reader from(text);
  target to;
  to.node = text.substr(0, frames::node_size);
  from.skip(frames::node_size);
  for (auto names = from.length().value_or(0); names > 0; --names)
    (void)from.text();
  to.actor = from.number(8).value_or(0);
  return to;
}

bool still_answers(raw_peer& peer, const target& to) {
  return peer.say(inventory_question(to, 7, 0x77)) &&
         peer.hear(frames::header_size).size() == frames::header_size;
}

// raw ROLE INDEX
json raw(owner& self, const words& said) {
  const auto all = raw_attacks();
  const auto index = std::stoul(said.at(2));
  if (index >= all.size())
    return {{"over", true}};
  const auto& attack = all[index];
  raw_peer peer(self.socket(said.at(1)));
  const auto to = welcome_of(peer);
  if (attack.greets)
    peer.greet();
  for (std::uint64_t turn = 0;; ++turn) {
    const auto text = attack.bytes(to, turn);
    if (text.empty() || !peer.say(text))
      break;
  }
  const bool as_expected =
      attack.then == ending::cut ? peer.closed_within(patience) : still_answers(peer, to);
  return {{"over", false},
          {"name", attack.name},
          {"why", attack.why},
          {"event", attack.greets ? "client_cut" : "client_refused"},
          {"welcomed", to.actor != 0},
          {"as_expected", as_expected}};
}

// count SOCKET: bytes that come before the end.
json count(owner& self, const words& said) {
  const auto path = self.socket(said.at(1)).native();
  const bool packets = said.at(1) == "descriptors";
  const unique_fd fd(::socket(AF_UNIX, (packets ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC, 0));
  sockaddr_un address{AF_UNIX, {}};
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return {{"connected", false}};
  std::size_t bytes = 0;
  std::array<char, 256> room{};
  pollfd waited{fd.get(), POLLIN, 0};
  while (::poll(&waited, 1, static_cast<int>(patience.count())) == 1) {
    const auto size = ::read(fd.get(), room.data(), room.size());
    if (size <= 0)
      return {{"connected", true}, {"closed", true}, {"bytes", bytes}};
    bytes += static_cast<std::size_t>(size);
  }
  return {{"connected", true}, {"closed", false}, {"bytes", bytes}};
}

using dice_type = std::mt19937_64;

std::string noise(dice_type& dice, std::size_t size) {
  std::string text(size, '\0');
  for (auto& c : text)
    c = static_cast<char>(dice());
  return text;
}

// Kind, flags and receiver are good ones often enough to come further than the first rule.
std::string random_frame(dice_type& dice, const target& to) {
  const auto what = static_cast<frames::operation>(dice() % 4 == 0 ? dice() % 256 : dice() % 7);
  const auto flags = static_cast<std::uint8_t>(dice() % 2 == 0 ? 0 : dice());
  const std::array ids{std::uint64_t{0}, to.actor, dice(), test::one_way | (dice() % 100)};
  const auto any = [&] { return ids[dice() % ids.size()]; };
  auto text = frame(what, flags, any(), any(), any(), noise(dice, dice() % 200));
  if (dice() % 8 == 0)
    text[4 + dice() % 4] = static_cast<char>(dice()); // another length than it has
  return text;
}

// frames ROLE COUNT SEED
json random_frames(owner& self, const words& said) {
  dice_type dice(std::stoull(said.at(3)));
  std::size_t done = 0, welcomed = 0, closed = 0;
  for (; done < std::stoul(said.at(2)); ++done) {
    raw_peer peer(self.socket(said.at(1)));
    const auto to = welcome_of(peer);
    if (dice() % 2 == 0)
      peer.greet();
    peer.say(random_frame(dice, to));
    ::shutdown(peer.socket, SHUT_WR);
    welcomed += to.actor != 0 ? 1 : 0;
    closed += peer.closed_within(patience) ? 1 : 0;
  }
  return {{"done", done}, {"welcomed", welcomed}, {"closed", closed}};
}

// crowd ROLE COUNT: connections that say nothing, or half a header, or one without its payload.
json crowd(owner& self, const words& said) {
  const auto greeting = frame(frames::operation::client_handshake, 0, 0, 0, 0,
                              test::node_of(static_cast<std::uint32_t>(::getpid())));
  for (std::size_t i = 0; i < std::stoul(said.at(2)); ++i) {
    auto& peer = *self.crowd.emplace_back(std::make_unique<raw_peer>(self.socket(said.at(1))));
    peer.say(std::string_view(greeting).substr(0, i % 3 == 0 ? 0 : i % 3 == 1 ? 16 : 40));
  }
  return {{"connections", self.crowd.size()}};
}

// company ROLE COUNT: connections that said who they are, and nothing more.
json company(owner& self, const words& said) {
  std::size_t welcomed = 0;
  for (std::size_t i = 0; i < std::stoul(said.at(2)); ++i) {
    auto& peer = *self.crowd.emplace_back(std::make_unique<raw_peer>(self.socket(said.at(1))));
    welcomed += welcome_of(peer).actor != 0 ? 1 : 0;
    peer.greet();
  }
  return {{"welcomed", welcomed}};
}

// refusals COUNT: orders that are refused, one after the other; nobody waits for an answer.
json refusals(owner& self, const words& said) {
  const auto to = self.speak().network();
  if (!to)
    return outcome_of(to);
  for (std::size_t i = 0; i < std::stoul(said.at(1)); ++i)
    caf::anon_send(*to, messages::bridge_atom::value, messages::bridge_order{"", "eth0", "", true});
  return outcome_of(self.speak().hello("network")); // behind them
}

// disperse: all of them have been closed, or not.
json disperse(owner& self, const words&) {
  const auto closed = std::count_if(self.crowd.begin(), self.crowd.end(),
                                    [](auto& peer) { return peer->closed_within(patience); });
  self.crowd.clear();
  return {{"closed", closed}};
}

// inventories COUNT: asked, and not waited for.
json inventories(owner& self, const words& said) {
  raw_peer peer(self.socket("network"));
  const auto to = welcome_of(peer);
  peer.greet();
  std::uint64_t count = 0;
  while (count < std::stoul(said.at(1)) && peer.say(inventory_question(to, 7, count + 1)))
    ++count;
  return {{"said", count}};
}

} // namespace

void add_raw(commands& all) {
  all["raw"] = raw;
  all["count"] = count;
  all["frames"] = random_frames;
  all["inventories"] = inventories;
  all["crowd"] = crowd;
  all["company"] = company;
  all["refusals"] = refusals;
  all["disperse"] = disperse;
}

} // namespace banger::hostile
