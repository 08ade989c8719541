#include "tests/hostile/owner.hpp"

#include <csignal>
#include <iostream>
#include <sstream>

namespace banger::hostile {

void answer(const json& line) {
  std::cout << line.dump(-1, ' ', true, json::error_handler_t::replace) << std::endl;
}

} // namespace banger::hostile

int main(int argc, char** argv) {
  using namespace banger::hostile;
  if (argc != 2)
    return 2;
  std::signal(SIGPIPE, SIG_IGN);
  commands all;
  add_orders(all);
  add_descriptors(all);
  add_raw(all);
  add_storm(all);
  owner self{argv[1], {}, {}, {}};
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream in(line);
    const words said{std::istream_iterator<std::string>(in), {}};
    const auto found = said.empty() ? all.end() : all.find(said.front());
    if (found == all.end())
      return 2;
    answer(found->second(self, said));
  }
  std::_Exit(0);
}
