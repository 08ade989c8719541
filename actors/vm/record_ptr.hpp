// Records between actors of this process. They never travel further.
#pragma once

#include "actors/vm/record.hpp"

#include <caf/allowed_unsafe_message_type.hpp>

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(banger::vm::record_ptr)
