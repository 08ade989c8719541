// Where a listener in a guest can be reached. Pure.
#pragma once

#include "messages/guest/protocol.hpp"

#include <string>
#include <string_view>

namespace banger::vm {

/// ADDRESS:PORT in the guest's network; empty if only the guest itself reaches it. `guest_address`
/// is what stands for "any address": a.b.c.d, with or without a prefix length; may be empty.
std::string endpoint_of(const guest::listener_body& listener, std::string_view guest_address);

std::string_view to_string(guest::transport_protocol protocol);

} // namespace banger::vm
