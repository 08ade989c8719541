// What the benches share: whole processes, timed.
#pragma once

#include "tests/support/home.hpp"

namespace banger::bench {

[[noreturn]] void give_up(const std::string& why);

/// By a form of printf, such as "%+.1f".
std::string text(const char* form, double value);

/// Milliseconds that a whole process takes, from fork to its end.
double time_of(const test::program& p);

void must(test::home& h, const test::words& args);

} // namespace banger::bench
