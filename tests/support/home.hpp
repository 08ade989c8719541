// A place of its own for one test: HOME and XDG folders, a daemon that nobody else has, images that
// the fixture made. When it goes, everything in it must have gone with it.
#pragma once

#include "tests/support/process.hpp"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

namespace banger::test {

using json = nlohmann::json;
using words = std::vector<std::string>;

/// BANGER_TEST_BIN: folder with the programs under test. BANGER_TEST_STAGE: folder of ours to work
/// in.
std::filesystem::path bin(const std::string& name);
std::filesystem::path stage();

/// A boot under emulation, with room for a busy machine.
inline constexpr milliseconds boot_time{90'000};
inline constexpr milliseconds short_time{15'000};
/// An image from packages.
inline constexpr milliseconds build_time{400'000};

class home {
public:
  /// What is there before the first command: tiny and a kernel; and debian-bookworm, too (for tests
  /// with the tag [debian]); nothing.
  enum class images { warm, debian, none };
  explicit home(images wanted = images::warm);
  ~home();
  home(const home&) = delete;
  home& operator=(const home&) = delete;

  std::map<std::string, std::string> env; ///< for every program started from here
  std::int64_t as_user = -1;              ///< who runs them, if it is not us

  const std::filesystem::path& top() const { return top_; }
  std::filesystem::path runtime() const { return env.at("XDG_RUNTIME_DIR") + "/banger"; }
  std::filesystem::path state() const { return env.at("XDG_STATE_HOME") + "/banger"; }
  std::filesystem::path cache() const { return env.at("XDG_CACHE_HOME") + "/banger"; }

  /// `banger ARGS...` to its end.
  outcome banger(const words& args, std::string_view stdin_bytes = {},
                 milliseconds deadline = boot_time);
  /// As `banger`; fails the test if the status is not 0, and says why.
  std::string good(const words& args, std::string_view stdin_bytes = {});
  /// As `good`; the output as JSON.
  json read(const words& args);
  child start(const words& args, input in = input::empty);
  program command(const words& args) const;

  /// From `daemon status --json`; nothing if no daemon runs.
  std::optional<json> status();
  pid_t daemon_pid();
  /// It has not tidied up; the next one is told nothing and finds out.
  void kill_daemon();
  /// One statement of SQL, while no daemon is there.
  void edit_database(const std::string& statement);
  json list() { return read({"vm", "list", "--json"}); }
  json show(const std::string& vm) { return read({"vm", "show", vm, "--json"}); }
  /// Looks again until it holds or the deadline (scaled) has passed.
  bool eventually(const std::function<bool()>& holds, milliseconds deadline = short_time);

  /// The daemon's log, a line each.
  std::vector<json> daemon_log() const;
  /// Ends VMs and the daemon, counts start retries for the fixture. Done by the destructor, too.
  void close();

private:
  void warm_up(images wanted);
  void collect_starts();
  void check_nothing_left();

  std::filesystem::path top_;
  bool closed_ = false;
};

/// The database with its log, as a backup takes it while no daemon runs.
void copy_database(const std::filesystem::path& from, const std::filesystem::path& to);
/// Of a file; empty: there is none.
std::string content(const std::filesystem::path& file);

/// Says why, in the form that ctest takes for "skipped". Return right after it.
void skip(const std::string& why);

} // namespace banger::test
