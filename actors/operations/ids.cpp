#include "actors/operations/ids.hpp"

#include <array>
#include <stdexcept>
#include <sys/random.h>

namespace banger::operations {

std::string random_hex(unsigned digits) {
  std::array<unsigned char, 32> bytes{};
  std::string text;
  while (text.size() < digits) {
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
      throw std::runtime_error("the host's random generator does not answer");
    for (auto byte : bytes)
      text += "0123456789abcdef"[byte & 15U];
  }
  text.resize(digits);
  return text;
}

std::string new_operation_id() { return "op-" + random_hex(10); }

} // namespace banger::operations
