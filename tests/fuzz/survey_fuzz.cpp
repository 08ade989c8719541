// Any text in the place of /proc/net/tcp and its like: what is found has an address and a port.
#include "guest/survey.hpp"

#include <cstdlib>

using namespace banger::guest;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto protocol : {transport_protocol::tcp, transport_protocol::udp})
    for (const auto& s : waiting_sockets(text, protocol))
      if (s.seen.address.empty() || s.seen.address.size() > 45 || s.seen.port == 0)
        std::abort();
  static_cast<void>(socket_inode(text));
  health_body health;
  read_load(text, health);
  static_cast<void>(memory_line(text, "MemTotal"));
  return 0;
}
