// Identifiers drawn at random.
#pragma once

#include <string>

namespace banger::operations {

/// `digits` lower-case hexadecimal digits from the host's generator.
std::string random_hex(unsigned digits);

/// op-xxxxxx
std::string new_operation_id();

} // namespace banger::operations
