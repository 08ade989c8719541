// The hostile owner: a process of its own, since the helper knows its clients by pid and uid. It
// reads commands from stdin, a line each, and answers each with a line of JSON.
#pragma once

#include "messages/base/unique_fd.hpp"
#include "tests/hostile/speaker.hpp"
#include "tests/transport/peers.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

namespace banger::hostile {

using json = nlohmann::json;
using words = std::vector<std::string>;

/// {"code": "none"}, or the error's code and text, which may be cut.
template <class T>
json outcome_of(const expected<T>& answer) {
  if (answer)
    return {{"code", "none"}};
  const auto text = describe(answer.error());
  const bool plain =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
  return {{"code", to_string(answer.error().code)},
          {"text", text.substr(0, 1000)},
          {"size", text.size()},
          {"plain", plain}};
}

struct owner {
  std::filesystem::path sockets;
  std::unique_ptr<speaker> line; ///< with its threads only where it is needed
  std::vector<unique_fd> taps;
  std::vector<std::unique_ptr<test::raw_peer>> crowd;

  speaker& speak() {
    if (!line)
      line = std::make_unique<speaker>(sockets);
    return *line;
  }
  std::filesystem::path socket(const std::string& name) const { return sockets / (name + ".sock"); }
};

using command = std::function<json(owner&, const words&)>;
using commands = std::map<std::string, command>;

void add_orders(commands& all);      ///< hello, orders, bridge, taps, policy, sweep, launch, ...
void add_descriptors(commands& all); ///< fetch, drop, garbage
void add_raw(commands& all);         ///< raw, count, frames, crowd, disperse
void add_storm(commands& all);       ///< storm

void answer(const json& line);

} // namespace banger::hostile
