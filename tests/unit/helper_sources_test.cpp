// What the sources must not hold.
#include "tests/support/catch.hpp"

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

namespace fs = std::filesystem;

namespace {

std::string content(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

/// "FILE: WHAT" for each place where the pattern fits.
std::vector<std::string> places(const std::vector<std::string>& folders, const char* pattern) {
  const std::regex wanted(pattern);
  std::vector<std::string> found;
  for (const auto& folder : folders)
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(BANGER_SOURCE) / folder)) {
      const auto extension = entry.path().extension();
      if (extension != ".cpp" && extension != ".hpp")
        continue;
      const auto text = content(entry.path());
      for (std::sregex_iterator at(text.begin(), text.end(), wanted), end; at != end; ++at)
        found.push_back(entry.path().string() + ": " + at->str());
    }
  return found;
}

} // namespace

TEST_CASE(
    "lesson 12: nothing on the host hands a string to a shell, and the helper executes nothing") {
  const std::vector<std::string> ours{"messages", "actors", "privhelper", "cli"};
  CHECK(places(ours, R"re(::system\(|\bpopen\(|"/bin/sh"|"sh", *"-c")re").empty());
  CHECK(places({"privhelper"}, R"re(\b(execve?|execvp|execl|execveat|fexecve|posix_spawn)\()re")
            .empty());
}

TEST_CASE("toml++ and Catch2 are included by their public headers, each in one place") {
  const auto found = places({"messages", "actors", "privhelper", "cli", "guest", "tests"},
                            R"re(# *include <(toml\+\+|catch2)/[^>]*>)re");
  CHECK_FALSE(found.empty());
  const auto top = std::string(BANGER_SOURCE) + "/";
  for (const auto& place : found) {
    INFO(place);
    if (place.starts_with(top + "tests/unit/helper_sources_test.cpp: "))
      continue; // the line below
    CHECK((place == top + "messages/config/toml.hpp: #include <toml++/toml.h>" ||
           place.starts_with(top + "tests/support/catch.hpp: ") ||
           place.starts_with(top + "tests/unit/main.cpp: ")));
  }
}
