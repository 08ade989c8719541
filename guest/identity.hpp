// What makes this VM itself and no other: entropy, names, keys.
#pragma once

#include "guest/mounts.hpp"

#include <string>

namespace banger::guest {

/// Before anything else runs: two machines restored from one template would otherwise draw the same
/// random numbers. Credits the seed and has the generator seeded anew; each alone is not enough.
done seed_entropy(const std::string& seed);

/// Host name, /etc/hostname, hosts, resolv.conf, machine-id and root's authorized_keys. What is
/// empty in `who` stays as it is.
void write_identity(const configure_body& who, notes& said);

} // namespace banger::guest
