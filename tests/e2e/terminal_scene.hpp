// A VM, and people who sit at terminals.
#pragma once

#include "tests/support/catch.hpp"
#include "tests/support/home.hpp"
#include "tests/support/pty.hpp"

namespace banger::test {

inline const std::string prompt = ":~# ";

/// `banger ARGS...` at a terminal.
inline program at(const home& h, const words& args, const std::string& term = "xterm-256color") {
  auto p = h.command(args);
  p.env["TERM"] = term;
  return p;
}

/// The output of a line that is not the echo of it: write a word with '' in it.
inline bool says(at_terminal& t, const std::string& line, const std::string& answer) {
  t.type(line + "\r");
  const bool seen = t.sees(answer);
  if (!seen)
    UNSCOPED_INFO("after '" << line << "' the terminal shows:\n" << t.shown());
  return seen;
}

inline bool ready(at_terminal& t) {
  const bool seen = t.sees(prompt, boot_time);
  if (!seen)
    UNSCOPED_INFO("the terminal shows:\n" << t.shown());
  return seen;
}

} // namespace banger::test
