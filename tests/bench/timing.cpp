#include "tests/bench/timing.hpp"

#include <cstdio>
#include <cstdlib>
#include <iostream>

namespace banger::bench {

void give_up(const std::string& why) {
  std::cerr << "bench: " << why << '\n';
  std::exit(1);
}

std::string text(const char* form, double value) {
  char out[64];
  std::snprintf(out, sizeof out, form, value);
  return out;
}

double time_of(const test::program& p) {
  const auto begun = test::clock::now();
  test::child c(p);
  c.end_input();
  if (const int status = c.wait(5 * test::boot_time); status != 0)
    give_up(p.argv[0] + " ended with " + std::to_string(status) + ": " + c.err());
  return std::chrono::duration<double, std::milli>(test::clock::now() - begun).count();
}

void must(test::home& h, const test::words& args) {
  if (const auto r = h.banger(args, {}, 5 * test::boot_time); r.status != 0)
    give_up("banger " + args[0] + " " + args[1] + ": " + r.err);
}

} // namespace banger::bench
