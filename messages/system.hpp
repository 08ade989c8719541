// The facet for the daemon itself, and the gateway: the actor that is published on the socket.
#pragma once

#include "messages/images.hpp"
#include "messages/operations.hpp"
#include "messages/vms.hpp"

namespace banger::messages {

using system_facet = caf::typed_actor<
    /// Never fails, never waits.
    caf::replies_to<status_atom>::with<daemon_status>,
    /// Ends the daemon once the running operations are done. VMs live on, except `--rm` ones of
    /// lost clients. The answer comes before the end; the end is the closed connection.
    caf::replies_to<halt_atom>::with<void>,
    /// Examines the host's hypervisor again, with a test guest if one can be booted yet; answers
    /// `daemon_status.hypervisor` of now. Takes up to a minute.
    caf::replies_to<reprobe_atom>::with<std::string>,
    /// A stream of events, one JSON object a line: `data` on stream 1, then `eof` unless it
    /// follows.
    caf::replies_to<events_atom, events_request>::with<stream_ticket>,
    /// Every actor that owns something. Within two seconds, whatever they do.
    caf::replies_to<actors_atom>::with<std::vector<actor_view>>>;

/// These two clauses never change once released, so that programs of any two versions can tell each
/// other what they are.
using gateway_actor = caf::typed_actor<
    /// First word on a connection. Answers what the daemon is, and the facets if the protocols
    /// agree (null handles if not).
    caf::replies_to<hello_atom, hello_request>::with<hello_reply, vms_facet, operations_facet,
                                                     images_facet, system_facet>,
    /// Said by a newer CLI: make room for my daemon. As `halt`; `bad_version` if the asker is not
    /// newer.
    caf::replies_to<retire_atom, hello_request>::with<void>>;

} // namespace banger::messages
