// The fixture of all others: what it makes from nothing, they use.
#include "tests/support/catch.hpp"
#include "tests/support/home.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <sys/inotify.h>

using namespace banger::test;
namespace fs = std::filesystem;

namespace {

// Sees what is published in a folder: everything of ours appears there by a rename.
class publications {
public:
  explicit publications(const fs::path& folder) : fd_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
    fs::create_directories(folder);
    for (auto each = folder; each != each.root_path() && each.filename() != "warm";
         each = each.parent_path())
      fs::permissions(each, fs::perms::owner_all);
    REQUIRE(::inotify_add_watch(fd_.get(), folder.c_str(), IN_MOVED_TO) >= 0);
  }

  /// Names, as often as they appeared.
  std::vector<std::string> seen() const {
    std::vector<std::string> names;
    alignas(inotify_event) std::array<char, 16 * 1024> buffer{};
    const auto got = ::read(fd_.get(), buffer.data(), buffer.size());
    for (ssize_t at = 0; at < got;) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      names.emplace_back(static_cast<const char*>(event->name));
      at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
    return names;
  }

private:
  banger::unique_fd fd_;
};

} // namespace

TEST_CASE("two first runs at once, where nothing is there yet, make kernel and image once",
          "[first][two-vms]") {
  home h(home::images::none);
  const auto warm = stage() / "warm";
  h.env["XDG_STATE_HOME"] = warm / "s";
  h.env["XDG_CACHE_HOME"] = warm / "c";
  if (fs::exists(warm / "s/banger/images/tiny"))
    return; // a repetition: the fixture is there
  const publications images(warm / "s/banger/images/tiny");
  auto one = h.start({"vm", "run", "--rm", "--image", "tiny", "--", "echo", "one"});
  auto two = h.start({"vm", "run", "--rm", "--image", "tiny", "--", "echo", "two"});
  CHECK(one.wait(2 * boot_time) == 0);
  CHECK(two.wait(2 * boot_time) == 0);
  INFO(one.err() << two.err());
  CHECK(one.out() == "one\n");
  CHECK(two.out() == "two\n");
  const auto seen = images.seen();
  CHECK(std::count_if(seen.begin(), seen.end(),
                      [](const auto& name) { return name.starts_with("rootfs"); }) == 1);
  int kernels = 0;
  for (const auto& entry : fs::recursive_directory_iterator(h.cache()))
    kernels += entry.path().filename() == "vmlinux" ? 1 : 0;
  CHECK(kernels == 1);
}
