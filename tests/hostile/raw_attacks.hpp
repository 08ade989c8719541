// What tests/transport tries on the daemon's socket, in the words of the root helper's sockets.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace banger::hostile {

/// From the server's handshake.
struct target {
  std::uint64_t actor = 0;
  std::string node;
};

enum class ending { cut, lives };

struct raw_attack {
  std::string name;
  bool greets = true; ///< a correct handshake comes first
  ending then = ending::cut;
  std::string why; ///< in the helper's log; empty: the connection lives, or there are two reasons
  /// Called with 0, 1, ... until it answers nothing, or the connection has been cut.
  std::function<std::string(const target&, std::uint64_t turn)> bytes;
};

std::vector<raw_attack> raw_attacks();

/// A question with an answer, for both roles.
std::string inventory_question(const target& of, std::uint64_t sender, std::uint64_t id);

} // namespace banger::hostile
