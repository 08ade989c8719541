// Shells and terminals in which the commands of a page run.
#pragma once

#include "tests/support/process.hpp"
#include "tests/support/pty.hpp"

#include <memory>
#include <optional>

namespace banger::docs {

/// A boot under emulation, with room for a busy machine.
inline constexpr test::milliseconds one_step{90'000};

struct answer {
  int status = -1;            ///< -1: it ran longer than the deadline
  std::string output, errors; ///< a terminal's are one, in `output`
  test::milliseconds took{};
};

struct person {
  std::vector<std::string> become; ///< words before a command: namespaces, user
  std::map<std::string, std::string> env;
  std::string folder;
};

class shell {
public:
  explicit shell(const person& p);
  /// One command; its standard input is empty.
  answer run(const std::string& command);

private:
  test::child bash_;
  std::string script_;
  std::size_t seen_ = 0;
};

/// Words of `rest` as the shell expands them.
std::vector<std::string> expand(shell& s, const std::string& rest);

/// Runs a command at a terminal. Of `shown`, `# TEXT` is typed into a guest's shell, `^C` as it is,
/// an answer after `[y/N] `; `...` is passed over, and all else must be seen in this order.
answer run_at_terminal(const person& p, const std::string& command,
                       const std::vector<std::string>& shown);

/// Network and mount namespaces in which /run is empty and a cable to nowhere has the default
/// route.
class apart {
public:
  apart();
  std::vector<std::string> enter() const;

private:
  test::child anchor_;
};

} // namespace banger::docs
