// Whatever a daemon says, it is an order that keeps to the rules or an error that names the field.
// The first byte picks the order; most fields are as they should be, others another word or bytes.
#include "privhelper/rules/machine.hpp"
#include "privhelper/rules/network.hpp"

#include <array>
#include <cstdlib>
#include <span>

using namespace banger;
using namespace banger::messages;

namespace {

const helper::bounds site{{200'000, 1000}, 1000, "/home/a/state", {8, 16 * GiB}};

constexpr std::array<const char*, 24> words = {"op-012abc6789",
                                               "br-fc",
                                               "br-fc-a",
                                               "10.88.0.0/24",
                                               "10.0.0.0/8",
                                               "tap-fc-a",
                                               "tap-fc-b",
                                               "52:54:0a:58:00:02",
                                               "52:54:0a:58:00:03",
                                               "10.88.0.2",
                                               "10.88.0.3",
                                               "127.0.0.1:42069",
                                               "0123456789ab",
                                               "qemu",
                                               "firecracker",
                                               "vms/0123456789ab",
                                               "vms/0123456789ab/root.img",
                                               "/home/a/state/kernel",
                                               "../x",
                                               "/etc/shadow",
                                               "TERM",
                                               "KILL",
                                               "",
                                               "eth0"};

void demand(bool so) {
  if (!so)
    std::abort();
}

class source {
public:
  source(const std::uint8_t* data, std::size_t size) : left_(data, size) {}

  std::uint8_t byte() {
    if (left_.empty())
      return 0;
    const auto b = left_.front();
    left_ = left_.subspan(1);
    return b;
  }
  template <class T>
  T number(T good) {
    if (byte() < mostly)
      return good;
    std::uint64_t n = 0;
    for (int shift = byte() % 9 * 8; shift > 0; shift -= 8)
      n = n << 8 | byte();
    return static_cast<T>(n);
  }
  // What is good there, a word, one with a byte changed or added, or bytes.
  std::string text(const std::string& good) {
    if (byte() < mostly)
      return good;
    const auto pick = byte();
    if (pick >= 3 * words.size()) {
      std::string raw;
      for (auto n = byte() % 64U + (pick == 255 ? 1000U : 0U); n > 0; --n)
        raw += static_cast<char>(byte());
      return raw;
    }
    std::string word = words[pick % words.size()];
    if (pick >= 2 * words.size())
      word += static_cast<char>(byte());
    else if (pick >= words.size() && !word.empty())
      word[byte() % word.size()] = static_cast<char>(byte());
    return word;
  }
  // Each with its number at its end.
  std::vector<std::string> texts(const std::string& good) {
    std::vector<std::string> all(byte() % 70);
    for (std::size_t i = 0; i < all.size(); ++i)
      all[i] = text(good + std::to_string(i));
    return all;
  }
  guest_order guest(std::uint32_t n) {
    const ipv4 address{0x0a580002 + n};
    return {text("tap-fc-" + std::to_string(n)), text(mac_address::of(address).str()),
            text(address.str()), flag()};
  }
  bool flag() { return byte() % 2 == 0; }

private:
  static constexpr std::uint8_t mostly = 192;
  std::span<const std::uint8_t> left_;
};

bool ours(const helper::managed_path& p) {
  const auto text = "/" + p.str() + "/";
  return !p.str().empty() && p.str().size() <= 1024 && text.find("//") == std::string::npos &&
         text.find("/../") == std::string::npos && text.find("/./") == std::string::npos &&
         text.find('\0') == std::string::npos && text.find('\n') == std::string::npos;
}
bool ours(const bridge_name& b) { return b.str().starts_with("br-fc") && b.str().size() <= 15; }
bool ours(const tap_name& t) { return t.str().starts_with("tap-fc-") && t.str().size() <= 15; }
bool ours(const ipv4_net& net, const helper::guest& g) {
  return ours(g.tap) && net.is_guest(g.address) && (g.mac.bytes[0] & 3) == 2;
}

void hold(const helper::bridge_task& t) {
  demand(ours(t.bridge) && (!t.present || t.network));
  demand(!t.network || t.network->prefix() >= 8);
}
void hold(const helper::taps_task& t) {
  demand(ours(t.bridge) && !t.names.empty() && t.names.size() <= 64);
  const std::set<tap_name> each(t.names.begin(), t.names.end());
  demand(each.size() == t.names.size());
  for (const auto& name : t.names)
    demand(ours(name));
}
void hold(const helper::policy_task& t) {
  std::set<std::uint32_t> addresses;
  for (const auto& g : t.guests)
    demand(ours(t.network, g) && addresses.insert(g.address.bits).second);
  demand(ours(t.bridge) && t.guests.size() <= 1024);
}
void hold(const helper::guest_task& t) { demand(ours(t.bridge) && ours(t.network, t.guest)); }
void hold(const helper::resolver_task& t) {
  demand(ours(t.bridge) && (!t.present || t.server));
  demand(!t.server || (t.server->address.bits >> 24 == 127 && t.server->port >= 1024));
}
void hold(const helper::network_sweep_task& t) {
  for (const auto& b : t.bridges)
    demand(ours(b));
  for (const auto& name : t.taps)
    demand(ours(name));
}
void hold(const helper::launch_task& t) {
  demand(t.folder.str() == "vms/" + t.vm.str() && ours(t.kernel) && ours(t.initramfs));
  for (const auto& d : t.disks)
    demand(ours(d));
  demand(site.ids.contains(t.uid) && t.vcpu >= 1 && t.vcpu <= 8 && t.memory_mib >= 128 &&
         t.memory_mib <= 16384 && !t.disks.empty() && t.disks.size() <= 8);
}
void hold(const helper::signal_task& t) {
  demand(t.pid > 1 && t.pid <= 4'194'304 && t.start_time != 0 && t.signal > 0 && t.signal < 16);
}
void hold(const helper::cleanup_task& t) { demand(t.vm.str().size() == 12); }
void hold(const helper::root_disk_task& t) {
  demand(!t.present || (t.image && t.overlay && t.bytes));
  demand(!t.image || ours(*t.image));
  demand(!t.overlay || (ours(*t.overlay) && t.overlay->is_below("vms/" + t.vm.str())));
  demand(!t.bytes || (*t.bytes % 512 == 0 && *t.bytes <= max_disk_bytes));
}
void hold(const helper::socket_task& t) {
  demand(ours(t.path) && t.path.is_below("vms/" + t.vm.str()));
}
void hold(const helper::machine_sweep_task& t) { demand(t.vms.size() <= 4096); }

template <class Order>
void say(const Order& order) {
  const auto read = [&] {
    if constexpr (requires { helper::check(order); })
      return helper::check(order);
    else
      return helper::check(order, site);
  }();
  if (read)
    return hold(*read);
  demand(read.error().code == errc::bad_request);
  demand(read.error().what.find(" order: field ") != std::string::npos);
  for (const char c : describe(read.error()))
    demand(c >= 0x20 && c < 0x7f);
}

const std::string op = "op-012abc6789", bridge = "br-fc", net = "10.88.0.0/24", id = "0123456789ab",
                  folder = "vms/0123456789ab";

void say_network(std::uint8_t pick, source& s) {
  switch (pick) {
  case 0: return say(bridge_order{s.text(op), s.text(bridge), s.text(net), s.flag()});
  case 1: return say(taps_order{s.text(op), s.text(bridge), s.texts("tap-fc-"), s.flag()});
  case 2: {
    policy_order order{s.text(op), s.text(bridge), s.text(net), {}};
    const auto count = s.byte() % 16U;
    for (std::uint32_t n = 0; n < count; ++n)
      order.guests.push_back(s.guest(n));
    return say(order);
  }
  case 3:
    return say(guest_change{s.text(op), s.text(bridge), s.text(net), s.guest(s.byte()), s.flag()});
  case 4:
    return say(resolver_order{s.text(op), s.text(bridge), s.text("127.0.0.1:42069"), s.flag()});
  default: return say(network_sweep{s.text(op), s.texts("br-fc-"), s.texts("tap-fc-")});
  }
}

void say_machine(std::uint8_t pick, source& s) {
  switch (pick) {
  case 0:
    return say(launch_order{s.text(op), s.text(id), s.text("qemu"), s.text(folder),
                            s.texts(folder + "/d"), s.text("kernel"), s.text("initramfs"),
                            s.number(2U), s.number(200'007U), s.number(std::uint64_t{512})});
  case 1:
    return say(signal_order{s.text(op), s.text(id), s.number(4711U), s.number(std::uint64_t{99}),
                            s.text("TERM")});
  case 2: return say(cleanup_order{s.text(op), s.text(id)});
  case 3:
    return say(root_disk_order{s.text(op), s.text(id), s.text("images/i"), s.text(folder + "/o"),
                               s.number(std::uint64_t{64 * MiB}), s.flag()});
  case 4: return say(socket_order{s.text(op), s.text(id), s.text(folder + "/api.sock")});
  default: return say(machine_sweep{s.text(op), s.texts("0123456789a")});
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  source s(data, size);
  const auto pick = static_cast<std::uint8_t>(s.byte() % 12);
  if (pick < 6)
    say_network(pick, s);
  else
    say_machine(static_cast<std::uint8_t>(pick - 6), s);
  return 0;
}
