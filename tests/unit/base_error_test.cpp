#include "messages/base/error.hpp"
#include "messages/base/version.hpp"
#include "tests/support/catch.hpp"

#include <cerrno>
#include <set>

using namespace banger;

TEST_CASE("an error tells what, why, what to do and the operation, in one line") {
  CHECK(describe({errc::not_found, "no VM is called 'x'", "", "", ""}) == "no VM is called 'x'");
  CHECK(describe({errc::busy, "w", "y", "r", "op-1"}) == "w: y; r (op-1)");
  CHECK(describe({errc::busy, "w", "", "r", ""}) == "w; r");
}

TEST_CASE("a full disk comes with its remedy, other errno values with their text only") {
  CHECK(fail_errno("cannot write", ENOSPC).value().remedy.find("banger vm delete") !=
        std::string::npos);
  CHECK(fail_errno("cannot write", EDQUOT).value().remedy.find("banger vm delete") !=
        std::string::npos);
  CHECK(fail_errno("cannot write", EACCES).value().remedy.empty());
  CHECK(fail_errno("cannot write", EACCES).value().why == "Permission denied");
}

TEST_CASE("every error code has a name of its own") {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(errc::disconnected); ++code)
    names.insert(to_string(static_cast<errc>(code)));
  CHECK(names.size() == static_cast<std::size_t>(errc::disconnected) + 1);
}

TEST_CASE("a build is newer by its version first, then by its number") {
  CHECK(newer({"0.3.0", "a", 1}, {"0.2.9", "b", 9}));
  CHECK(newer({"0.10.0", "a", 1}, {"0.9.0", "b", 1}));
  CHECK(newer({"0.2.0", "a", 2}, {"0.2.0", "b", 1}));
  CHECK_FALSE(newer({"0.2.0", "a", 1}, {"0.2.0", "b", 1}));
  CHECK_FALSE(newer({"rubbish", "a", 9}, {"0.0.1", "b", 0}));
}

TEST_CASE("this build knows its version") { CHECK_FALSE(this_build().version.empty()); }
