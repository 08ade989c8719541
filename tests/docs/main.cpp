// Runs every command block of README.md and docs/, in order, in a fresh HOME, as an ordinary user.
// usage: docs_test SOURCE   (by ctest, which sets BANGER_TEST_BIN and the like)
#include "tests/docs/walk.hpp"

#include <cstdlib>
#include <iostream>
#include <pwd.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char** argv) {
  const char *stage = std::getenv("BANGER_TEST_STAGE"), *uid = std::getenv("BANGER_TEST_UID");
  if (argc != 2 || stage == nullptr || uid == nullptr) {
    std::cerr << "usage: docs_test SOURCE, with the variables of tests/e2e/run\n";
    return 2;
  }
  const auto* user = ::getpwuid(static_cast<uid_t>(std::stoul(uid)));
  if (::getuid() != 0 || user == nullptr) {
    std::cout << "SKIPPED: needs root, to make a user with a fresh HOME\n";
    return 0;
  }
  ::umask(022); // the user reads what is written here
  banger::docs::walk w(argv[1], stage, user->pw_dir);
  if (!w.read_pages())
    return 1;
  w.go();
  return w.report();
}
