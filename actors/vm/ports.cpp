#include "actors/vm/ports.hpp"

namespace banger::vm {

std::string endpoint_of(const guest::listener_body& listener, std::string_view guest_address) {
  std::string_view address = listener.address;
  if (address.starts_with("127.") || address == "::1" || address.starts_with("::ffff:127."))
    return {};
  if (address == "0.0.0.0" || address == "::")
    address = guest_address.substr(0, guest_address.find('/'));
  if (address.empty())
    return {};
  const bool v6 = address.find(':') != std::string_view::npos;
  return (v6 ? "[" : "") + std::string(address) + (v6 ? "]:" : ":") + std::to_string(listener.port);
}

std::string_view to_string(guest::transport_protocol protocol) {
  return protocol == guest::transport_protocol::tcp ? "tcp" : "udp";
}

} // namespace banger::vm
