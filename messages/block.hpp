// Every type and atom that travels, in one block: CAF 1.x gives them numbers in this order.
// An interface header includes this one; nobody else needs to.
#pragma once

#include "messages/events.hpp"
#include "messages/models.hpp"

#include <caf/all.hpp>

CAF_BEGIN_TYPE_ID_BLOCK(banger, first_custom_type_id)
CAF_ADD_TYPE_ID(banger, (banger::messages::error_info))
CAF_ADD_TYPE_ID(banger, (banger::messages::hello_request))
CAF_ADD_TYPE_ID(banger, (banger::messages::hello_reply))
CAF_ADD_TYPE_ID(banger, (banger::messages::create_request))
CAF_ADD_TYPE_ID(banger, (banger::messages::verb_request))
CAF_ADD_TYPE_ID(banger, (banger::messages::exec_request))
CAF_ADD_TYPE_ID(banger, (banger::messages::logs_request))
CAF_ADD_TYPE_ID(banger, (banger::messages::op_ticket))
CAF_ADD_TYPE_ID(banger, (banger::messages::stream_ticket))
CAF_ADD_TYPE_ID(banger, (banger::messages::vm_view))
CAF_ADD_TYPE_ID(banger, (banger::messages::vm_detail))
CAF_ADD_TYPE_ID(banger, (banger::messages::stage_time))
CAF_ADD_TYPE_ID(banger, (banger::messages::progress))
CAF_ADD_TYPE_ID(banger, (banger::messages::finished))
CAF_ADD_TYPE_ID(banger, (banger::messages::daemon_status))
CAF_ADD_TYPE_ID(banger, (std::vector<banger::messages::vm_view>))
CAF_ADD_TYPE_ID(banger, (banger::messages::attach_request))
CAF_ADD_TYPE_ID(banger, (banger::messages::image_request))
CAF_ADD_TYPE_ID(banger, (banger::messages::image_view))
CAF_ADD_TYPE_ID(banger, (std::vector<banger::messages::image_view>))
CAF_ADD_TYPE_ID(banger, (banger::messages::operation_view))
CAF_ADD_TYPE_ID(banger, (std::vector<banger::messages::operation_view>))
CAF_ADD_TYPE_ID(banger, (banger::messages::events_request))
CAF_ADD_TYPE_ID(banger, (banger::messages::actor_view))
CAF_ADD_TYPE_ID(banger, (std::vector<banger::messages::actor_view>))

CAF_ADD_ATOM(banger, banger::messages, hello_atom, "hello")
CAF_ADD_ATOM(banger, banger::messages, retire_atom, "retire")
CAF_ADD_ATOM(banger, banger::messages, begin_atom, "begin")
CAF_ADD_ATOM(banger, banger::messages, cancel_atom, "cancel")
CAF_ADD_ATOM(banger, banger::messages, list_atom, "list")
CAF_ADD_ATOM(banger, banger::messages, show_atom, "show")
CAF_ADD_ATOM(banger, banger::messages, exec_atom, "exec")
CAF_ADD_ATOM(banger, banger::messages, logs_atom, "logs")
CAF_ADD_ATOM(banger, banger::messages, status_atom, "status")
CAF_ADD_ATOM(banger, banger::messages, halt_atom, "halt")
CAF_ADD_ATOM(banger, banger::messages, attach_atom, "attach")
CAF_ADD_ATOM(banger, banger::messages, watch_atom, "watch")
CAF_ADD_ATOM(banger, banger::messages, delete_atom, "delete")
CAF_ADD_ATOM(banger, banger::messages, events_atom, "events")
CAF_ADD_ATOM(banger, banger::messages, actors_atom, "actors")
CAF_ADD_ATOM(banger, banger::messages, crash_atom, "crash")
CAF_END_TYPE_ID_BLOCK(banger)
