#include "messages/handover/shelf.hpp"

#include <cstdint>
#include <cstdlib>
#include <fcntl.h>

using namespace banger;
using namespace banger::handover;

namespace {

void demand(bool so) {
  if (!so)
    std::abort();
}

// Packets, as both sides read them.
void read(std::string_view packet) {
  if (const auto shown = parse_request(packet))
    demand(shown->str() == packet);
  if (const auto count = parse_reply(packet))
    demand(*count > 0 && *count <= most_descriptors && reply_with(*count) == packet);
}

// Offers come, go and expire in any order: none is lost, none is given twice or to the wrong one.
void keep(const std::uint8_t* data, std::size_t size) {
  using namespace std::chrono_literals;
  constexpr std::size_t most = 8;
  shelf s(5s, most);
  clock::time_point now{};
  std::vector<std::pair<token, local::peer>> put;
  std::size_t inside = 0;
  for (std::size_t i = 0; i + 1 < size && i < 200; i += 2) {
    const local::peer who{1U + data[i + 1] % 3U, 1000};
    if (data[i] % 4 == 0) {
      descriptors one;
      one.emplace_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      if (const auto shown = s.put(std::move(one), who, now); shown) {
        put.emplace_back(*shown, who);
        ++inside;
      } else {
        demand(inside == most);
      }
    } else if (data[i] % 4 == 1 && !put.empty()) {
      const auto& [shown, to] = put[data[i + 1] % put.size()];
      const auto got = s.take(shown, who, now);
      demand(got.empty() || (got.size() == 1 && to.pid == who.pid));
      inside -= got.size();
    } else if (data[i] % 4 == 2) {
      now += std::chrono::milliseconds(data[i + 1] * 10);
    } else {
      inside -= s.expire(now).size();
      demand(inside == 0 || s.next() > now);
    }
    demand(s.held() == inside);
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  read({reinterpret_cast<const char*>(data), size});
  keep(data, size);
  return 0;
}
