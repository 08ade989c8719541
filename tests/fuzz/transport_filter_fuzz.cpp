// Any bytes from a peer: the filter never crashes, asks for no more than it may, and lets nothing
// pass that breaks an invariant.
#include "messages/transport/frames.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace banger::frames;

namespace {

constexpr std::uint32_t pid = 77;
constexpr std::uint64_t gateway = 5, vms = 6;

void require(bool holds) {
  if (!holds)
    std::abort();
}

std::string big_endian(std::uint64_t value, std::size_t size) {
  std::string bytes;
  for (auto shift = size * 8; shift > 0; shift -= 8)
    bytes += static_cast<char>(value >> (shift - 8) & 0xff);
  return bytes;
}

std::string node_bytes(std::uint32_t process) {
  // CAF's atom("default")
  return big_endian(0x3e9aab9bac79ULL, 8) + big_endian(process, 4) + std::string(20, 'h');
}

const std::shared_ptr<const targets>& admitted() {
  static const auto all = std::make_shared<const targets>(
      targets{{gateway, {{"@<>+@atom", shape::record({shape::exact(9)})}}},
              {vms,
               {{"@<>+@str", shape::record({shape::text()})},
                {"@<>+x",
                 shape::record({shape::record({shape::list(shape::text()), shape::fixed(1)})})}}}});
  return all;
}

node to_node(std::string_view bytes) {
  node id{};
  std::copy_n(bytes.begin(), id.size(), id.begin());
  return id;
}

void check_passed(const frame_header& h, std::string_view payload, const guard& rules) {
  require(h.padding == 0 && h.payload == payload.size() && rules.greeted());
  require(rules.actors() <= limits{}.max_actors);
  switch (h.what) {
  case operation::client_handshake:
    require(payload == node_bytes(pid).substr(0, 12) + std::string(payload.substr(12)));
    break;
  case operation::direct_message: {
    require(h.flags == 0 && h.data >> 60 == 1 && admitted()->count(h.dest) == 1);
    require(payload.size() > 4 && payload.substr(0, 3) == std::string_view("\0\0\0", 3));
    const auto& known = admitted()->at(h.dest);
    require(std::any_of(known.begin(), known.end(), [&](const clause& c) {
      return payload.substr(4, c.types.size()) == c.types;
    }));
    break;
  }
  case operation::monitor_message: require(admitted()->count(h.dest) == 1); [[fallthrough]];
  case operation::down_message:
    require(to_node(payload) == rules.peer());
    require(payload.substr(32, 32) == node_bytes(1));
    break;
  case operation::heartbeat: require(payload.empty()); break;
  default: require(false);
  }
}

// The fuzzer would hardly find these by itself.
std::string types_of(unsigned choice) {
  const std::string_view all[] = {"", "@<>+@atom", "@<>+@str", "@<>+x"};
  const auto types = all[choice & 3];
  return types.empty() ? "" : static_cast<char>(types.size()) + std::string(types);
}

// Half of the inputs have short frames whose fields are chosen from what matters; the others are
// taken as they are.
std::string arrange(std::string_view bytes, bool greeted) {
  std::string stream;
  const auto add = [&stream](std::uint64_t what, std::uint64_t flags, std::uint64_t id,
                             std::uint64_t source, std::uint64_t dest, std::string_view payload) {
    stream += big_endian(what, 1) + big_endian(0, 2) + big_endian(flags, 1) +
              big_endian(payload.size(), 4) + big_endian(id, 8) + big_endian(source, 8) +
              big_endian(dest, 8);
    stream += payload;
  };
  if (greeted)
    add(1, 0, 0, 0, 0, node_bytes(pid));
  while (bytes.size() >= 4) {
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    const std::uint64_t what = at(0) & 7, flags = at(0) >> 6, dest = at(1) & 7, source = at(1) >> 4;
    const std::uint64_t id = at(2) < 0xf0 ? 1ULL << 60 : static_cast<std::uint64_t>(at(2)) << 56;
    const bool between = what == 4 || what == 5, plain = what == 2;
    auto payload = std::string(between ? node_bytes(pid) + node_bytes(1) : "") +
                   (plain ? std::string(3, '\0') + types_of(at(2)) : "") +
                   std::string(bytes.substr(4, at(3)));
    bytes.remove_prefix(std::min<std::size_t>(bytes.size(), 4u + at(3)));
    add(what, flags, plain ? id : 0, what == 4 ? 0 : source, what == 5 ? 0 : dest, payload);
  }
  return stream;
}

void run(std::string_view stream) {
  const guard::time_point start{};
  guard rules({admitted(), limits{}, to_node(node_bytes(1)), pid, std::make_shared<claims>()},
              start);
  while (stream.size() >= header_size) {
    const std::span head_bytes(stream.data(), header_size);
    const auto head = decode(head_bytes);
    judge_server_frame(head, true);
    judge_server_frame(head, false);
    auto ruling = rules.on_header(head_bytes, start);
    stream.remove_prefix(header_size);
    if (ruling.what == action::close)
      return;
    if (ruling.what == action::pass) {
      check_passed(head, {}, rules);
      continue;
    }
    require(head.payload > 0 && head.payload <= limits{}.max_payload);
    if (stream.size() < head.payload)
      return;
    const auto payload = stream.substr(0, head.payload);
    stream.remove_prefix(head.payload);
    if (ruling.what == action::swallow)
      continue;
    ruling = rules.on_payload({payload.data(), payload.size()});
    if (ruling.what == action::close)
      return;
    if (ruling.what == action::pass)
      check_passed(head, payload, rules);
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0)
    return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 1) != 0)
    run(bytes);
  else
    run(arrange(bytes, (data[0] & 2) == 0));
  const auto nested =
      shape::list(shape::record({shape::text(), shape::list(shape::fixed(2)), shape::exact(1)}));
  fits(nested, {bytes.data(), bytes.size()}, 1000);
  return 0;
}
