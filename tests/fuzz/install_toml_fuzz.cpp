#include "privhelper/install.hpp"

#include <array>
#include <cstdlib>

namespace {

constexpr std::array<const char*, 14> lines = {"[owner]",
                                               "user = \"alice\"",
                                               "uid = 1000",
                                               "gid = 1001",
                                               "home = \"/home/alice\"",
                                               "[build]",
                                               "version = \"0.3.0\"",
                                               "commit = \"0123abc\"",
                                               "built_at = 2026-01-31T12:00:00Z",
                                               "[install]",
                                               "installed_at = 2026-02-01T08:30:00+02:00",
                                               "[ids]",
                                               "first = 1879048192",
                                               "count = 65536"};

// A good file with one line replaced by bytes, or bytes alone.
std::string text_of(const std::uint8_t* data, std::size_t size) {
  const std::string rest(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] >= lines.size())
    return rest;
  std::string text;
  for (std::size_t i = 0; i < lines.size(); ++i)
    text += (i == data[0] ? rest : lines[i]) + "\n";
  return text;
}

} // namespace

// Whatever install.toml holds, it is an installation that keeps to the rules and can be written
// again, or an error with a place.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace banger;
  if (size == 0)
    return 0;
  const auto read = helper::parse_install(text_of(data, size), "/i");
  if (!read) {
    if (read.error().code != errc::bad_request || !read.error().what.starts_with("/i:"))
      std::abort();
    return 0;
  }
  if (read->uid == 0 || read->gid == 0 || read->ids.first < helper::least_first_id ||
      read->ids.contains(read->uid) || !read->home.is_absolute())
    std::abort();
  if (helper::parse_install(helper::to_toml(*read), "/i").value() != *read)
    std::abort();
  return 0;
}
