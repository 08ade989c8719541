// A host that is not as it should be: wrong folders, damaged files, no QEMU, no space.
#include "tests/support/catch.hpp"
#include "tests/support/home.hpp"
#include "tests/support/procfs.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace banger::test;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// What SQLite keeps beside the database would heal it.
void forget_journal(const fs::path& database) {
  for (const auto* suffix : {"-wal", "-shm"})
    fs::remove(database.string() + suffix);
}

class small_disk {
public:
  explicit small_disk(fs::path where) : where_(std::move(where)) {
    fs::create_directory(where_);
    mounted_ = ::mount("banger-test", where_.c_str(), "tmpfs", 0, "size=120m,mode=0700") == 0;
  }

  ~small_disk() {
    if (mounted_)
      ::umount2(where_.c_str(), MNT_DETACH);
  }

  small_disk(const small_disk&) = delete;
  small_disk& operator=(const small_disk&) = delete;

  [[nodiscard]] bool mounted() const { return mounted_; }
  [[nodiscard]] const fs::path& path() const { return where_; }

private:
  fs::path where_;
  bool mounted_ = false;
};

// The tests share these files by hard links: one is replaced before it is damaged.
void damage(const fs::path& file, std::uintmax_t keep) {
  auto copy = file;
  copy += ".copy";
  fs::copy_file(file, copy);
  fs::rename(copy, file);
  fs::resize_file(file, keep);
}

fs::path find_file(const fs::path& below, const std::string& begins_with) {
  for (const auto& entry : fs::recursive_directory_iterator(below))
    if (entry.path().filename().string().starts_with(begins_with))
      return entry.path();
  FAIL("no " << begins_with << " below " << below);
  return {};
}

} // namespace

TEST_CASE("a runtime folder whose socket path would be too long is refused with a remedy",
          "[none]") {
  home h;
  h.env["XDG_RUNTIME_DIR"] = h.top() / std::string(100, 'x');
  const auto r = h.banger({"vm", "list"});
  CHECK(r.status != 0);
  CHECK_THAT(r.err, Contains("too long") && Contains("XDG_RUNTIME_DIR"));
}

TEST_CASE("a runtime folder of another user is refused", "[both][none]") {
  home h;
  const auto foreign = h.top() / "foreign";
  const bool root = ::geteuid() == 0;
  if (root) {
    fs::create_directories(foreign / "banger");
    REQUIRE(::chown((foreign / "banger").c_str(), 65534, 65534) == 0);
    h.env["XDG_RUNTIME_DIR"] = foreign;
  } else if (const fs::path made = stage() / "../foreign"; fs::exists(made)) {
    h.env["XDG_RUNTIME_DIR"] = fs::canonical(made);
  } else {
    return skip("only root can make a folder of another user");
  }
  const auto r = h.banger({"vm", "list"});
  CHECK(r.status != 0);
  CHECK_THAT(r.err, Contains("another user"));
}

TEST_CASE("a runtime folder that others may enter, or that is a link, is refused and left alone",
          "[both][none]") {
  home h;
  fs::create_directory(h.runtime());
  ::chmod(h.runtime().c_str(), 0770);
  const auto open = h.banger({"vm", "list"});
  CHECK(open.status != 0);
  CHECK_THAT(open.err, Contains("chmod 700"));
  fs::remove(h.runtime());
  fs::create_directory_symlink(h.top() / "h", h.runtime());
  const auto link = h.banger({"vm", "list"});
  CHECK(link.status != 0);
  CHECK_THAT(link.err, Contains("link"));
  CHECK(fs::is_empty(h.top() / "h"));
  fs::remove(h.runtime());
}

TEST_CASE("a stale socket of a daemon that was killed is replaced", "[none]") {
  home h;
  h.good({"vm", "list"});
  ::kill(h.daemon_pid(), SIGKILL);
  h.eventually([&] { return !h.status(); });
  REQUIRE(fs::exists(h.runtime() / "bangerd.sock"));
  CHECK(h.list().empty());
}

TEST_CASE("no HOME is an error that says so", "[none]") {
  home h;
  auto command = h.command({"vm", "list"});
  for (const auto* name : {"HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"})
    command.env.erase(name);
  const auto r = run(command, {}, short_time);
  CHECK(r.status != 0);
  CHECK_THAT(r.err, Contains("HOME"));
}

TEST_CASE("a damaged database is an error that names the file, and the file stays as it is",
          "[none]") {
  home h;
  h.good({"vm", "list"});
  h.good({"daemon", "stop"});
  const auto file = h.state() / "state.db";
  forget_journal(file);
  std::ofstream(file, std::ios::binary | std::ios::trunc) << std::string(8192, 'x');
  const auto r = h.banger({"vm", "list"});
  CHECK(r.status != 0);
  CHECK_THAT(r.err, Contains(file.filename().string()));
  CHECK(read_file(file) == std::string(8192, 'x'));
  CHECK(h.eventually([&] { return !h.status(); }));
}

TEST_CASE("a database of a newer banger is refused, not rewritten", "[none]") {
  home h;
  h.good({"vm", "list"});
  h.good({"daemon", "stop"});
  const auto file = h.state() / "state.db";
  // As if a later banger had been at work.
  h.edit_database("INSERT INTO schema_migrations (id, name) VALUES (1000000, 'later')");
  const auto before = read_file(file);
  const auto r = h.banger({"vm", "list"});
  CHECK(r.status != 0);
  CHECK_THAT(r.err, Contains("newer"));
  CHECK(read_file(file) == before);
}

TEST_CASE("a damaged image is an error that names it, and no VM is left", "[none]") {
  home h;
  damage(find_file(h.top(), "rootfs"), 100'000);
  const auto r = h.banger({"vm", "run", "--image", "tiny", "--rm", "--", "true"});
  CHECK(r.status == 125);
  CHECK_THAT(r.err, Contains("tiny"));
  CHECK(h.list().empty());
}

TEST_CASE("a damaged kernel is an error that names the file, and no VM is left", "[none]") {
  home h;
  const auto kernel = find_file(h.top(), "vmlinux");
  damage(kernel, 1'000'000);
  const auto r = h.banger({"vm", "run", "--image", "tiny", "--rm", "--", "true"});
  CHECK(r.status == 125);
  CHECK_THAT(r.err, Contains("vmlinux"));
  CHECK(h.list().empty());
}

TEST_CASE("without QEMU the error names the package to install", "[none]") {
  home h;
  h.env["PATH"] = h.top() / "h";
  h.env["BANGER_QEMU"] = "/nonexistent/qemu";
  const auto r = h.banger({"vm", "run", "--image", "tiny", "--rm", "--", "true"});
  CHECK(r.status == 125);
  CHECK_THAT(r.err, Contains("qemu") || Contains("QEMU"));
  CHECK(h.list().empty());
}

TEST_CASE("a full disk during create is an error with a remedy, and leaves no VM", "[root]") {
  home h(home::images::none);
  const small_disk small(h.top() / "s");
  if (!small.mounted())
    return skip("cannot mount a small file system here");
  const auto images = small.path() / "banger/images";
  fs::create_directories(images);
  for (const auto& folder : {images.parent_path(), images})
    fs::permissions(folder, fs::perms::owner_all);
  REQUIRE(
      run({{"cp", "-a", "--sparse=always", stage() / "warm/s/banger/images/tiny", images / "tiny"},
           h.env},
          {}, short_time)
          .status == 0);
  {
    std::ofstream ballast(small.path() / "ballast", std::ios::binary);
    const std::string block(1 << 16, 'b');
    while (ballast.write(block.data(), static_cast<std::streamsize>(block.size())).flush())
      ;
  }
  const auto r = h.banger({"vm", "create", "--image", "tiny", "--name", "full"});
  CHECK(r.status == 1);
  CHECK_THAT(r.err, Contains("space"));
  fs::remove(small.path() / "ballast");
  CHECK(h.list().empty());
  h.close();
}
