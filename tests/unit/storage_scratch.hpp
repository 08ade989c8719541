// A folder for one test, and small helpers to look into it.
#pragma once

#include "messages/base/error.hpp"
#include "tests/support/catch.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdlib.h>
#include <string>
#include <string_view>
#include <vector>

namespace banger::test {

class scratch {
public:
  scratch() {
    std::string form = std::filesystem::temp_directory_path() / "banger-unit-XXXXXX";
    REQUIRE(::mkdtemp(form.data()) != nullptr);
    top_ = form;
  }
  ~scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(top_, ignored);
  }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;

  std::filesystem::path operator/(const std::filesystem::path& name) const { return top_ / name; }
  const std::filesystem::path& top() const { return top_; }

private:
  std::filesystem::path top_;
};

inline void put(const std::filesystem::path& file, std::string_view content) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << content;
}

inline std::string slurp(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  return names;
}

/// The text of the failure, for a message when an `expected` should have held a value.
template <class T>
std::string why(const expected<T>& e) {
  return e ? std::string("ok")
           : std::string(to_string(e.error().code)) + ": " + describe(e.error());
}

template <class T>
errc code(const expected<T>& e) {
  return e ? errc::none : e.error().code;
}

} // namespace banger::test
